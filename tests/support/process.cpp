#include "tests/support/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace fdmortem::test {

namespace {

using std::chrono::milliseconds;

constexpr int kPipeSize = 1 << 20;
constexpr auto kPollInterval = milliseconds(5);

[[noreturn]] void throwErrno(const std::string& what, int error = errno) {
  throw std::system_error(error, std::system_category(), what);
}

int millisecondsUntil(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
}

std::vector<char*> pointersTo(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (std::string& string : strings)
    pointers.push_back(string.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environmentWith(
    const std::vector<std::pair<std::string, std::string>>& changes) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const bool is_changed = std::any_of(changes.begin(), changes.end(), [text](const auto& change) {
      return text.substr(0, text.find('=')) == change.first;
    });
    if (!is_changed) result.emplace_back(text);
  }
  for (const auto& [name, value] : changes)
    result.emplace_back(name).append("=").append(value);
  return result;
}

/// All that the child needs, made before fork(): after it, it must not allocate.
struct Execution {
  pid_t parent;
  const char* directory;  // null: stay
  char* const* argv;
  char* const* environment;
  std::array<int, 3> standard_fds;
  int report;
};

/// Only async-signal-safe calls from here on: another thread may have held any lock at the fork().
[[noreturn]] void becomeProgram(const Execution& execution) {
  const auto prepare = [&execution] {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
    if (::getppid() != execution.parent) ::_exit(127);  // it ended before the line above
    for (int target = 0; target < 3; ++target) {
      if (::dup2(execution.standard_fds[static_cast<size_t>(target)], target) < 0) return false;
    }
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return false;
    if (execution.directory != nullptr && ::chdir(execution.directory) != 0) return false;
    for (int number = 1; number < NSIG; ++number)
      ::signal(number, SIG_DFL);  // some cannot: fine
    sigset_t none;
    ::sigemptyset(&none);
    return ::sigprocmask(SIG_SETMASK, &none, nullptr) == 0;
  };
  if (prepare()) ::execvpe(execution.argv[0], execution.argv, execution.environment);
  const int error = errno;
  (void)!::write(execution.report, &error, sizeof error);
  ::_exit(127);
}

/// Throws when the child could not become the program. `report` ends without a word when it did.
void checkReport(int report, pid_t pid, const std::string& program) {
  int error = 0;
  ssize_t size = 0;
  do {
    size = ::read(report, &error, sizeof error);
  } while (size < 0 && errno == EINTR);
  if (size == 0) return;
  ::waitpid(pid, nullptr, 0);
  throwErrno(program, size == sizeof error ? error : EIO);
}

void setNonBlocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) throwErrno("fcntl");
}

}  // namespace

bool waitFor(const std::function<bool()>& condition, milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(kPollInterval);
  }
  return condition();
}

ChildProcess::Pipe ChildProcess::makePipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) throwErrno("pipe2");
  return {FileHandle(fds[0]), FileHandle(fds[1])};
}

ChildProcess::ChildProcess(std::vector<std::string> argv, const SpawnOptions& options) {
  if (argv.empty()) throw std::invalid_argument("no program");
  ::signal(SIGPIPE, SIG_IGN);
  Pipe input = makePipe();
  Pipe output = makePipe();
  Pipe errors = makePipe();
  Pipe report = makePipe();
  for (const Pipe* pipe : {&output, &errors}) {
    ::fcntl(pipe->writer.get(), F_SETPIPE_SZ, kPipeSize);  // it may be refused: then it is smaller
    setNonBlocking(pipe->reader.get());
  }
  setNonBlocking(input.writer.get());

  std::vector<std::string> environment = environmentWith(options.environment);
  const std::vector<char*> arguments = pointersTo(argv);
  const std::vector<char*> variables = pointersTo(environment);
  const Execution execution{
      .parent = ::getpid(),
      .directory = options.directory.empty() ? nullptr : options.directory.c_str(),
      .argv = arguments.data(),
      .environment = variables.data(),
      .standard_fds = {input.reader.get(), output.writer.get(), errors.writer.get()},
      .report = report.writer.get()};
  const pid_t pid = ::fork();
  if (pid < 0) throwErrno("fork");
  if (pid == 0) becomeProgram(execution);
  report.writer.reset();
  checkReport(report.reader.get(), pid, argv.front());

  pid_ = pid;
  process_ = FileHandle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process_.get() < 0) {
    const int error = errno;
    killAndReap();
    throwErrno("pidfd_open", error);
  }
  input_ = std::move(input.writer);
  output_.fd = std::move(output.reader);
  errors_.fd = std::move(errors.reader);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      status_(std::exchange(other.status_, std::nullopt)),
      process_(std::move(other.process_)),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this == &other) return *this;
  killAndReap();
  pid_ = std::exchange(other.pid_, -1);
  status_ = std::exchange(other.status_, std::nullopt);
  process_ = std::move(other.process_);
  input_ = std::move(other.input_);
  output_ = std::move(other.output_);
  errors_ = std::move(other.errors_);
  return *this;
}

