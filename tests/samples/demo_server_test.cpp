#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

using std::chrono::milliseconds;

constexpr const char* kProgram = FDMORTEM_DEMO_PATH;
constexpr std::string_view kCloseWait = "08";
constexpr std::string_view kEstablished = "01";

std::string firstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

pid_t pidIn(const std::string& path) {
  const std::string line = firstLine(path);
  pid_t pid = 0;
  std::from_chars(line.data(), line.data() + line.size(), pid);
  return pid;
}

/// It may be a zombie for as long as nobody reaps it.
bool isGone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  if (!std::getline(file, stat)) return true;
  const size_t end_of_name = stat.rfind(") ");
  return end_of_name == std::string::npos || stat.at(end_of_name + 2) == 'Z';
}

size_t fdCount(pid_t pid) {
  const std::filesystem::directory_iterator list("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<size_t>(std::distance(begin(list), end(list)));
}

std::set<std::string> socketInodes(pid_t pid) {
  constexpr std::string_view kPrefix = "socket:[";
  std::set<std::string> inodes;
  std::error_code closed_meanwhile;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    const std::string link = std::filesystem::read_symlink(entry, closed_meanwhile).string();
    if (!link.starts_with(kPrefix)) continue;
    inodes.insert(link.substr(kPrefix.size(), link.size() - kPrefix.size() - 1));
  }
  return inodes;
}

struct TcpRow {
  std::string local;
  std::string remote;
  std::string state;
  std::string inode;
};

std::vector<TcpRow> tcpRows(const std::string& table) {
  std::ifstream file("/proc/net/" + table);
  std::vector<TcpRow> rows;
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    std::istringstream words(line);
    const std::vector<std::string> word{std::istream_iterator<std::string>(words), {}};
    if (word.size() >= 10) rows.push_back({word[1], word[2], word[3], word[9]});
  }
  return rows;
}

// The kernel prints a table in pieces. While other connections come and go, a row may be in two of
// them or in none: rows are counted once each, and what the tests want to be so is waited for.

/// How many of the process's sockets have a row with this state.
size_t countInState(pid_t pid, std::string_view state, const std::string& table = "tcp") {
  const auto inodes = socketInodes(pid);
  std::set<std::string> found;
  for (const TcpRow& row : tcpRows(table)) {
    if (row.state == state && inodes.contains(row.inode)) found.insert(row.inode);
  }
  return found.size();
}

/// How many of the process's sockets are in no TCP table.
size_t countWithoutRow(pid_t pid) {
  auto inodes = socketInodes(pid);
  for (const char* table : {"tcp", "tcp6"}) {
    for (const TcpRow& row : tcpRows(table))
      inodes.erase(row.inode);
  }
  return inodes.size();
}

/// A server that is ready.
class Server {
 public:
  explicit Server(const std::vector<std::string>& options) : process_(commandLine(options)) {
    constexpr std::string_view kPrefix = "listening on ";
    const auto line = process_.readLine();
    if (!line || !line->starts_with(kPrefix)) {
      throw std::runtime_error("no server: " + process_.takeErrors());
    }
    address_ = line->substr(kPrefix.size());
  }

  ChildProcess& process() { return process_; }
  pid_t pid() const { return process_.pid(); }
  const std::string& address() const { return address_; }
  std::string port() const { return address_.substr(address_.rfind(':') + 1); }

 private:
  static std::vector<std::string> commandLine(const std::vector<std::string>& options) {
    std::vector<std::string> argv = {kProgram, "serve"};
    argv.insert(argv.end(), options.begin(), options.end());
    return argv;
  }

  ChildProcess process_;
  std::string address_;
};

/// A load that does what it is told.
class Clients {
 public:
  explicit Clients(const std::string& address, const std::string& timeout = "20s")
      : process_({kProgram, "load", "--connect", address, "--step", "--timeout", timeout}) {}

  /// Its answer to one command.
  std::string tell(const std::string& command) {
    process_.write(command + '\n');
    return process_.readLine().value_or("no answer");
  }
  ChildProcess& process() { return process_; }

