// How fds, epolls and connections hang together.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/netns.h"
#include "tests/support/pair.h"
#include "tests/support/recording.h"
#include "tests/support/scene.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

TEST(Relations, AnEpollThatWatchesWhatItsNumberIsNot) {
  const Scene scene([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    const FileHandle epoll(epoll_create1(EPOLL_CLOEXEC));
    std::array<int, 2> pipe_fds{};
    if (pipe2(pipe_fds.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    epoll_event event{.events = EPOLLIN, .data = {.fd = pipe_fds[0]}};
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, pipe_fds[0], &event);
    const FileHandle copy(fcntl(pipe_fds[0], F_DUPFD_CLOEXEC, 100));
    close(pipe_fds[0]);
    const Socket in_its_place(AF_INET, SOCK_DGRAM);
    cue.tell({{"watched", pipe_fds[0]}, {"now", in_its_place.fd()}});
    cue.await();
  });
  ASSERT_EQ(scene.told().at("watched"), scene.told().at("now"));
  const Json stale = query(scene.database(), "SELECT watched_fd, now FROM stale_watch");
  ASSERT_EQ(stale.size(), 1U);
  EXPECT_EQ(stale[0].at("watched_fd"), scene.told().at("watched"));
  EXPECT_TRUE(stale[0].at("now").get<std::string>().starts_with("socket:["));
  EXPECT_FALSE(findingOf(scene.report(), "stale-epoll").is_null());
}

TEST(Relations, ADeadSocketThatTwoFdsHold) {
  const Scene scene([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    Pair pair = makePair(listener, "127.0.0.1");
    const FileHandle copy(fcntl(pair.subject.fd(), F_DUPFD_CLOEXEC, 100));
    endByReset(pair);
    cue.tell({pair.subject.fd(), copy.get()});
    cue.await();
  });
  const Json holders = query(scene.database(), "SELECT fd, holders FROM socket_holder ORDER BY fd");
  EXPECT_EQ(valuesOf(holders, "fd"), scene.told());
  EXPECT_EQ(valuesOf(holders, "holders"), Json({2, 2}));
  EXPECT_EQ(queryValue(scene.database(), "SELECT count(*) FROM autopsy"), 1) << "one socket";
  EXPECT_EQ(analyze({"outlived", scene.database()}).size(), 2U);
  EXPECT_FALSE(findingOf(scene.report(), "shared-sockets").is_null());
}

TEST(Relations, WhatChildrenKeepOpenIsToldOfTheProcessThatTheyComeFrom) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    Pair pair = makePair(listener, "127.0.0.1");
    std::vector<pid_t> children;
    for (int i = 0; i < 2; ++i) {
      children.push_back(fork());
      if (children.back() != 0) continue;
      close(pair.peer.fd());
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      while (getppid() != 1)
        pause();
      _exit(0);
    }
    cue.tell(children);
    cue.await();
    { const Socket closed = std::move(pair.subject); }
    pair.peer.reset();
    cue.tell("closed");
    cue.await();
  });
  const auto children = actor.hear().get<std::vector<pid_t>>();
  Recording recording(directory.file("f.db"), selectPids({actor.pid(), children[0], children[1]}));
  recording.awaitSnapshots();
  actor.ask();
  recording.awaitSnapshots(3);
  EXPECT_EQ(recording.stop(), 0);
  const Json report = analyze({"report", recording.file()});
  for (const pid_t child : children)
    EXPECT_EQ(rowsWhere(report.at("findings"), "pid", child), Json::array());
  const Json finding = findingOf(report, "inherited-sockets");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding.at("pid"), actor.pid());
  EXPECT_EQ(valuesOf(query(recording.file(), finding.at("evidence").at(0).at("query")), "pid"),
            Json({std::min(children[0], children[1]), std::max(children[0], children[1])}));
  EXPECT_EQ(finding.at("also").size(), 2U);
  // Of a child alone it is told as its own.
  const Json alone = analyze({"report", recording.file(), "--pid", std::to_string(children[0])});
  EXPECT_FALSE(findingOf(alone, "outlived-connections").is_null());
}

TEST(Relations, AConnectionThatNobodyHasAccepted) {
  if (const auto reason = whyNoNetns()) GTEST_SKIP() << *reason;
  const Scene scene([](Cue& cue) {
    enterNewNetns();  // elsewhere the port may have been another's, and still have TIME_WAIT
    const Socket listener = listenOn("127.0.0.1");
    const Socket waiting = connectTo(listener.local());
    cue.tell(listener.local().port());
    cue.await();
  });
  const Json rows = scene.report().at("connections_without_fd");
  ASSERT_EQ(rows.size(), 1U) << rows;
  EXPECT_EQ(rows[0].at("local_port"), scene.told());
  EXPECT_EQ(rows[0].at("state"), "ESTABLISHED");
  EXPECT_EQ(rows[0].at("holder"), "nobody");
  EXPECT_EQ(rows[0].at("count"), 1);
}

void watch(const FileHandle& epoll, int fd) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll_ctl");
}

/// A process with an epoll that it shares with the child that it tells the pid of. It registers one
/// socket before the fork, which the child closes, and one after it.
void playForker(Cue& cue) {
  const FileHandle epoll(epoll_create1(EPOLL_CLOEXEC));
  const Socket before(AF_INET, SOCK_DGRAM);
  watch(epoll, before.fd());
  std::array<int, 2> ready{};
  if (pipe2(ready.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    close(before.fd());
    if (write(ready[1], "x", 1) != 1) _exit(1);
    for (;;)
      pause();
  }
  char byte = 0;
  if (child < 0 || read(ready[0], &byte, 1) != 1) throw std::runtime_error("fork");
  const Socket after(AF_INET, SOCK_DGRAM);
  watch(epoll, after.fd());
  cue.tell(child);
  cue.await();
}

TEST(Relations, AnEpollThatAForkedProcessInherited) {
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor(playForker);
  const auto child = actor.hear().get<pid_t>();
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-p",
                          std::to_string(child), "-n", "2", "-i", "20ms"})
                .status,
            0);
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM epoll_watch_span"), 4) << "two, in both";
  EXPECT_EQ(query(database, "SELECT * FROM stale_watch"), Json::array());
  EXPECT_TRUE(findingOf(analyze({"report", database}), "stale-epoll").is_null());
}

/// As above, but the parent closes what it registered and the child still has: the classic mistake.
void playCloser(Cue& cue) {
  const FileHandle epoll(epoll_create1(EPOLL_CLOEXEC));
  Socket shared(AF_INET, SOCK_DGRAM);
  watch(epoll, shared.fd());
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    for (;;)
      pause();
  }
  if (child < 0) throw std::runtime_error("fork");
  const int number = shared.fd();
  shared.close();
  cue.tell({{"child", child}, {"number", number}});
  cue.await();
}

TEST(Relations, AnEpollWhoseProcessClosedWhatItsChildStillHas) {
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor(playCloser);
  const Json told = actor.hear();
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-p",
                          told.at("child").dump(), "-n", "2", "-i", "20ms"})
                .status,
            0);
  const Json stale = query(database, "SELECT pid, watched_fd FROM stale_watch");
  ASSERT_EQ(stale.size(), 1U) << stale;
  EXPECT_EQ(stale[0].at("pid"), actor.pid());
  EXPECT_EQ(stale[0].at("watched_fd"), told.at("number"));
}

}  // namespace
}  // namespace fdmortem::test
