// fdcapture.service: what it allows is enough, and no more than that.
#include <grp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iterator>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/netns.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

constexpr uid_t kNobody = 65534;
constexpr uid_t kServiceUser = 61234;  // of those that systemd's DynamicUser= takes

const std::string kUnitFile = std::string(FDMORTEM_CAPTURE_FOLDER) + "/fdcapture.service";

/// The words that a setting has in each of its lines, in their order.
std::vector<std::vector<std::string>> settings(const std::string& file, const std::string& key) {
  std::vector<std::vector<std::string>> result;
  std::istringstream text(contentOf(file));
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with(key + "=")) continue;
    std::istringstream value(line.substr(key.size() + 1));
    auto& words = result.emplace_back();
    for (std::string word; value >> word;)
      words.push_back(word);
  }
  return result;
}

bool canRun(const std::string& program) {
  return runProgram({"sh", "-c", "command -v " + program}).status == 0;
}

/// A copy of the unit that starts the program where it was built.
std::string unitForHere(const TemporaryDirectory& directory) {
  std::string text = contentOf(kUnitFile);
  const std::string command = "ExecStart=fdcapture ";
  const size_t start = text.find(command);
  if (start == std::string::npos) throw std::runtime_error("no ExecStart");
  text.replace(start, command.size(), std::string("ExecStart=") + FDCAPTURE_PATH + " ");
  std::string file = directory.file("fdcapture.service");
  writeFile(file, text);
  return file;
}

TEST(ServiceTest, SystemdFindsNothingWrong) {
  if (!canRun("systemd-analyze")) GTEST_SKIP() << "needs systemd-analyze";
  const TemporaryDirectory directory;
  const ProgramResult result =
      runProgram({"systemd-analyze", "verify", "--man=no", unitForHere(directory)});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.out + result.err, "");
}

// 12: 1.2 of 10, where 10 is wide open.
TEST(ServiceTest, IsLittleExposed) {
  if (!canRun("systemd-analyze")) GTEST_SKIP() << "needs systemd-analyze";
  const ProgramResult result = runProgram(
      {"systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=12", kUnitFile});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
}

TEST(ServiceTest, TheExampleOptionsAreOnes) {
  const TemporaryDirectory directory;
  const std::string text = contentOf(std::string(FDMORTEM_CAPTURE_FOLDER) + "/fdcapture.env");
  const std::regex line("FDCAPTURE_OPTIONS=\"([^\"\n]*)\"");
  int count = 0;
  for (std::sregex_iterator match(text.begin(), text.end(), line), end; match != end; ++match) {
    // A proc file system that is not there: status 1, where a wrong option is 2.
    const std::string command = std::string(FDCAPTURE_PATH) + " record -o " +
                                directory.file("f.db") + " --proc-root /nowhere " +
                                (*match)[1].str();
    const ProgramResult result = runProgram({"sh", "-c", command});
    EXPECT_EQ(result.status, 1) << command << '\n' << result.err;
    ++count;
  }
  EXPECT_GE(count, 3);
}

/// A server of another user, in a namespace of its own if that can be made, with all that there is
/// to know about fds: files, pipes, an epoll, connections alive and dead.
void playServer(Cue& cue) {
  if (!whyNoNetns()) enterNewNetns();
  const Socket listener = listenOn("127.0.0.1");
  std::vector<Socket> peers = connectTimes(listener.local(), 4);
  const std::vector<Socket> accepted = acceptTimes(listener, 4);
  for (const Socket& socket : accepted)
    socket.send("hello");
  const FileHandle epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = accepted[0].fd()}};
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, accepted[0].fd(), &event) != 0) {
    throw std::runtime_error("epoll_ctl");
  }
  for (size_t i = 1; i < peers.size(); ++i) {
    peers[i].reset();
    pollfd ended{accepted[i].fd(), 0, 0};  // POLLERR and POLLHUP need not be asked for
    if (::poll(&ended, 1, static_cast<int>(kDeadline.count())) != 1)
      throw std::runtime_error("no reset");
  }
  // Like a daemon that gave up being root: its files in /proc belong to root.
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) {
    throw std::runtime_error("setuid");
  }
  cue.tell("ready");
  cue.await();
}

/// fdcapture as the user and with the capabilities of the service.
class ServiceRights : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give up its rights";
    std::filesystem::copy_file(FDCAPTURE_PATH, directory.file("fdcapture"));
    ::chmod(directory.path().c_str(), 0777);
    server.emplace(playServer);
    server->hear();
  }

  static std::vector<std::string> capabilities() {
    const auto lines = settings(kUnitFile, "CapabilityBoundingSet");
    EXPECT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines, settings(kUnitFile, "AmbientCapabilities"));
    return lines.at(0);
  }

  /// What starts a program as the service would.
  static std::vector<std::string> launcher(const std::vector<std::string>& capabilities) {
    std::string set = "-all";
    for (std::string name : capabilities) {  // CAP_SYS_PTRACE is sys_ptrace to setpriv
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      set += ",+" + name.substr(std::string("cap_").size());
    }
    const std::string user = std::to_string(kServiceUser);
    return {"setpriv",
            "--reuid",
            user,
            "--regid",
            user,
            "--clear-groups",
            "--no-new-privs",
            "--bounding-set=" + set,
            "--inh-caps=" + set,
            "--ambient-caps=" + set};
  }

  ProgramResult record(std::vector<std::string> argv, const std::vector<std::string>& more) const {
    argv.insert(argv.end(), {directory.file("fdcapture"), "record", "-o", database, "-q", "-n", "2",
                             "-i", "10ms"});
    argv.insert(argv.end(), more.begin(), more.end());
    return runProgram(argv);
  }
  ProgramResult recordWith(const std::vector<std::string>& capabilities) const {
    return record(launcher(capabilities), {"-p", std::to_string(server->pid())});
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  std::optional<Actor> server;
};

