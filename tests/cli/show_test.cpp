// fdanalyze show: what it prints is what the file under /proc held.
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/netns.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

/// An idle process, alone in its network namespace where one can be made.
void playIdle(Cue& cue) {
  if (!whyNoNetns()) enterNewNetns();
  // Other tests mount things meanwhile.
  if (unshare(CLONE_NEWNS) == 0) mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  const Socket listener = listenOn("127.0.0.1");
  const Socket client = connectTo(listener.local());
  const Socket server = listener.accept();
  server.send("unread");
  const Socket udp(AF_INET6, SOCK_DGRAM);
  const Socket local(AF_UNIX, SOCK_STREAM);
  bindUnix(local, "@fdmortem-show-test-" + std::to_string(getpid()));
  const int event = eventfd(3, EFD_CLOEXEC);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  for (const int fd : {event, listener.fd(), server.fd()}) {
    epoll_event watch{.events = EPOLLIN | EPOLLET, .data = {.u64 = 0xabcdef0000ULL + fd}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &watch);
  }
  timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  inotify_add_watch(inotify_init1(IN_CLOEXEC), "/", IN_CREATE);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  signalfd(-1, &signals, SFD_CLOEXEC);
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  lseek(file, 77, SEEK_SET);
  cue.tell("ready");
  cue.await();
}

class Show : public ::testing::Test {
 protected:
  Show() { actor.hear(); }

