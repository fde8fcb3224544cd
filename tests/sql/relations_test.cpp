// schema/views/relations.sql.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// `process epoll watched now`, a line a stale registration.
std::string staleIn(std::string_view drawing) {
  return Timeline(drawing).rows(
      "SELECT comm, fd, watched_fd, now FROM stale_watch ORDER BY 1, 2, 3");
}

TEST(StaleWatch, OfANumberThatIsClosed) {
  EXPECT_EQ(staleIn(R"(
    snapshots:                      R                       .
    process a:                      ok                      .
    fd a/9:                         anon_inode:[eventpoll]  .
    fd a/5:                         s500                    .
    epoll a/9 watched=3 inode=500:  on                      .
  )"),
            "a 9 3 -\n");
}

// What a keyframe or the first snapshot of another recording repeats was there before.
TEST(StaleWatch, AlsoWhereTheLastSnapshotRepeatsWhatIsThere) {
  for (const std::string last : {"K", "R"}) {
    EXPECT_EQ(staleIn("snapshots: R . . " + last + R"(
      process a:                      ok                      .   .   .
      fd a/9:                         anon_inode:[eventpoll]  .   .   .
      fd a/3:                         s500                    -   .   .
      fd a/5:                         s500                    .   .   .
      epoll a/9 watched=3 inode=500:  on                      .   .   .
    )"),
              "a 9 3 -\n")
        << last;
  }
}

TEST(StaleWatch, NotWhereTheNumberNamesTheFile) {
  EXPECT_EQ(staleIn(R"(
    snapshots:                      R                       .
    process a:                      ok                      .
    fd a/9:                         anon_inode:[eventpoll]  .
    fd a/3:                         s500                    .
    epoll a/9 watched=3 inode=500:  on                      .
  )"),
            "");
}

TEST(StaleWatch, NotWhatAForkedProcessInherited) {
  // 3 was opened and registered by `a` after the fork, 4 before it and closed by `b`.
  EXPECT_EQ(staleIn(R"(
    snapshots:                      R                       .
    process a pid=7:                ok                      .
    process b parent=7:             ok                      .
    fd a/9:                         anon_inode:[eventpoll]  .
    fd b/9:                         anon_inode:[eventpoll]  .
    fd a/3:                         s500                    .
    fd a/4:                         s501                    .
    epoll a/9 watched=3 inode=500:  on                      .
    epoll b/9 watched=3 inode=500:  on                      .
    epoll a/9 watched=4 inode=501:  on                      .
    epoll b/9 watched=4 inode=501:  on                      .
  )"),
            "");
}

TEST(StaleWatch, WhatIsStaleInTheParentIsToldOfItAlone) {
  EXPECT_EQ(staleIn(R"(
    snapshots:                      R                       .
    process a pid=7:                ok                      .
    process b pid=8 parent=7:       ok                      .
    process c parent=8:             ok                      .
    fd a/9:                         anon_inode:[eventpoll]  .
    fd b/9:                         anon_inode:[eventpoll]  .
    fd c/9:                         anon_inode:[eventpoll]  .
    fd b/3:                         s500                    .
    epoll a/9 watched=3 inode=500:  on                      .
    epoll b/9 watched=3 inode=500:  on                      .
    epoll c/9 watched=3 inode=500:  on                      .
  )"),
            "a 9 3 -\n");
}

TEST(StaleWatch, NotTheParentsButTheEpollThatAChildOpened) {
  EXPECT_EQ(staleIn(R"(
    snapshots:                      R                       .   .
    process a pid=7:                ok                      .   .
    process b parent=7:             ok                      .   .
    fd a/9:                         anon_inode:[eventpoll]  .   .
    fd b/9:                         _                       anon_inode:[eventpoll]  .
    fd a/3:                         s500                    .   .
    fd b/5:                         s500                    .   .
    epoll a/9 watched=3 inode=500:  on                      .   .
    epoll b/9 watched=3 inode=500:  _                       on  .
  )"),
            "b 9 3 -\n");
}

