// schema/views/socket.sql: the rows of `fdanalyze sockets` and `outlived`.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

std::string socketOf(Timeline& timeline, const std::string& columns) {
  return timeline.rows("SELECT " + columns + " FROM sockets ORDER BY process, fd, first_snapshot");
}

constexpr std::string_view kOutlived = R"(
  snapshots:  R     .    .   .  .  .
  process a:  ok    .    .   .  .  .
  fd a/3:     s500  .    .   .  .  .
  tcp 500:    SYN   EST  CW  -  .  .
)";

TEST(Sockets, WhatAnOutlivedOneWas) {
  Timeline timeline(kOutlived);
  EXPECT_EQ(socketOf(timeline,
                     "pid, start_ticks, comm, fd, inode, netns, protocol, verdict, proof, local, "
                     "remote, last_state"),
            "100 1 a 3 500 4000 TCP outlived history 192.0.2.1:9091 198.51.100.7:40000 "
            "CLOSE_WAIT\n");
}

TEST(Sockets, TheTimesOfAnOutlivedOne) {
  Timeline timeline(kOutlived);
  EXPECT_EQ(socketOf(timeline, "fd_first_seen, fd_last_seen"),
            "2026-01-01T00:00:00.000Z 2026-01-01T00:00:50.000Z\n");
  EXPECT_EQ(socketOf(timeline, "connection_first_seen, connection_last_seen"),
            "2026-01-01T00:00:00.000Z 2026-01-01T00:00:20.000Z\n");
  EXPECT_EQ(socketOf(timeline, "outlived_since, outlived_seconds, open_at_end"),
            "2026-01-01T00:00:30.000Z 20.0 1\n");
}

TEST(Sockets, WhatIsNotToldIsNull) {
  Timeline timeline(kOutlived);
  EXPECT_EQ(socketOf(timeline, "last_data_at, bytes_received, bytes_acked, watched_by"),
            "- - - []\n");
}

TEST(Sockets, AConnectedOne) {
  Timeline timeline(R"(
    snapshots:  R     .  .
    process a:  ok    .  .
    fd a/3:     s500  .  .
    tcp 500:    EST   .  .
  )");
  EXPECT_EQ(
      socketOf(timeline, "verdict, proof, last_state, outlived_since, outlived_seconds, leak"),
      "connected - ESTABLISHED - - 0\n");
  EXPECT_EQ(socketOf(timeline, "connection_first_seen, connection_last_seen"),
            "2026-01-01T00:00:00.000Z 2026-01-01T00:00:20.000Z\n");
}

TEST(Sockets, AListeningOneHasNoPeerAndNoConnection) {
  Timeline timeline(R"(
    snapshots:  R       .
    process a:  ok      .
    fd a/3:     s500    .
    tcp 500:    LISTEN  .
  )");
  EXPECT_EQ(socketOf(timeline,
                     "verdict, local, remote, last_state, connection_first_seen, "
                     "connection_last_seen, local_port"),
            "listening 192.0.2.1:9091 - LISTEN - - 9091\n");
}

TEST(Sockets, AClosingOne) {
  for (const std::string state : {"FW1", "FW2", "CLOSING", "LA"}) {
    Timeline timeline("snapshots: R\nprocess a: ok\nfd a/3: s500\ntcp 500: " + state);
    EXPECT_EQ(socketOf(timeline, "verdict"), "closing\n") << state;
  }
}

TEST(Sockets, OneThatWasNeverListed) {
  Timeline timeline(R"(
    snapshots:             R     .
    process a:             ok    .
    fd a/3 protocol=TCPv6: s500  .
  )");
  EXPECT_EQ(socketOf(timeline, "verdict, protocol, local, remote, last_state, netns"),
            "unlisted TCPv6 - - - 4000\n");
}