  std::string proc(const std::string& path) const {
    return "/proc/" + std::to_string(actor.pid()) + "/" + path;
  }
  std::string pathOf(const std::string& path) const {
    return std::to_string(actor.pid()) + "/" + path;
  }
  void record(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {
        "record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = runFdcapture(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
  }
  ProgramResult show(const std::string& path, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"show", database, "-s", "last", path};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runFdanalyze(arguments);
  }
  /// Why it is not shown.
  std::string reason(const std::string& path, const std::vector<std::string>& more = {}) const {
    const ProgramResult result = show(path, more);
    EXPECT_EQ(result.status, 1) << path;
    EXPECT_EQ(result.out, "") << path;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    return result.err;
  }
  void expectSame(const std::string& path) const {
    const ProgramResult result = show(pathOf(path));
    EXPECT_EQ(result.status, 0) << path << ": " << result.err;
    EXPECT_EQ(result.out, contentOf(proc(path))) << path;
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor{playIdle};
};

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(Show, FilesAreAsTheyWere) {
  record();
  for (const char* path : {"limits", "cgroup", "cmdline", "comm", "mountinfo"})
    expectSame(path);
  for (const char* link : {"exe", "ns/net", "ns/mnt"}) {
    EXPECT_EQ(show(pathOf(link)).out, std::filesystem::read_symlink(proc(link)).string()) << link;
  }
}

TEST_F(Show, TablesOfAnIdleNamespaceAreAsTheyWere) {
  if (const auto reason = whyNoNetns()) GTEST_SKIP() << *reason;
  const std::string netns = std::filesystem::read_symlink(proc("ns/net")).string();
  for (const std::string name : {"tcp", "tcp6", "udp", "udp6", "raw", "icmp", "unix", "packet"}) {
    if (!std::filesystem::exists(proc("net/" + name))) continue;
    // References and timers of a new connection can still change.
    std::string before, after;
    do {
      before = contentOf(proc("net/" + name));
      record();
      after = contentOf(proc("net/" + name));
    } while (before != after);
    EXPECT_EQ(show(pathOf("net/" + name)).out, after) << name;
    EXPECT_EQ(show(fmt::format("{}/{}", netns, name)).out, after) << name;
  }
}

TEST_F(Show, EachFdIsAsItWas) {
  record();
  std::map<int, std::string> links;
  for (const std::string& name : namesIn(proc("fd")))
    links[std::stoi(name)] = std::filesystem::read_symlink(proc("fd/" + name)).string();
  ASSERT_GT(links.size(), 12U);
  std::string list;
  for (const auto& [fd, link] : links) {
    list += std::to_string(fd) + " -> " + link + "\n";
    EXPECT_EQ(show(pathOf("fd/" + std::to_string(fd))).out, link);
    expectSame("fdinfo/" + std::to_string(fd));
  }
  EXPECT_EQ(show(pathOf("fd")).out, list);
}

TEST_F(Show, WithoutAPathItIsAList) {
  record();
  const ProgramResult list = runFdanalyze({"show", database, "-s", "first"});
  EXPECT_EQ(list.status, 0) << list.err;
  for (const std::string& path : {pathOf("limits"), pathOf("fd"), pathOf("stat"),
                                  std::string("/tcp\n"), std::string("  meminfo\n")}) {
    EXPECT_TRUE(mentions(list.out, path)) << path << "\n" << list.out;
  }
  // Each can be shown and is as long as it says.
  std::istringstream lines(list.out);
  size_t bytes = 0;
  for (std::string path; lines >> bytes >> path;)
    EXPECT_EQ(show(path).out.size(), bytes) << path;
}

TEST_F(Show, IntoAFile) {
  record();
  const std::string file = directory.file("limits.txt");
  EXPECT_EQ(show(pathOf("limits"), {"-o", file}).status, 0);
  EXPECT_EQ(contentOf(file), contentOf(proc("limits")));
  const std::string before = contentOf(database);
  EXPECT_EQ(show(pathOf("limits"), {"-o", database}).status, 2);
  EXPECT_TRUE(contentOf(database) == before);
  const std::string nowhere = directory.file("no/limits.txt");
  EXPECT_TRUE(reason(pathOf("limits"), {"-o", nowhere}).starts_with("fdanalyze: " + nowhere));
}

TEST_F(Show, WhatIsNotThereHasAReason) {
  record();
  EXPECT_TRUE(mentions(reason("1999999999/limits"), "there is no process 1999999999"));
  EXPECT_TRUE(mentions(reason(pathOf("fd/19999")), "had no such fd"));
  EXPECT_TRUE(mentions(reason(pathOf("fdinfo/x")), "had no such fd"));
  EXPECT_TRUE(mentions(reason(pathOf("environ")), "recorded without --environ"));
  EXPECT_TRUE(mentions(reason(pathOf("net/tcp"), {"--again"}), "not read again"));
  EXPECT_TRUE(mentions(reason(pathOf("maps")), "no such file is archived"));
  EXPECT_TRUE(mentions(reason("net:[1]/tcp"), "nobody was left"));
  EXPECT_EQ(runFdanalyze({"show", database, "-s", "99", pathOf("limits")}).status, 1);
  EXPECT_EQ(runFdanalyze({"show", database, "-s", "x", pathOf("limits")}).status, 2);
  EXPECT_EQ(runFdanalyze({"show", database, pathOf("limits")}).status, 2);
}

/// Spoils the page that a table of the archive begins with.
void spoilTable(const std::string& database, const std::string& table) {
  int64_t page = 0, page_size = 0;
  {
    SQLite::Database archive(database, SQLite::OPEN_READONLY);
    page_size = archive.execAndGet("PRAGMA page_size").getInt64();
    page = archive.execAndGet("SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'")
               .getInt64();
  }
  std::string content = contentOf(database);
  std::fill_n(content.begin() + (page - 1) * page_size, page_size, '\xff');
  writeFile(database, content);
}

TEST_F(Show, OfADamagedArchiveTheTextsThatCanBeRead) {
  record();
  const std::string limits = contentOf(proc("limits"));
  spoilTable(database, "netlink_change");
  EXPECT_TRUE(reason(pathOf("limits")).starts_with("fdanalyze: " + database + ": damaged: "));
  const ProgramResult saved = show(pathOf("limits"), {"--salvage"});
  EXPECT_EQ(saved.status, 3);
  EXPECT_EQ(saved.out, limits);
  EXPECT_TRUE(mentions(saved.err, "rows were not used")) << saved.err;
  const ProgramResult list = runFdanalyze({"show", database, "-s", "first", "--salvage"});
  EXPECT_EQ(list.status, 3);
  EXPECT_TRUE(mentions(list.out, pathOf("limits"))) << list.out;
  // That it is one of this process only its rows tell.
  EXPECT_TRUE(mentions(reason(pathOf("net/tcp"), {"--salvage"}), "by the names that it has there"));
}

TEST_F(Show, WithoutTheTableOfSnapshots) {
  record();
  spoilTable(database, "snapshot");
  EXPECT_EQ(show(pathOf("limits"), {"--salvage"}).out, contentOf(proc("limits")));
}

TEST_F(Show, OfADamagedArchiveWithoutTextsNothing) {
  record();
  spoilTable(database, "verbatim");
  EXPECT_TRUE(mentions(reason(pathOf("limits"), {"--salvage"}), "no text can be reached"));
}

TEST_F(Show, OfACutArchiveWhatIsThere) {
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "40",
                          "-i", "10ms"})
                .status,
            0);
  const std::string content = contentOf(database);
  writeFile(database, content.substr(0, content.size() - 8192));
  EXPECT_TRUE(mentions(reason(pathOf("limits")), database + ": cut: "));
  const ProgramResult saved =
      runFdanalyze({"show", database, "-s", "first", pathOf("limits"), "--salvage"});
  EXPECT_EQ(saved.status, 3);
  EXPECT_EQ(saved.out, contentOf(proc("limits")));
  EXPECT_TRUE(mentions(saved.err, fmt::format("the file is cut: {} of {} bytes are there",
                                              content.size() - 8192, content.size())))
      << saved.err;
}

