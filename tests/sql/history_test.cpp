// schema/views/history.sql.
#include <string>

#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// The events of process a's fd, all its episodes: `snapshot kind: event`.
std::string historyOf(std::string_view drawing, int fd = 3, const std::string& more = "") {
  return Timeline(drawing).rows(
      "SELECT snapshot, kind || ':', event FROM fd_event WHERE comm = 'a' AND fd = " +
      std::to_string(fd) + more + " ORDER BY id, snapshot, place, event");
}

TEST(History, AFileFromOpeningToClosing) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R   .     .   .
    process a:  ok  .     .   .
    fd a/3:     _   /x    .   -
  )"),
            "2 opened: opened: /x\n"
            "4 closed: closed; last seen in snapshot 3\n");
}

TEST(History, WhatWasThereAndStays) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R   .  K  .
    process a:  ok  .  .  .
    fd a/3:     ?   .  .  .
  )"),
            "1 present: there when first looked at: a file whose link could not be read\n"
            "4 open: open when last looked at\n");
}

TEST(History, EachFileOfANumber) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R   .    .
    process a:  ok  .    .
    fd a/3:     p8  +p9  .
  )"),
            "1 present: there when first looked at: pipe:[8]\n"
            "2 closed: closed; last seen in snapshot 1\n"
            "2 opened: opened: pipe:[9]\n"
            "3 open: open when last looked at\n");
}

TEST(History, AFileThatIsRenamed) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R   .              K  .
    process a:  ok  .              .  .
    fd a/3:     /x  /x_(deleted)   .  .
  )",
                      3, " AND kind = 'renamed'"),
            "2 renamed: /x is now named /x_(deleted)\n");
}

TEST(History, AProcessThatEndsTakesItsFdsWithIt) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R   .  .
    process a:  ok  .  -
    fd a/3:     p8  .  .
  )"),
            "1 present: there when first looked at: pipe:[8]\n"
            "3 process-ended: closed, for the process has ended; last seen in snapshot 2\n");
}

TEST(History, AConnectionAndItsEnd) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R   .     .    .   .
    process a:  ok  .     .    .   .
    fd a/3:     _   s500  .    .   -
    tcp 500:    _   EST   CW   -   .
  )"),
            "2 opened: opened: socket:[500] TCP\n"
            "2 listed: listed in tcp: 192.0.2.1:9091 -> 198.51.100.7:40000 ESTABLISHED\n"
            "3 state: state ESTABLISHED became CLOSE_WAIT\n"
            "4 unlisted: no TCP table lists its connection any more; the last that did was in "
            "snapshot 3\n"
            "4 outlived: outlived its connection (proof: single)\n"
            "5 closed: closed; last seen in snapshot 4\n");
}

TEST(History, AnFdThatLeaks) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R     .  .  .  .  .
    process a:  ok    .  .  .  .  .
    fd a/3:     s500  .  .  .  .  .
    tcp 500:    EST   -  .  .  .  .
  )",
                      3, " AND kind IN ('outlived', 'leak')"),
            "2 outlived: outlived its connection (proof: history)\n"
            "6 leak: outlived for longer than 30 s: a leak\n");
}

TEST(History, AListener) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R       .    .   .
    process a:  ok      .    .   .
    fd a/3:     s500    .    .   .
    tcp 500:    LISTEN  .    .   -
    queue 500:  _       2    9   -
  )"),
            "1 present: there when first looked at: socket:[500] TCP\n"
            "1 listed: listed in tcp: 192.0.2.1:9091 LISTEN\n"
            "2 queue: first: 2 connections wait to be accepted\n"
            "3 queue: most: 9 connections wait to be accepted\n"
            "4 unlisted: no TCP table lists it any more\n"
            "4 open: open when last looked at\n");
}

TEST(History, QueuesThatFlickerAreToldTwice) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R     .  .  .  .  .
    process a:  ok    .  .  .  .  .
    fd a/3:     s500  .  .  .  .  .
    tcp 500:    EST   .  .  .  .  .
    queue 500:  _     5  0  8  3  8
  )",
                      3, " AND kind = 'queue'"),
            "2 queue: first: 5 bytes that the program has not read\n"
            "4 queue: most: 8 bytes that the program has not read\n");
}