 private:
  ChildProcess process_;
};

ProgramResult runLoad(const Server& server, const std::vector<std::string>& options) {
  std::vector<std::string> argv = {kProgram, "load", "--connect", server.address()};
  argv.insert(argv.end(), options.begin(), options.end());
  return runProgram(argv);
}

TEST(DemoServer, TellsItsAddressAndEndsOnSigterm) {
  const TemporaryDirectory directory;
  const std::string ready_file = directory.file("ready");
  Server server({"--behaviour", "healthy", "--ready-file", ready_file});
  EXPECT_TRUE(server.address().starts_with("127.0.0.1:"));
  EXPECT_EQ(firstLine(ready_file), server.address());
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait(), 0);
}

TEST(DemoServer, HealthyClosesWhatWasClosedOrReset) {
  Server server({"--behaviour", "healthy"});
  const size_t before = fdCount(server.pid());
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open 8"), "done");
  EXPECT_EQ(fdCount(server.pid()), before + 8);
  EXPECT_EQ(clients.tell("close 4"), "done");
  EXPECT_EQ(clients.tell("reset 4"), "done");
  EXPECT_TRUE(waitFor([&] { return fdCount(server.pid()) == before; }));
}

TEST(DemoServer, LeakResetKeepsFdsWithoutConnection) {
  Server server({"--behaviour", "leak-reset"});
  const size_t before = fdCount(server.pid());
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open 9"), "done");
  EXPECT_EQ(clients.tell("reset 5"), "done");
  EXPECT_EQ(clients.tell("close 3"), "done");
  EXPECT_TRUE(waitFor(
      [&] { return fdCount(server.pid()) == before + 6 && countWithoutRow(server.pid()) == 5; }));
  EXPECT_TRUE(waitFor([&] { return countInState(server.pid(), kEstablished) == 1; }));
  EXPECT_EQ(countInState(server.pid(), kCloseWait), 0U);
  // It still serves, and the leaked fds stay.
  EXPECT_EQ(clients.tell("open 2"), "done");
  EXPECT_EQ(fdCount(server.pid()), before + 8);
  EXPECT_TRUE(waitFor([&] { return countWithoutRow(server.pid()) == 5; }));
  for (int i = 0; i < 5; ++i) {
    const std::string line = server.process().readErrorLine().value_or("");
    EXPECT_TRUE(line.ends_with(": Connection reset by peer")) << line;
  }
}

TEST(DemoServer, LeakCloseWaitKeepsWhatThePeerClosed) {
  Server server({"--behaviour", "leak-close-wait"});
  const size_t before = fdCount(server.pid());
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open 7"), "done");
  EXPECT_EQ(clients.tell("close 4"), "done");
  EXPECT_EQ(clients.tell("reset 2"), "done");
  EXPECT_TRUE(waitFor([&] {
    return fdCount(server.pid()) == before + 5 && countInState(server.pid(), kCloseWait) == 4;
  }));
  EXPECT_TRUE(waitFor([&] { return countWithoutRow(server.pid()) == 0; }));
}

TEST(DemoServer, DualStackListenerHasMappedPeers) {
  Server server({"--behaviour", "healthy", "--bind", "::"});
  EXPECT_EQ(server.address(), "[::]:" + server.port());
  Clients clients("127.0.0.1:" + server.port());
  EXPECT_EQ(clients.tell("open 3"), "done");
  const auto inodes = socketInodes(server.pid());
  EXPECT_TRUE(waitFor([&] { return countInState(server.pid(), kEstablished, "tcp6") == 3; }));
  for (const TcpRow& row : tcpRows("tcp6")) {
    if (row.state != kEstablished || !inodes.contains(row.inode)) continue;
    EXPECT_TRUE(row.remote.starts_with("0000000000000000FFFF0000")) << row.remote;
  }
}

TEST(DemoServer, ServesIpv6) {
  Server server({"--behaviour", "healthy", "--bind", "::1"});
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open 2"), "done");
  EXPECT_TRUE(waitFor([&] { return countInState(server.pid(), kEstablished, "tcp6") == 2; }));
}

