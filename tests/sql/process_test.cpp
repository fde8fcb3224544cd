// schema/views/process.sql.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

constexpr const char* kProcesses =
    "SELECT comm, pid, first_snapshot, last_snapshot, ended_by, unread_snapshots FROM processes "
    "ORDER BY process";
constexpr const char* kLimits =
    "SELECT soft, hard, first_snapshot, last_snapshot FROM limit_span ORDER BY process, 3";

TEST(ProcessSpan, IsOneStretchWhileNothingChanges) {
  Timeline timeline(R"(
    snapshots:  R   .  .
    process a:  ok  .  .
  )");
  EXPECT_EQ(timeline.rows("SELECT first_snapshot, last_snapshot, fd_list_status, comm, exe, netns "
                          "FROM process_span"),
            "1 3 1 a /usr/bin/a 1\n");
}

TEST(ProcessSpan, AStretchForEachWayThatItWas) {
  Timeline timeline(R"(
    snapshots:  R   .  .     .   K  .
    process a:  ok  .  fail  ok  .  -
  )");
  EXPECT_EQ(timeline.rows("SELECT first_snapshot, last_snapshot, fd_list_status FROM process_span"),
            "1 2 1\n3 3 3\n4 4 1\n5 5 1\n");
}

TEST(ProcessSpan, EndsWithTheRecording) {
  Timeline timeline(R"(
    snapshots:  R   .  R  .  R
    process a:  ok  .  _  .  ok
  )");
  EXPECT_EQ(timeline.rows("SELECT first_snapshot, last_snapshot FROM process_span"), "1 2\n5 5\n");
}

TEST(FdReadSpan, JoinsWhatFollowsUpon) {
  Timeline timeline(R"(
    snapshots:  R   .  K  .     R   .
    process a:  ok  .  .  fail  ok  .
  )");
  EXPECT_EQ(timeline.rows("SELECT first_snapshot, last_snapshot FROM _fd_read_span"), "1 3\n5 6\n");
}

TEST(FdReadSpan, ReachesOverRecordings) {
  Timeline timeline(R"(
    snapshots:  R   .  R  .
    process a:  ok  .  .  .
  )");
  EXPECT_EQ(timeline.rows("SELECT first_snapshot, last_snapshot FROM _fd_read_span"), "1 4\n");
}

TEST(Processes, HaveTheirFirstAndLastSnapshot) {
  Timeline timeline(R"(
    snapshots:         R   .   .  .
    process a pid=7:   ok  .   .  .
    process b pid=9:   _   ok  .  -
  )");
  EXPECT_EQ(timeline.rows(kProcesses),
            "a 7 1 4 - 0\n"
            "b 9 2 3 4 0\n");
}

TEST(Processes, CountTheSnapshotsWithoutTheirFds) {
  Timeline timeline(R"(
    snapshots:        R     .   .     .
    process a pid=7:  fail  ok  fail  .
  )");
  EXPECT_EQ(timeline.rows(kProcesses), "a 7 1 4 - 3\n");
}

TEST(Processes, AreOneOverRecordings) {
  Timeline timeline(R"(
    snapshots:        R   .  R  .  .
    process a pid=7:  ok  .  .  .  -
  )");
  EXPECT_EQ(timeline.rows(kProcesses), "a 7 1 4 5 0\n");
}

TEST(Processes, APidThatIsUsedAgainIsAnotherProcess) {
  Timeline timeline(R"(
    snapshots:                       R   .  .   .
    process old pid=7 start=1:       ok  .  -   .
    process new pid=7 start=90:      _   .  ok  .
  )");
  EXPECT_EQ(timeline.rows("SELECT pid, start_ticks, first_snapshot, last_snapshot, ended_by "
                          "FROM processes ORDER BY start_ticks"),
            "7 1 1 2 3\n"
            "7 90 3 4 -\n");
}

TEST(Processes, HaveTheInodeOfTheirNamespace) {
  Timeline timeline(R"(
    snapshots:          R
    process a:          ok
    process b netns=2:  ok
  )");
  EXPECT_EQ(timeline.rows("SELECT comm, netns FROM processes ORDER BY 1"), "a 4000\nb 4001\n");
}

TEST(LimitSpan, IsOneStretchWhileItStays) {
  Timeline timeline(R"(
    snapshots:  R          .  K  .
    process a:  ok         .  .  .
    limit a:    1024/4096  .  .  .
  )");
  EXPECT_EQ(timeline.rows(kLimits), "1024 4096 1 4\n");
}

TEST(LimitSpan, AStretchForEachValue) {
  Timeline timeline(R"(
    snapshots:  R          .          .       K  .
    process a:  ok         .          .       .  -
    limit a:    1024/4096  2048/4096  u/4096  .  .
  )");
  EXPECT_EQ(timeline.rows(kLimits),
            "1024 4096 1 1\n"
            "2048 4096 2 2\n"
            "- 4096 3 4\n");
}

TEST(LimitSpan, IsOneStretchOverRecordings) {
  Timeline timeline(R"(
    snapshots:  R          .  R  .
    process a:  ok         .  .  .
    limit a:    1024/4096  .  .  .
  )");
  EXPECT_EQ(timeline.rows(kLimits), "1024 4096 1 4\n");
}

TEST(LimitSpan, EndsWithTheRecordingAfterWhichItIsNotRead) {
  Timeline timeline(R"(
    snapshots:  R          .  R  .
    process a:  ok         .  .  .
    limit a:    1024/4096  .  _  .
  )");
  EXPECT_EQ(timeline.rows(kLimits), "1024 4096 1 2\n");
}

TEST(LimitSpan, EachResourceIsItsOwn) {
  Timeline timeline(R"(
    snapshots:                        R          .
    process a:                        ok         .
    limit a:                          1024/4096  512/4096
    limit a resource=Max_processes:   7/7        .
  )");
  EXPECT_EQ(timeline.rows("SELECT resource, soft, first_snapshot, last_snapshot FROM limit_span "
                          "ORDER BY 1, 3"),
            "Max open files 1024 1 1\n"
            "Max open files 512 2 2\n"
            "Max processes 7 1 2\n");
}

}  // namespace

}  // namespace fdmortem::test
