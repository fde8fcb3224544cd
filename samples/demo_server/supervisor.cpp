#include "samples/demo_server/supervisor.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "samples/demo_server/files.h"
#include "samples/demo_server/socket.h"
#include "schema/file_handle.h"

namespace fdmortem::demo {

namespace {

constexpr auto kRestartPause = std::chrono::milliseconds(100);
constexpr auto kEndGrace = std::chrono::seconds(5);

sigset_t awaitedSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGCHLD})
    ::sigaddset(&set, number);
  return set;
}

/// Takes the next awaited signal; empty when none comes in time.
std::optional<int> nextSignal(std::chrono::milliseconds longest) {
  const sigset_t set = awaitedSignals();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(longest);
  timespec timeout{};
  timeout.tv_sec = seconds.count();
  timeout.tv_nsec = std::chrono::nanoseconds(longest - seconds).count();
  const int number = ::sigtimedwait(&set, nullptr, &timeout);
  if (number > 0) return number;
  return std::nullopt;
}

bool isEndSignal(std::optional<int> number) {
  return number && *number != SIGCHLD;
}

/// A server process that begins with start(). Whatever happens to the supervisor, it does not stay.
class ServerProcess {
 public:
  ServerProcess(const std::string& program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments)
      argv.push_back(argument.data());
    argv.push_back(nullptr);
    const pid_t parent = ::getpid();
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throwErrno("pipe2");
    may_start_ = FileHandle(pipe[0]);
    start_ = FileHandle(pipe[1]);
    pid_ = ::fork();
    if (pid_ < 0) throwErrno("fork");
    if (pid_ == 0) become(program.c_str(), argv.data(), parent, may_start_.get());
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    if (wait_status_) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  void start() const {
    const char byte = 0;
    if (::write(start_.get(), &byte, sizeof byte) != sizeof byte) throwErrno("write");
  }
  void terminate() const { ::kill(pid_, SIGTERM); }
  /// Reaps it if it has ended.
  bool hasEnded() {
    if (wait_status_) return true;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
    wait_status_ = status;
    return true;
  }
  /// After hasEnded().
  bool hasFailed() const {
    return wait_status_ && (!WIFEXITED(*wait_status_) || WEXITSTATUS(*wait_status_) != 0);
  }

 private:
  [[noreturn]] static void become(const char* program, char* const* argv, pid_t parent,
                                  int may_start) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before the line above
    char byte = 0;
    if (::read(may_start, &byte, sizeof byte) != sizeof byte) ::_exit(127);
    const sigset_t set = awaitedSignals();
    ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
    ::execv(program, argv);
    ::_exit(127);
  }

  FileHandle may_start_;  // open here too: a server that is dead by then must not make it SIGPIPE
  FileHandle start_;
  pid_t pid_ = -1;
  std::optional<int> wait_status_;
};

/// The server's arguments, with the port of the server before where the kernel chose it.
std::vector<std::string> argumentsOf(const SuperviseOptions& options, bool is_restart) {
  std::vector<std::string> arguments = options.serve_arguments;
  if (!is_restart || options.serve.port != 0) return arguments;
  const std::string address = readFirstLine(options.serve.ready_file);
  if (address.empty()) return arguments;  // it failed before it had a port
  arguments.emplace_back("--port");
  arguments.push_back(std::to_string(SocketAddress::parse(address).port()));
  return arguments;
}

/// False when the supervisor was told to end.
bool waitForEnd(ServerProcess& server) {
  while (!server.hasEnded()) {
    if (isEndSignal(nextSignal(std::chrono::seconds(60)))) return false;
  }
  return true;
}

void endServer(ServerProcess& server) {
  const auto deadline = std::chrono::steady_clock::now() + kEndGrace;
  server.terminate();
  while (!server.hasEnded() && std::chrono::steady_clock::now() < deadline) {
    nextSignal(std::chrono::milliseconds(100));
  }
}

bool endSignalWithin(std::chrono::milliseconds time) {
  const auto deadline = std::chrono::steady_clock::now() + time;
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    if (isEndSignal(nextSignal(left))) return true;
  }
}

void runServers(const SuperviseOptions& options, const std::string& program) {
  bool is_restart = false;
  do {
    ServerProcess server(program, argumentsOf(options, is_restart));
    writeFileAtomically(options.pid_file, fmt::format("{}\n", server.pid()));
    server.start();  // who sees it listen finds its pid in the file
    if (!waitForEnd(server)) return endServer(server);
    if (!server.hasFailed()) return;
    fmt::print(stderr, "supervise: server {} failed\n", server.pid());
    is_restart = true;
  } while (!endSignalWithin(kRestartPause));
}

}  // namespace

int supervise(const SuperviseOptions& options) {
  if (options.serve.port == 0 && options.serve.ready_file.empty()) {
    fmt::print(stderr, "supervise: serve needs --port or --ready-file to keep its port\n");
    return 2;
  }
  const sigset_t set = awaitedSignals();
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) throwErrno("sigprocmask");
  if (!options.serve.ready_file.empty()) std::filesystem::remove(options.serve.ready_file);
  // By its own name, not as /proc/self/exe: the kernel makes the last part of it the comm.
  runServers(options, options.program.empty()
                          ? std::filesystem::read_symlink("/proc/self/exe").string()
                          : options.program);
  std::filesystem::remove(options.pid_file);
  return 0;
}

}  // namespace fdmortem::demo