TEST(DemoServer, GoesOnWithoutFreeFds) {
  Server server({"--behaviour", "healthy", "--max-fds", "32"});
  const size_t free_count = 32 - fdCount(server.pid());
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open " + std::to_string(free_count)), "done");
  EXPECT_EQ(fdCount(server.pid()), 32U);
  // One more has to wait until there is a free fd.
  Clients late(server.address());
  late.process().write("open 1\n");
  EXPECT_EQ(server.process().readErrorLine(), "accept4: too many open files");
  EXPECT_EQ(clients.tell("close 1"), "done");
  EXPECT_EQ(late.process().readLine(), "done");
}

TEST(DemoServer, FailsAfterAsManyConnectionsAsItWasTold) {
  Server server({"--behaviour", "healthy", "--fail-after", "3"});
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open 2"), "done");
  EXPECT_EQ(clients.tell("open 1"), "done failed=1");
  EXPECT_EQ(server.process().wait(), 70);
}

TEST(DemoServer, RejectsWrongCommandLines) {
  EXPECT_NE(runProgram({kProgram, "serve"}).status, 0);
  EXPECT_NE(runProgram({kProgram, "serve", "--behaviour", "healthy", "--bind", "name"}).status, 0);
  EXPECT_NE(runProgram({kProgram, "load", "--connect", "::1:80", "--step"}).status, 0);
  EXPECT_NE(runProgram({kProgram, "load", "--connect", "127.0.0.1:80"}).status, 0);
  EXPECT_NE(runProgram({kProgram, "supervise", "--pid-file", "unused", "--", "load"}).status, 0);
}

/// A supervisor and its first server.
class DemoSupervisor : public ::testing::Test {
 protected:
  ChildProcess start(const std::vector<std::string>& more) {
    std::vector<std::string> argv = {kProgram,       "supervise", "--pid-file",  pid_file,
                                     "--",           "serve",     "--behaviour", "healthy",
                                     "--ready-file", ready_file};
    argv.insert(argv.end(), more.begin(), more.end());
    ChildProcess process(argv);
    const auto line = process.readLine();  // the server's own, on the stdout of the supervisor
    EXPECT_EQ(line, "listening on " + firstLine(ready_file));
    return process;
  }
  pid_t serverPid() const { return pidIn(pid_file); }

  const TemporaryDirectory directory;
  const std::string pid_file = directory.file("pid");
  const std::string ready_file = directory.file("ready");
};

TEST_F(DemoSupervisor, StartsTheServerAgainOnTheSamePort) {
  ChildProcess supervisor = start({"--fail-after", "2"});
  const pid_t first_pid = serverPid();
  const std::string address = firstLine(ready_file);
  Clients clients(address);
  EXPECT_EQ(clients.tell("open 1"), "done");
  EXPECT_EQ(clients.tell("open 1"), "done failed=1");
  EXPECT_EQ(supervisor.readLine(), "listening on " + address);
  EXPECT_NE(serverPid(), first_pid);
  EXPECT_TRUE(isGone(first_pid));
  EXPECT_EQ(clients.tell("open 1"), "done");
  EXPECT_EQ(supervisor.readErrorLine(),
            "supervise: server " + std::to_string(first_pid) + " failed");
}

TEST_F(DemoSupervisor, StartsAKilledServerAgain) {
  ChildProcess supervisor = start({});
  const pid_t first_pid = serverPid();
  ::kill(first_pid, SIGKILL);
  EXPECT_TRUE(supervisor.readLine().has_value());
  EXPECT_NE(serverPid(), first_pid);
}

TEST_F(DemoSupervisor, StartsAnotherProgram) {
  const std::string program = directory.file("other-server");
  std::filesystem::copy(kProgram, program);
  ChildProcess supervisor({kProgram, "supervise", "--program", program, "--pid-file", pid_file,
                           "--", "serve", "--behaviour", "healthy", "--ready-file", ready_file});
  EXPECT_TRUE(supervisor.readLine().has_value());
  EXPECT_EQ(firstLine("/proc/" + std::to_string(serverPid()) + "/comm"), "other-server");
}