TEST(SocketHolder, IsToldByNumberAndTime) {
  Timeline timeline(R"(
    snapshots:  R     .     .     .
    process a:  ok    .     -     .
    process b:  ok    .     -     .
    process c:  _     .     =ok   .
    process d:  _     .     =ok   .
    fd a/3:     s500  .     .     .
    fd b/4:     s500  .     .     .
    fd c/3:     _     .     =s500 .
    fd d/4:     _     .     =s500 .
  )");
  EXPECT_EQ(timeline.rows("SELECT comm, fd, last_snapshot, holders FROM socket_holder ORDER BY 1"),
            "a 3 2 2\nb 4 2 2\nc 3 4 2\nd 4 4 2\n");
}

/// `port state count` of a listener's port, where the snapshots and the row of the listener are so.
std::string withoutFd(const std::string& snapshots, const std::string& listener,
                      const std::string& lines) {
  return Timeline("snapshots: " + snapshots + "\nprocess a: ok . . . .\nfd a/3: s500 . . . .\n" +
                  "tcp 500: " + listener + "\n" + lines)
      .rows("SELECT local_port, state, count FROM connection_without_fd ORDER BY 1, 2");
}

TEST(ConnectionWithoutFd, TimeWaitIsThatOfTheEnd) {
  const auto count = [](const std::string& snapshots, const std::string& cells) {
    return withoutFd(snapshots, "LISTEN . . . .", "timewait 9091: " + cells + "\n");
  };
  EXPECT_EQ(count("R . . . .", "_ 4 . . ."), "9091 TIME_WAIT 4\n");
  EXPECT_EQ(count("R . . . .", "_ 4 - . ."), "");
  EXPECT_EQ(count("R . . R .", "_ 4 . _ ."), "");
  EXPECT_EQ(count("R . . R .", "_ 4 . 3 ."), "9091 TIME_WAIT 3\n");
}

TEST(ConnectionWithoutFd, NoTimeWaitOfBeforeAGap) {
  const auto count = [](const std::string& cells) {
    return withoutFd("R . . . .", "LISTEN . _ +LISTEN .",
                     "read tcp: whole . none whole .\nread tcp6: whole . none whole .\n"
                     "timewait 9091: " +
                         cells + "\n");
  };
  EXPECT_EQ(count("_ 4 _ _ ."), "");
  EXPECT_EQ(count("_ 4 _ +5 ."), "9091 TIME_WAIT 5\n");
}

// Each namespace has an end of its own: its last reading.
TEST(WaitingConnection, AtTheEndIsTheLastReadingOfItsNamespace) {
  Timeline timeline(R"(
    snapshots:                                    R       .     .     .
    process a:                                    ok      .     -     .
    process b netns=2:                            ok      .     .     .
    fd a/3:                                       s500    .     _     .
    fd b/3:                                       s600    .     .     .
    tcp 500:                                      LISTEN  .     _     .
    tcp 600 netns=2:                              LISTEN  .     .     .
    tcp 0 remote=192.0.2.9:1:                     EST     .     _     .
    tcp 0 remote=192.0.2.9:2:                     EST     -     _     .
    tcp 0 netns=2 remote=192.0.2.9:3:             EST     .     .     .
    read tcp:                                     whole   .     none  .
    read tcp6:                                    whole   .     none  .
    read tcp netns=2:                             whole   .     .     .
    read tcp6 netns=2:                            whole   .     .     .
  )");
  EXPECT_EQ(timeline.rows("SELECT netns, remote, is_at_end FROM waiting_connection ORDER BY 2"),
            "4000 192.0.2.9:1 1\n4000 192.0.2.9:2 0\n4001 192.0.2.9:3 1\n");
}

// A socket of another namespace can have the same inode number.
TEST(CloseWait, WhatIsUnreadIsOfItsOwnNamespace) {
  EXPECT_EQ(Timeline(R"(
    snapshots:           R     .   .   .   .
    process a netns=2:   ok    .   .   .   .
    process b:           ok    .   .   .   .
    fd a/3:              s500  .   .   .   .
    tcp 500 netns=2:     CW    .   .   .   .
    tcp 500 local=192.0.2.7:1: EST . . . .
    queue 500:           700   .   .   .   .
    queue 500 netns=2:   1     .   .   .   .
  )")
                .rows("SELECT fd, unread FROM close_wait"),
            "3 1\n");
}

}  // namespace

}  // namespace fdmortem::test