TEST(History, AFinIsNoByteThatIsUnread) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R     .   .
    process a:  ok    .   .
    fd a/3:     s500  .   .
    fd a/4:     s600  .   .
    tcp 500:    EST   CW  .
    tcp 600:    CW    .   .
    queue 500:  5     6   .
    queue 600:  1     .   .
  )",
                      3, " AND kind = 'queue'"),
            "1 queue: most: 5 bytes that the program has not read\n");
}

TEST(History, AQueueThatWasFullestAtFirst) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R     .
    process a:  ok    .
    fd a/3:     s500  .
    tcp 500:    EST   .
    queue 500:  5     3
  )",
                      3, " AND kind = 'queue'"),
            "1 queue: most: 5 bytes that the program has not read\n");
}

TEST(History, WhatTheKernelSays) {
  const std::string dead = historyOf(R"(
    snapshots:                R     .     K  .
    process a:                ok    .     .  .
    fd a/3:                   s500  .     .  .
    autopsy a/3 inode=500:    _     dead  .  .
  )",
                                     3, " AND kind NOT IN ('present', 'open')");
  EXPECT_EQ(dead,
            "1 unlisted: in no TCP table\n"
            "2 autopsy: the kernel says: CLOSE, it was connected 192.0.2.1:9091 -> "
            "198.51.100.7:40000, received 80 bytes and had 70 acknowledged; data last moved at "
            "2026-01-01T00:00:09.000Z\n"
            "2 outlived: outlived its connection (proof: autopsy)\n");
  EXPECT_EQ(
      historyOf(R"(
    snapshots:                R        .      .
    process a:                ok       .      .
    fd a/3:                   s500     .      .
    autopsy a/3 inode=500:    refused  never  .
  )",
                3, " AND kind = 'autopsy'"),
      "1 autopsy: the kernel says: CLOSE, it tried to connect to 198.51.100.7:40000 and never "
      "was connected\n"
      "2 autopsy: the kernel says: CLOSE, it has no peer\n");
}

TEST(History, ASocketThatIsListedAgain) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R     .  .     .
    process a:  ok    .  .     .
    fd a/3:     s500  .  .     .
    tcp 500:    EST   -  EST   .
  )",
                      3, " AND kind LIKE '%listed%'"),
            "1 listed: listed in tcp: 192.0.2.1:9091 -> 198.51.100.7:40000 ESTABLISHED\n"
            "2 unlisted: no TCP table lists its connection any more; the last that did was in "
            "snapshot 1\n"
            "3 listed-again: again listed in tcp: 192.0.2.1:9091 -> 198.51.100.7:40000 "
            "ESTABLISHED\n");
}

TEST(History, EpollsThatWatchIt) {
  EXPECT_EQ(historyOf(R"(
    snapshots:                         R     .   K  .  .
    process a:                         ok    .   .  .  .
    fd a/3:                            s500  .   .  .  .
    fd a/9:                            anon_inode:[eventpoll]  .  .  .  .
    epoll a/9 watched=3 inode=500:     _     on  .  -  .
    epoll a/9 watched=3 inode=600:     on    .   .  .  .
  )",
                      3, " AND kind LIKE '%watched'"),
            "2 watched: watched by epoll fd 9\n"
            "4 unwatched: not watched by epoll fd 9 any more\n");
}

TEST(History, WhoElseHoldsTheSocket) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R     .     .  .
    process a:  ok    .     .  .
    process b:  ok    .     .  -
    fd a/3:     s500  .     .  .
    fd a/4:     _     s500  -  .
    fd b/3:     _     =s500 .  .
  )",
                      3, " AND kind LIKE '%shared'"),
            "2 shared: 2 other fds hold it, one of them: fd 4 of pid 100 (a) holds it too\n"
            "3 unshared: fd 4 of pid 100 (a) holds it no more (1 other still does)\n"
            "4 unshared: fd 3 of pid 101 (b) holds it no more\n");
}

