// schema/views/recorder.sql.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

TEST(ClockChange, AWallClockThatIsSetAndAHostThatSlept) {
  Timeline timeline(R"(
    snapshots:  R   .    .   .
    process a:  ok  .    .   .
    wall:       0   10   80  60
    boottime:   0   10   20  30
  )");
  EXPECT_EQ(timeline.rows("SELECT snapshot, jumped_ns / 1000000000 FROM clock_change"),
            "3 60\n4 -30\n");
  EXPECT_EQ(timeline.rows("SELECT text FROM recorder_note WHERE place = 4"),
            "Before snapshot 3 the host's wall clock was set forward by 60.0 s.\n"
            "Before snapshot 4 the host's wall clock was set back by 30.0 s.\n");
}

TEST(LateSnapshot, IsLaterThanATenthOfTheInterval) {
  Timeline timeline(R"(
    snapshots:  R   .     .     .
    process a:  ok  .     .     .
    late:       0   1000  1001  25000
  )");
  EXPECT_EQ(timeline.rows("SELECT snapshot, recording, intervals FROM late_snapshot"),
            "3 1 0.1001\n4 1 2.5\n");
}

TEST(ClockChange, ANewBootIsNone) {
  Timeline timeline(R"(
    snapshots:        R    .    R     .
    process a:        ok   .    .     .
    wall:             0    10   5000  5010
    boottime:         900  910  5     15
  )");
  timeline.exec("UPDATE recording SET boot_id = 'another' WHERE id = 2");
  EXPECT_EQ(timeline.rows("SELECT * FROM clock_change"), "");
}

constexpr std::string_view kQuiet = R"(
  snapshots:  R   .   .
  process a:  ok  .   .
)";

TEST(RecorderNote, WhatWasNotTakenIsToldByReason) {
  Timeline timeline(kQuiet);
  timeline.exec(
      "INSERT INTO delay VALUES (2, 'slow', 3), (3, 'disk-full', 2), (3, 'slow', 1), "
      "(3, 'stopped', 0)");
  EXPECT_EQ(timeline.rows("SELECT text FROM recorder_note WHERE place = 1"),
            "Snapshots that were due and not taken, by reason: disk-full (2), slow (4).\n");
}

TEST(RecorderNote, WhatWasDroppedAndWhatHappenedIsTold) {
  Timeline timeline(kQuiet);
  timeline.exec(
      "INSERT INTO dropped VALUES ('max-size', 2, '2026-01-01T00:00:00.000Z', "
      "'2026-01-01T00:00:10.000Z', 0)");
  timeline.exec(
      "INSERT INTO recorder_event VALUES (1, '2026-01-01T00:00:05.000Z', 5, 5, 'disk-full', NULL), "
      "(1, '2026-01-01T00:00:05.500Z', 5, 5, 'began-late', '3 s: No space left on device'), "
      "(1, '2026-01-01T00:00:06.000Z', 6, 6, 'burst-began', 'process 7: 90 fds of 100')");
  EXPECT_EQ(
      timeline.rows("SELECT text FROM recorder_note WHERE place IN (2, 3) ORDER BY place"),
      "2 snapshots (2026-01-01T00:00:00Z to 2026-01-01T00:00:10Z) are no longer in the archive: "
      "dropped for --max-size.\n"
      "2026-01-01T00:00:05Z: the disk was full, and nothing more could be stored.\n"
      "2026-01-01T00:00:05Z: the recording could not begin before (3 s: No space left on device).\n"
      "2026-01-01T00:00:06Z: a burst of snapshots began (process 7: 90 fds of 100).\n");
}

TEST(RecorderNote, TheCostOfARecording) {
  Timeline timeline(kQuiet);
  // 20 s from the first to the last; what came before the first is in no share of the time.
  timeline.exec("UPDATE snapshot SET cpu_us = 100000, stored_bytes = 4096");
  EXPECT_EQ(timeline.rows("SELECT recording, snapshots, cpu_us, cpu_percent, stored_bytes "
                          "FROM recorder_cost"),
            "1 3 100000 1.0 4096\n");
}

}  // namespace

}  // namespace fdmortem::test