TEST(Sockets, OneThatWasClosedHasTheVerdictOfItsEnd) {
  Timeline timeline(R"(
    snapshots:  R     .  .  .
    process a:  ok    .  .  .
    fd a/3:     s500  .  .  -
    tcp 500:    EST   .  -  .
  )");
  EXPECT_EQ(socketOf(timeline, "verdict, proof, open_at_end, fd_last_seen, outlived_seconds, leak"),
            "outlived single 0 2026-01-01T00:00:20.000Z 0.0 0\n");
}

TEST(Sockets, OneThatItsProcessHadUntilItEndedIsOpenAtTheEnd) {
  Timeline timeline(R"(
    snapshots:  R     .  .
    process a:  ok    .  -
    fd a/3:     s500  .  .
  )");
  EXPECT_EQ(socketOf(timeline, "open_at_end"), "1\n");
}

TEST(Sockets, TheNameOfAUnixSocketIsItsLocalAddress) {
  Timeline timeline(R"(
    snapshots:                    R     .
    process a:                    ok    .
    fd a/3 protocol=UNIX-STREAM:  s500  .
    unix 500 path=/run/x:         on    .
  )");
  EXPECT_EQ(socketOf(timeline, "verdict, protocol, local, remote"), "other UNIX-STREAM /run/x -\n");
}

TEST(Sockets, TheAddressesOfAnUdpSocket) {
  Timeline timeline(R"(
    snapshots:            R     .
    process a:            ok    .
    fd a/3 protocol=UDP:  s500  .
    udp 500:              EST   .
  )");
  EXPECT_EQ(socketOf(timeline, "verdict, protocol, local, remote"),
            "other UDP 192.0.2.1:9091 198.51.100.7:40000\n");
}

TEST(Sockets, ATableTellsTheProtocolThatTheKernelDidNot) {
  Timeline timeline(R"(
    snapshots:             R     .
    process a:             ok    .
    fd a/3 protocol=none:  s500  .
    fd a/4 protocol=none:  s501  .
    fd a/5 protocol=none:  s502  .
    fd a/6 protocol=none:  s503  .
    tcp6 500:              EST   .
    udp6 501:              EST   .
    unix 502:              on    .
    netlink 503:           on    .
  )");
  EXPECT_EQ(socketOf(timeline, "fd, protocol, verdict"),
            "3 TCPv6 connected\n4 UDPv6 other\n5 UNIX-STREAM other\n6 NETLINK other\n");
}

TEST(Sockets, TheNamespaceThatListsItComesBeforeItsProcessesOwn) {
  Timeline timeline(R"(
    snapshots:          R     .
    process a:          ok    .
    process b netns=2:  ok    .
    fd a/3:             s500  .
    tcp 500 netns=2:    EST   .
  )");
  EXPECT_EQ(socketOf(timeline, "netns, verdict"), "4001 connected\n");
}

TEST(Sockets, ItsOwnNamespaceComesFirst) {
  Timeline timeline(R"(
    snapshots:                                 R     .
    process a:                                 ok    .
    process b netns=2:                         ok    .
    fd a/3:                                    s500  .
    tcp 500 netns=2 remote=203.0.113.5:1:      EST   .
    tcp 500 netns=1 remote=198.51.100.9:9:     CW    .
  )");
  EXPECT_EQ(socketOf(timeline, "netns, verdict, remote"), "4000 peer-closed 198.51.100.9:9\n");
}

