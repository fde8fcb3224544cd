// schema/views/listings.sql.
#include <string>

#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

std::string diffOf(std::string_view drawing, int a, int b) {
  return Timeline(drawing).rows(
      "SELECT change, fd, before, after FROM diff WHERE snapshot_a = " + std::to_string(a) +
      " AND snapshot_b = " + std::to_string(b) + " ORDER BY pid, fd");
}

TEST(Snapshots, CountWhatWasReadInThem) {
  Timeline timeline(R"(
    snapshots:       R   .   .     .
    process a:       ok  .   .     .
    process b:       _   ok  fail  -
    fd a/3:          p8  .   .     .
    fd a/4:          p9  .   -     .
    fd b/1:          _   p7  .     .
    failure 9/fd:    .   .   2     .
    failure 8/fd:    .   .   1     .
  )");
  EXPECT_EQ(timeline.rows("SELECT recording, snapshot, taken_at, processes, fds, failures "
                          "FROM snapshots ORDER BY snapshot"),
            "1 1 2026-01-01T00:00:00.000Z 1 2 0\n"
            "1 2 2026-01-01T00:00:10.000Z 2 3 0\n"
            "1 3 2026-01-01T00:00:20.000Z 2 1 3\n"
            "1 4 2026-01-01T00:00:30.000Z 1 1 0\n");
}

TEST(Snapshots, FdsThatCouldNotBeReadAreNoZero) {
  Timeline timeline(R"(
    snapshots:  R     .
    process a:  fail  .
  )");
  EXPECT_EQ(timeline.rows("SELECT processes, fds FROM snapshots ORDER BY snapshot"), "1 -\n1 -\n");
}

TEST(Snapshots, NumbersRunOnThroughRecordings) {
  Timeline timeline(R"(
    snapshots:  R   .  R  .
    process a:  ok  .  .  .
  )");
  EXPECT_EQ(timeline.rows("SELECT recording, snapshot FROM snapshots ORDER BY snapshot"),
            "1 1\n1 2\n2 3\n2 4\n");
}

TEST(Diff, WhatWasOpened) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .
    process a:  ok  .
    fd a/3:     _   p8
  )",
                   1, 2),
            "opened 3 - pipe:[8]\n");
}

TEST(Diff, WhatWasClosed) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .
    process a:  ok  .
    fd a/3:     p8  -
  )",
                   1, 2),
            "closed 3 pipe:[8] -\n");
}

TEST(Diff, WhatWasReplaced) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .
    process a:  ok  .
    fd a/3:     p8  +p9
  )",
                   1, 2),
            "replaced 3 pipe:[8] pipe:[9]\n");
}

TEST(Diff, ANumberThatWasClosedAndOpenedAgainIsReplaced) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .  .
    process a:  ok  .  .
    fd a/3:     p8  -  p8
  )",
                   1, 3),
            "replaced 3 pipe:[8] pipe:[8]\n");
}

TEST(Diff, WhatChanged) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R     .
    process a:  ok    .
    fd a/3:     s500  .
    tcp 500:    EST   CW
  )",
                   1, 2),
            "changed 3 socket:[500] TCP 192.0.2.1:9091 -> 198.51.100.7:40000 ESTABLISHED "
            "socket:[500] TCP 192.0.2.1:9091 -> 198.51.100.7:40000 CLOSE_WAIT (peer-closed)\n");
}

TEST(Diff, AnFdThatLostItsConnectionChanged) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R     .
    process a:  ok    .
    fd a/3:     s500  .
    tcp 500:    EST   -
  )",
                   1, 2),
            "changed 3 socket:[500] TCP 192.0.2.1:9091 -> 198.51.100.7:40000 ESTABLISHED "
            "socket:[500] TCP 192.0.2.1:9091 -> 198.51.100.7:40000 (outlived)\n");
}

TEST(Diff, NothingWhereNothingHappened) {
  constexpr std::string_view kDrawing = R"(
    snapshots:  R     .    K  R
    process a:  ok    .    .  .
    fd a/0:     /log  .    .  .
    fd a/3:     s500  .    .  .
    fd a/4:     s501  .    .  .
    tcp 500:    EST   .    .  .
    tcp 501:    LISTEN  .  .  .
  )";
  EXPECT_EQ(diffOf(kDrawing, 1, 4), "");
  EXPECT_EQ(diffOf(kDrawing, 2, 2), "");
}

TEST(Diff, WhatOpenedAndClosedInBetweenLeavesNoTrace) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .   .
    process a:  ok  .   .
    fd a/3:     _   p8  -
  )",
                   1, 3),
            "");
}

TEST(Diff, ALaterSnapshotThatCouldNotLookClosesNothing) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .     .
    process a:  ok  fail  ok
    fd a/3:     p8  .     -
  )",
                   1, 2),
            "");
}

TEST(Diff, AnEarlierSnapshotThatCouldNotLookOpensNothing) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R     .
    process a:  fail  ok
    fd a/3:     _     =p8
  )",
                   1, 2),
            "");
}

TEST(Diff, AProcessThatEndedClosedItsFds) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .
    process a:  ok  -
    fd a/3:     p8  .
  )",
                   1, 2),
            "closed 3 pipe:[8] -\n");
}

TEST(Diff, AProcessThatStartedOpenedItsFds) {
  EXPECT_EQ(diffOf(R"(
    snapshots:  R   .
    process b:  ok  .
    process a:  _   ok
    fd a/3:     _   =p8
  )",
                   1, 2),
            "opened 3 - pipe:[8]\n");
}

TEST(FdGroup, ByKindPeerAndPort) {
  Timeline timeline(R"(
    snapshots:  R       .
    process a:  ok      .
    fd a/1:     s100    .
    fd a/3:     s500    .
    fd a/4:     _       s501
    fd a/5:     s502    -
    fd a/6:     p8      +s503
    fd a/7:     /x      .
    fd a/8:     _       s504
    tcp 100 local=192.0.2.1:9091:                            LISTEN  .
    tcp 500 local=192.0.2.1:9091 remote=198.51.100.7:1:      EST     CW
    tcp 501 local=192.0.2.1:9091 remote=198.51.100.7:2:      _       EST
    tcp 502 local=192.0.2.1:9091 remote=198.51.100.8:3:      EST     -
    tcp 503 local=192.0.2.1:5555 remote=203.0.113.9:5432:    _       EST
  )");
  EXPECT_EQ(timeline.rows("SELECT f.fd, g.kind, direction, peer, port FROM fd_group g"
                          " JOIN fd_span f USING (id) ORDER BY f.fd, f.first_snapshot"),
            "1 socket - - -\n"
            "3 socket in 198.51.100.7 9091\n"
            "4 socket in 198.51.100.7 9091\n"
            "5 socket in 198.51.100.8 9091\n"
            "6 pipe - - -\n"
            "6 socket out 203.0.113.9:5432 5432\n"
            "7 other - - -\n"
            "8 socket - - -\n");
}

}  // namespace

}  // namespace fdmortem::test