// A short archive has its schema in the middle.
TEST_F(Show, OfACutArchiveWithoutItsTables) {
  record();
  const std::string content = contentOf(database);
  writeFile(database, content.substr(0, 4096));
  EXPECT_TRUE(
      mentions(reason(pathOf("limits"), {"--salvage"}),
               fmt::format("; the file is cut: 4096 of {} bytes are there", content.size())));
}

TEST_F(Show, WithoutTheTexts) {
  record({"--no-verbatim"});
  EXPECT_TRUE(mentions(reason(pathOf("limits")), "recorded with --no-verbatim"));
  EXPECT_TRUE(mentions(reason(pathOf("net/tcp")), "recorded with --no-verbatim"));
  // The rows have these.
  EXPECT_EQ(show(pathOf("comm")).out, contentOf(proc("comm")));
  const ProgramResult info = show(pathOf("fdinfo/0"));
  EXPECT_EQ(info.status, 3);
  EXPECT_EQ(info.out, contentOf(proc("fdinfo/0")));
  EXPECT_TRUE(mentions(info.err, "put together from the rows"));
}

TEST_F(Show, WhatIsRedacted) {
  record({"--redact", "addresses,paths"});
  for (const char* path : {"net/tcp", "net/unix", "mountinfo"})
    EXPECT_TRUE(mentions(reason(pathOf(path)), "redacted: ")) << path;
  const ProgramResult cgroup = show(pathOf("cgroup"));
  EXPECT_EQ(cgroup.status, 3);
  EXPECT_TRUE(mentions(cgroup.err, "pseudonyms"));
  EXPECT_EQ(runFdanalyze({"check", database}).status, 0);
}

TEST_F(Show, TheHeadThatWasPrintedIsInTheArchive) {
  const ProgramResult recorded = runFdcapture(
      {"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "3", "-i", "10ms"});
  const size_t place = recorded.err.find("head ");
  ASSERT_NE(place, std::string::npos) << recorded.err;
  const std::string head = recorded.err.substr(place + 5, 64);
  const Json result = analyze({"check", database, "--head", head});
  EXPECT_EQ(result.at("head"), head);
  EXPECT_TRUE(mentions(result.at("known_head"), "the last one"));
  record();
  EXPECT_TRUE(
      mentions(analyze({"check", database, "--head", head}).at("known_head"), "came after it"));
  const ProgramResult other = runFdanalyze({"check", database, "--head", std::string(64, '0')});
  EXPECT_EQ(other.status, 1);
  EXPECT_TRUE(mentions(other.out, "the head given is none of its values"));
  EXPECT_EQ(runFdanalyze({"check", database, "--head", "abc"}).status, 2);
  EXPECT_EQ(
      analyze({"report", database}).at("databases").at(0).at("head").get<std::string>().size(),
      64U);
}

/// Copies of an archive, cut and redacted, have what they should.
TEST_F(Show, CopiesHold) {
  record();
  record();
  record();
  const auto copy = [&](const std::string& name, std::vector<std::string> more) {
    std::vector<std::string> arguments = {"copy", database, directory.file(name)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult copied = runFdcapture(arguments);
    EXPECT_EQ(copied.status, 0) << copied.err;
    const ProgramResult checked = runFdanalyze({"check", directory.file(name)});
    EXPECT_EQ(checked.status, 0) << name << checked.out;
  };
  const std::string second =
      queryValue(database, "SELECT taken_at FROM snapshot WHERE id = 2").get<std::string>();
  copy("whole.db", {});
  copy("from.db", {"--from", second});
  copy("to.db", {"--to", second});
  copy("redacted.db", {"--redact", "addresses,paths,cmdline"});
}

}  // namespace
}  // namespace fdmortem::test