TEST(Outlived, IsALeakAfterTheGracePeriod) {
  constexpr std::string_view kDrawing = R"(
    snapshots:  R     .  .  .
    process a:  ok    .  .  .
    fd a/3:     s500  .  .  .
    tcp 500:    EST   -  .  .
  )";
  EXPECT_EQ(Timeline(kDrawing, 19'999).rows("SELECT outlived_seconds, leak FROM outlived"),
            "20.0 1\n");
  EXPECT_EQ(Timeline(kDrawing, 20'000).rows("SELECT outlived_seconds, leak FROM outlived"),
            "20.0 0\n");
}

TEST(Outlived, LastsByTheBootClock) {
  Timeline timeline(R"(
    snapshots:  R     .     .     .
    wall:       1000  1010  400   410
    boottime:   0     10    20    80
    process a:  ok    .     .     .
    fd a/3:     s500  .     .     .
    tcp 500:    EST   .     -     .
  )");
  EXPECT_EQ(timeline.rows("SELECT outlived_seconds, leak, fd_last_seen FROM outlived"),
            "60.0 1 2026-01-01T00:06:50.000Z\n");
}

TEST(Outlived, LastsFromTheFirstSight) {
  // In the third snapshot the tables could not be read: from the fourth on it is certain.
  Timeline timeline(R"(
    snapshots:  R      .  .       .      .
    process a:  ok     .  .       .      .
    fd a/3:     s500   .  .       .      .
    tcp 500:    EST    .  -       .      .
    read tcp:   whole  .  failed  whole  .
  )");
  EXPECT_EQ(timeline.rows("SELECT outlived_since, outlived_seconds, proof FROM outlived"),
            "2026-01-01T00:00:30.000Z 10.0 history\n");
}

TEST(Outlived, LeavesOutWhatHasAConnectionAtItsEnd) {
  Timeline timeline(R"(
    snapshots:                          R     .  .  .    .
    process a:                          ok    .  .  .    .
    fd a/3:                             s500  .  .  .    .
    tcp 500:                            EST   -  .  .    .
    tcp 500 remote=203.0.113.5:1:       _     .  .  EST  .
  )");
  EXPECT_EQ(timeline.verdicts("a", 3), "1-1 connected, 2-3 outlived history, 4-5 connected");
  EXPECT_EQ(timeline.rows("SELECT count(*) FROM outlived"), "0\n");
}

TEST(EpollWatchSpan, FromAddingToTakingOut) {
  Timeline timeline(R"(
    snapshots:                         R                       .   .  .
    process a:                         ok                      .   .  .
    fd a/3:                            s500                    .   .  .
    fd a/9:                            anon_inode:[eventpoll]  .   .  .
    epoll a/9 watched=3 inode=500:     _                       on  .  -
  )");
  EXPECT_EQ(timeline.rows("SELECT fd, watched_fd, inode, first_snapshot, last_snapshot "
                          "FROM epoll_watch_span"),
            "9 3 500 2 3\n");
  EXPECT_EQ(socketOf(timeline, "fd, watched_by"), "3 []\n");
}

TEST(EpollWatchSpan, EndsWithTheEpoll) {
  Timeline timeline(R"(
    snapshots:                      R                       .  .
    process a:                      ok                      .  .
    fd a/3:                         s500                    .  .
    fd a/9:                         anon_inode:[eventpoll]  .  -
    epoll a/9 watched=3 inode=500:  on                      .  .
  )");
  EXPECT_EQ(timeline.rows("SELECT first_snapshot, last_snapshot FROM epoll_watch_span"), "1 2\n");
}

TEST(EpollWatchSpan, EndsWithTheRecordingAfterWhichItIsNotListed) {
  Timeline timeline(R"(
    snapshots:                      R                       .  R  .
    process a:                      ok                      .  .  .
    fd a/3:                         s500                    .  .  .
    fd a/9:                         anon_inode:[eventpoll]  .  .  .
    epoll a/9 watched=3 inode=500:  on                      .  -  .
  )");
  EXPECT_EQ(socketOf(timeline, "fd, watched_by"), "3 []\n");
}

TEST(Sockets, AreWatchedByEpollsThatNameTheirInode) {
  Timeline timeline(R"(
    snapshots:                       R                       .
    process a:                       ok                      .
    fd a/3:                          s500                    .
    fd a/4:                          s501                    .
    fd a/8:                          anon_inode:[eventpoll]  .
    fd a/9:                          anon_inode:[eventpoll]  .
    epoll a/9 watched=3 inode=500:   on                      .
    epoll a/8 watched=70 inode=500:  on                      .
    epoll a/8 watched=4 inode=999:   on                      .
  )");
  EXPECT_EQ(socketOf(timeline, "fd, watched_by"), "3 [8,9]\n4 []\n");
}

}  // namespace

}  // namespace fdmortem::test
