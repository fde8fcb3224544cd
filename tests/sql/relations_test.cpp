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

}  // namespace

}  // namespace fdmortem::test