TEST(History, GapsAreToldAndEndNothing) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R      .       .     .
    process a:  ok     .       fail  ok
    fd a/3:     s500   .       .     .
    tcp 500:    EST    .       .     .
    read tcp:   whole  failed  .     whole
    read tcp6:  whole  part    whole  .
  )",
                      3, " AND kind NOT IN ('present', 'listed')"),
            "2 gap: tcp was not read, up to snapshot 3\n"
            "2 gap: tcp6 was read in part only, up to snapshot 2\n"
            "3 gap: the fds of the process were not read up to snapshot 3\n"
            "4 open: open when last looked at\n");
}

TEST(History, FromOneRecordingToTheNext) {
  EXPECT_EQ(historyOf(R"(
    snapshots:  R   .  R  .
    process a:  ok  .  .  .
    fd a/3:     p8  .  .  .
  )",
                      3, " AND kind LIKE 'recording%'"),
            "2 recording-ended: recording 1 ended: its end is not recorded\n"
            "3 recording-started: recording 2 started\n");
}

TEST(History, AnInodeThatNoRecordedFdHolds) {
  Timeline timeline(R"(
    snapshots:  R     .    .  .
    process a:  ok    .    .  .
    fd a/3:     s500  .    .  .
    tcp 500:    EST   .    .  .
    tcp 600:    EST   CW   -  .
    tcp 700:    EST   .    .  .
  )");
  EXPECT_EQ(timeline.rows("SELECT inode, snapshot, kind || ':', event FROM inode_event"
                          " ORDER BY inode, snapshot, place"),
            "600 1 listed: listed in tcp: 192.0.2.1:9091 -> 198.51.100.7:40000 ESTABLISHED; no "
            "recorded fd holds it\n"
            "600 2 state: state ESTABLISHED became CLOSE_WAIT\n"
            "600 3 unlisted: tcp lists it no more\n"
            "700 1 listed: listed in tcp: 192.0.2.1:9091 -> 198.51.100.7:40000 ESTABLISHED; no "
            "recorded fd holds it\n");
  EXPECT_EQ(
      timeline.rows("SELECT DISTINCT first_seen, last_seen FROM inode_event WHERE inode = 600"),
      "2026-01-01T00:00:00.000Z 2026-01-01T00:00:10.000Z\n");
}

// Another socket of the same number at the same time has a history of its own.
TEST(History, WhatTheKernelSaysIsOfTheFdThatWasAsked) {
  EXPECT_EQ(historyOf(R"(
    snapshots:                                     R     .     .
    process a:                                     ok    .     .
    process b netns=2:                             ok    .     .
    fd a/3:                                        s500  .     .
    fd b/3:                                        s500  .     .
    autopsy a/3 inode=500 asked_at=1:              dead  .     .
    autopsy b/3 inode=500 remote=192.0.2.9:1 asked_at=2: _ dead  .
  )",
                      3, " AND kind = 'autopsy'"),
            "1 autopsy: the kernel says: CLOSE, it was connected 192.0.2.1:9091 -> "
            "198.51.100.7:40000, received 80 bytes and had 70 acknowledged; data last moved at "
            "2026-01-01T00:00:00.000Z\n");
}

TEST(History, HowManyOthersHoldASocket) {
  EXPECT_EQ(historyOf(R"(
    snapshots:   R     .     .     .     .
    process a:   ok    .     .     .     .
    process b pid=50: ok .   .     .     .
    fd a/3:      s500  .     .     .     .
    fd b/4:      s500  .     .     -     .
    fd b/5:      s500  .     .     -     .
    fd b/6:      _     s500  .     .     -
    fd b/7:      _     _     s500  .     .
    fd b/8:      _     _     s500  .     .
  )",
                      3, " AND kind LIKE '%shared'"),
            "1 shared: 2 other fds hold it, one of them: fd 4 of pid 50 (b) holds it too\n"
            "2 shared: fd 6 of pid 50 (b) holds it too (3 others in all)\n"
            "3 shared: 2 more fds hold it (5 others in all), one of them: fd 7 of pid 50 (b) holds "
            "it too\n"
            "4 unshared: 2 other fds hold it no more (3 others still do), one of them: fd 4 of pid "
            "50 (b) holds it no more\n"
            "5 unshared: fd 6 of pid 50 (b) holds it no more (2 others still do)\n");
}

}  // namespace

}  // namespace fdmortem::test