TEST_F(DemoSupervisor, EndsItsServerAndItself) {
  ChildProcess supervisor = start({});
  const pid_t server_pid = serverPid();
  supervisor.signal(SIGTERM);
  EXPECT_EQ(supervisor.wait(), 0);
  EXPECT_TRUE(isGone(server_pid));
  EXPECT_FALSE(std::filesystem::exists(pid_file));
}

TEST_F(DemoSupervisor, LeavesNoServerBehindWhenItIsKilled) {
  ChildProcess supervisor = start({});
  const pid_t server_pid = serverPid();
  supervisor.signal(SIGKILL);
  EXPECT_EQ(supervisor.wait(), -SIGKILL);
  EXPECT_TRUE(waitFor([&] { return isGone(server_pid); }));
}

TEST(DemoLoad, AnswersWrongCommandsAndEnds) {
  Server server({"--behaviour", "healthy"});
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open 2"), "done");
  EXPECT_EQ(clients.tell("close 3"), "error: only 2 open");
  EXPECT_EQ(clients.tell("open many"), "error: not a command");
  EXPECT_EQ(clients.tell("open 15000"), "error: too many connections");
  EXPECT_EQ(clients.tell("quit"), "connections opened=2 answered=2 failed=0");
  EXPECT_EQ(clients.process().wait(), 0);
}

TEST(DemoLoad, EndsTheOldestFirst) {
  Server server({"--behaviour", "leak-reset"});
  Clients clients(server.address());
  EXPECT_EQ(clients.tell("open 2"), "done");
  const auto oldest = socketInodes(server.pid());
  EXPECT_EQ(clients.tell("open 2"), "done");
  EXPECT_EQ(clients.tell("close 2"), "done");
  EXPECT_TRUE(waitFor([&] {
    const auto left = socketInodes(server.pid());
    return left.size() == 3 && std::count_if(left.begin(), left.end(), [&](const auto& inode) {
                                 return oldest.contains(inode);
                               }) == 1;  // the listener
  }));
}

TEST(DemoLoad, CountsConnectionsThatCannotBeOpened) {
  Server server({"--behaviour", "healthy"});
  Clients clients(server.address());
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait(), 0);
  EXPECT_EQ(clients.tell("open 3"), "done failed=3");
  EXPECT_EQ(clients.tell("quit"), "connections opened=0 answered=0 failed=3");
}

TEST(DemoLoad, ChurnAndHalfCloseLeaveNothing) {
  Server server({"--behaviour", "leak-reset"});
  const size_t before = fdCount(server.pid());
  for (const char* mode : {"churn", "half-close"}) {
    const auto result =
        runLoad(server, {"--mode", mode, "--connections", "100", "--requests", "3"});
    EXPECT_EQ(result.out, "connections opened=100 answered=100 failed=0\n") << mode;
    EXPECT_EQ(result.status, 0) << mode;
    EXPECT_TRUE(waitFor([&] { return fdCount(server.pid()) == before; })) << mode;
  }
}

TEST(DemoLoad, EndOfTimeResetsNothing) {
  Server server({"--behaviour", "leak-reset"});
  const size_t before = fdCount(server.pid());
  EXPECT_EQ(runLoad(server, {"--mode", "churn", "--duration", "100ms"}).status, 0);
  EXPECT_TRUE(waitFor([&] { return fdCount(server.pid()) == before; }));
  EXPECT_EQ(server.process().takeErrors(), "");
}

TEST(DemoLoad, ResetIsSeenAsReset) {
  Server server({"--behaviour", "leak-reset"});
  const auto result = runLoad(server, {"--mode", "reset", "--connections", "20", "--rate", "1000"});
  EXPECT_EQ(result.out, "connections opened=20 answered=20 failed=0\n");
  EXPECT_TRUE(waitFor([&] { return countWithoutRow(server.pid()) == 20; }));
}