TEST_F(ServiceRights, AreEnough) {
  const ProgramResult result = recordWith(capabilities());
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const Json report = analyze({"report", database});
  EXPECT_EQ(report.at("coverage").at("unreadable"), Json::array());
  const Json process = processOf(report, server->pid());
  EXPECT_FALSE(process.at("exe").is_null());
  EXPECT_EQ(process.at("verdicts"), Json({{"connected", 2}, {"listening", 1}, {"outlived", 3}}));
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM fd_span WHERE flags IS NULL"), 0)
      << "fdinfo";
  EXPECT_EQ(process.at("kinds").at("char-device"), 3) << "its standard streams";
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM epoll_watch_span"), 1);
  EXPECT_GT(queryValue(database, "SELECT count(*) FROM net_table_change WHERE status = 1"), 4);
  for (const Json& row : analyze({"outlived", database})) {
    EXPECT_EQ(row.at("proof"), "autopsy");
    EXPECT_FALSE(row.at("bytes_acked").is_null());
    EXPECT_FALSE(row.at("remote").is_null());
    EXPECT_FALSE(row.at("last_data_at").is_null());
  }
}

TEST_F(ServiceRights, AreNeeded) {
  const auto all = capabilities();
  for (const std::string& one : all) {
    std::vector<std::string> others;
    std::copy_if(all.begin(), all.end(), std::back_inserter(others),
                 [&](const std::string& name) { return name != one; });
    const ProgramResult result = recordWith(others);
    EXPECT_EQ(result.status, 3) << one << " is not";
    EXPECT_NE(result.err.find("Permission denied"), std::string::npos) << one << result.err;
  }
}

using Names = std::set<std::string>;

/// The system calls that a word of SystemCallFilter= stands for: its own, or those of a group.
Names systemCallsOf(const std::string& word) {
  if (!word.starts_with('@')) return {word};
  const ProgramResult result = runProgram({"systemd-analyze", "syscall-filter", word});
  if (result.status != 0) throw std::runtime_error(word + ": " + result.err);
  Names names;
  std::istringstream text(result.out);
  std::string line;
  std::getline(text, line);  // the group itself
  while (std::getline(text, line)) {
    std::istringstream entry(line);
    std::string name;
    if (entry >> name && name != "#") names.merge(systemCallsOf(name));
  }
  return names;
}

/// What the service may call. Later lines take from or add to the first: systemd.exec(5).
Names allowedSystemCalls() {
  Names allowed = systemCallsOf("@default");
  for (auto words : settings(kUnitFile, "SystemCallFilter")) {
    const bool takes_away = words.at(0).starts_with('~');
    if (takes_away) words[0].erase(0, 1);
    for (const std::string& word : words) {
      Names names = systemCallsOf(word);
      if (!takes_away) allowed.merge(names);
      if (takes_away) std::erase_if(allowed, [&](auto& name) { return names.contains(name); });
    }
  }
  return allowed;
}

/// What is tried, and done without where it is refused. An old strace has no name for getxattrat.
const Names kSpared = {"getxattrat", "pipe2", "socket", "syscall_0x1d0"};

TEST_F(ServiceRights, WithoutSocketsAndPipesOfItsOwnTheLinksAreRead) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizers make calls of their own";
#endif
  if (runProgram({"strace", "-qq", "true"}).status != 0) GTEST_SKIP() << "needs strace";
  auto argv = launcher(capabilities());
  argv.insert(argv.end(),
              {"strace", "-qq", "-o", directory.file("trace"), "-e",
               "trace=socket,pipe2,readlinkat", "-e", "inject=socket,pipe2:error=EPERM"});
  const ProgramResult result = record(argv, {"-p", std::to_string(server->pid())});
  EXPECT_EQ(result.status, 0) << result.err;
  const std::string trace = contentOf(directory.file("trace"));
  EXPECT_NE(trace.find("EPERM"), std::string::npos);
  const std::regex first_look("readlinkat\\([0-9]+, \"[0-9]+\", \"socket:");
  EXPECT_TRUE(std::regex_search(trace, first_look));
}

TEST_F(ServiceRights, TheFilterHasEverySystemCall) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizers make calls of their own";
#endif
  if (!canRun("systemd-analyze") || runProgram({"strace", "-qq", "true"}).status != 0) {
    GTEST_SKIP() << "needs systemd-analyze and strace";
  }
  const std::string trace = directory.file("trace");
  auto argv = launcher(capabilities());
  // The service has this priority from the start.
  argv.insert(argv.end(),
              {"nice", "-n", "10", "ionice", "-c", "2", "-n", "7", "strace", "-qq", "-o", trace});
  Names called;
  for (int run = 0; run < 2; ++run) {  // a new archive, and an old one
    const ProgramResult result = record(argv, {"--all"});
    EXPECT_TRUE(result.status == 0 || result.status == 3) << result.err;
    const std::string text = contentOf(trace);
    const std::regex call("(?:^|\n)([a-z_0-9]+)\\(");
    for (std::sregex_iterator match(text.begin(), text.end(), call), end; match != end; ++match)
      called.insert((*match)[1]);
  }
  EXPECT_TRUE(called.contains("pidfd_getfd")) << Json(called);
  const Names allowed = allowedSystemCalls();
  for (const std::string& name : called)
    EXPECT_TRUE(allowed.contains(name) || kSpared.contains(name)) << name;
  EXPECT_FALSE(allowed.contains("ptrace")) << "nobody's memory is looked into";
  EXPECT_FALSE(allowed.contains("socket"));
}

}  // namespace
}  // namespace fdmortem::test