ChildProcess::~ChildProcess() {
  killAndReap();
}

void ChildProcess::killAndReap() noexcept {
  if (pid_ <= 0 || status_) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool ChildProcess::write(std::string_view text, milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  while (!text.empty()) {
    const ssize_t size = ::write(input_.get(), text.data(), text.size());
    if (size > 0) {
      text.remove_prefix(static_cast<size_t>(size));
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return false;
    if (Clock::now() >= end) return false;
    pump(end, input_.get(), POLLOUT);
  }
  return true;
}

void ChildProcess::closeInput() {
  input_.reset();
}

std::optional<std::string> ChildProcess::readLine(milliseconds deadline) {
  return nextLine(output_, deadline);
}

std::optional<std::string> ChildProcess::readErrorLine(milliseconds deadline) {
  return nextLine(errors_, deadline);
}

bool ChildProcess::awaitErrorLine(std::string_view text, milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  while (const auto line = readErrorLine(std::chrono::ceil<milliseconds>(end - Clock::now()))) {
    if (line->find(text) != std::string::npos) return true;
  }
  return false;
}

std::optional<std::string> ChildProcess::nextLine(Stream& stream, milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  while (true) {
    const size_t newline = stream.text.find('\n');
    if (newline != std::string::npos) {
      std::string line = stream.text.substr(0, newline);
      stream.text.erase(0, newline + 1);
      return line;
    }
    if (stream.fd.get() < 0) {
      if (stream.text.empty()) return std::nullopt;
      return std::exchange(stream.text, {});
    }
    if (Clock::now() >= end) return std::nullopt;
    pump(end, -1, 0);  // its end is not waited for: a process that it started may write more
  }
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0 && !status_) ::kill(pid_, number);
}

std::optional<int> ChildProcess::wait(milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  while (!hasEnded()) {
    if (Clock::now() >= end) return std::nullopt;
    pump(end, process_.get(), POLLIN);
  }
  // Not to the end of the pipes: a process that it started may hold them open.
  output_.drain();
  errors_.drain();
  return status_;
}

bool ChildProcess::hasEnded() {
  if (status_ || pid_ <= 0) return true;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return true;
}

/// Waits until it has written something or `other_fd` is ready, and takes what it has written.
void ChildProcess::pump(Clock::time_point deadline, int other_fd, short events) {
  std::array<pollfd, 3> fds{
      {{output_.fd.get(), POLLIN, 0}, {errors_.fd.get(), POLLIN, 0}, {other_fd, events, 0}}};
  if (::poll(fds.data(), fds.size(), millisecondsUntil(deadline)) < 0 && errno != EINTR) {
    throwErrno("poll");
  }
  output_.drain();
  errors_.drain();
}

/// Takes what there is, without waiting. At the end of file the descriptor is closed.
void ChildProcess::Stream::drain() {
  std::array<char, 65'536> buffer{};
  while (fd.get() >= 0) {
    const ssize_t size = ::read(fd.get(), buffer.data(), buffer.size());
    if (size > 0) {
      text.append(buffer.data(), static_cast<size_t>(size));
    } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
      fd.reset();
    } else if (errno == EAGAIN) {
      return;
    }
  }
}

ProgramResult runProgram(std::vector<std::string> argv, std::string_view input,
                         milliseconds deadline, const SpawnOptions& options) {
  const std::string name = argv.empty() ? "" : argv.front();
  ChildProcess process(std::move(argv), options);
  process.write(input, deadline);  // a program may end without reading all of it
  process.closeInput();
  const auto status = process.wait(deadline);
  if (!status) throw std::runtime_error(name + " did not end in time");
  return {*status, process.takeOutput(), process.takeErrors()};
}

}  // namespace fdmortem::test