TEST(DemoLoad, HoldsAConnectionBeforeItsEnd) {
  Server server({"--behaviour", "healthy"});
  const size_t before = fdCount(server.pid());
  ChildProcess load({kProgram, "load", "--connect", server.address(), "--mode", "reset",
                     "--connections", "5", "--hold", "2s"});
  EXPECT_TRUE(waitFor([&] { return fdCount(server.pid()) == before + 5; }));
  EXPECT_EQ(countInState(server.pid(), kEstablished), 5U);
  EXPECT_EQ(load.wait(), 0);
  EXPECT_TRUE(waitFor([&] { return fdCount(server.pid()) == before; }));
  EXPECT_TRUE(
      server.process().readErrorLine().value_or("").ends_with(": Connection reset by peer"));
}

TEST(DemoLoad, ConnectsFromTheSourceAddress) {
  Server server({"--behaviour", "healthy"});
  ChildProcess load({kProgram, "load", "--connect", server.address(), "--mode", "keep",
                     "--connections", "3", "--source", "127.0.0.22"});
  EXPECT_TRUE(waitFor([&] { return countInState(server.pid(), kEstablished) == 3; }));
  const auto inodes = socketInodes(server.pid());
  for (const TcpRow& row : tcpRows("tcp")) {
    if (row.state != kEstablished || !inodes.contains(row.inode)) continue;
    EXPECT_TRUE(row.remote.starts_with("1600007F:")) << row.remote;
  }
}

/// Answers one connection's requests, each with one of `answers`.
ProgramResult pushTo(const std::vector<std::string>& answers) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener, generic, size), 0);
  EXPECT_EQ(::listen(listener, 1), 0);
  EXPECT_EQ(::getsockname(listener, generic, &size), 0);
  ChildProcess load({kProgram, "load", "--connect",
                     "127.0.0.1:" + std::to_string(ntohs(address.sin_port)), "--mode", "churn",
                     "--connections", "1", "--requests", std::to_string(answers.size()),
                     "--http-push", "/metrics/job/demo"});
  const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  for (const std::string& answer : answers) {
    std::string request(4096, '\0');
    request.resize(static_cast<size_t>(
        std::max<ssize_t>(::recv(connection, request.data(), request.size(), 0), 0)));
    EXPECT_TRUE(request.starts_with("PUT /metrics/job/demo HTTP/1.1\r\nHost: ")) << request;
    EXPECT_EQ(::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(answer.size()));
  }
  ProgramResult result;
  result.status = load.wait().value_or(-1);
  result.out = load.takeOutput();
  ::close(connection);
  ::close(listener);
  return result;
}

TEST(DemoLoad, PushesOverHttp) {
  const std::string accepted = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(pushTo({accepted, accepted, accepted}).out,
            "connections opened=1 answered=1 failed=0\n");
  EXPECT_EQ(pushTo({accepted, "HTTP/1.1 400 Bad Request\r\nContent-Length: 1\r\n\r\n?"}).out,
            "connections opened=1 answered=0 failed=1\n");
}

TEST(DemoLoad, KeepHoldsItsConnections) {
  Server server({"--behaviour", "healthy"});
  const size_t before = fdCount(server.pid());
  ChildProcess load({kProgram, "load", "--connect", server.address(), "--mode", "keep",
                     "--connections", "12", "--rate", "500", "--duration", "1h"});
  EXPECT_TRUE(waitFor([&] { return fdCount(server.pid()) == before + 12; }));
  load.signal(SIGTERM);
  EXPECT_EQ(load.wait(), 0);
  EXPECT_TRUE(load.takeOutput().starts_with("connections opened=12 "));
  EXPECT_TRUE(waitFor([&] { return fdCount(server.pid()) == before; }));
}

TEST(DemoLoad, KeepsToItsRate) {
  Server server({"--behaviour", "healthy"});
  const auto start = std::chrono::steady_clock::now();
  const auto result = runLoad(server, {"--mode", "churn", "--connections", "11", "--rate", "50"});
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(200));
  EXPECT_EQ(result.out, "connections opened=11 answered=11 failed=0\n");
}

}  // namespace
}  // namespace fdmortem::test
