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
            "Snapshots that were due and not taken before a later one, by reason: disk-full (2), "
            "slow (4).\n");
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

constexpr const char* kCoverage =
    "SELECT snapshots, missed_between, missed_at_end, is_estimate FROM recording_coverage";

TEST(RecordingCoverage, NothingWasMissed) {
  EXPECT_EQ(Timeline(kQuiet).rows(kCoverage), "3 0 0 0\n");
}

TEST(RecordingCoverage, WithoutAnEndNobodyKnowsWhatWasMissedThere) {
  Timeline timeline("snapshots ended=no: R . .\nprocess a: ok . .\nmissed: 0 2 0\n");
  EXPECT_EQ(timeline.rows(kCoverage), "3 2 - 0\n");
}

TEST(RecordingCoverage, WhatWasMissedAtTheEndIsTold) {
  Timeline timeline(kQuiet);
  timeline.exec(
      "INSERT INTO recorder_event VALUES (1, '2026-01-01T01:30:00.000Z', 5, 5, 'missed-at-end', "
      "'disk-full (514), memory (3)')");
  EXPECT_EQ(timeline.rows(kCoverage), "3 0 517 0\n");
  timeline.exec("UPDATE recording SET ended_at = '2026-01-01T01:30:00.000Z'");
  EXPECT_EQ(timeline.rows("SELECT text FROM recorder_note WHERE place = 3"),
            "From 2026-01-01T00:00:20Z (snapshot 3) to the end at 2026-01-01T01:30:00Z no snapshot "
            "of recording 1 was stored: 517 were due, by reason: disk-full (514), memory (3).\n");
}

// The recorder could store its end and not that.
TEST(RecordingCoverage, WhatWasNotStoredIsWorkedOutAndCalledAnEstimate) {
  Timeline timeline(kQuiet);
  timeline.exec("UPDATE recording SET ended_at = '2026-01-01T00:01:24.500Z'");
  EXPECT_EQ(timeline.rows(kCoverage), "3 0 5 1\n");
  EXPECT_EQ(timeline.rows("SELECT text FROM recorder_note WHERE place = 3"),
            "From 2026-01-01T00:00:20Z (snapshot 3) to the end at 2026-01-01T00:01:24Z no snapshot "
            "of recording 1 was stored: about 5 were due, by its interval and the wall clock; the "
            "recorder could not store how many.\n");
  // What was not looked at was not missed.
  timeline.exec("INSERT INTO setting VALUES ('range_to', '2026-01-01T00:00:45.000Z')");
  EXPECT_EQ(timeline.rows(kCoverage), "3 0 1 1\n");
  timeline.exec("INSERT INTO setting VALUES ('is_salvaged', 1)");
  EXPECT_EQ(timeline.rows(kCoverage), "3 0 0 0\n");
}

TEST(RecordingCoverage, NoSnapshotWasStored) {
  Timeline timeline(kQuiet);
  timeline.exec(
      "DELETE FROM snapshot; UPDATE recording SET first_snapshot = NULL, last_snapshot = NULL, "
      "started_at = '2026-01-01T00:00:00.000Z', ended_at = '2026-01-01T00:01:00.000Z'");
  EXPECT_EQ(timeline.rows(kCoverage), "0 0 5 1\n");
  EXPECT_EQ(timeline.rows("SELECT substr(text, 1, 42) FROM recorder_note WHERE place = 3"),
            "From 2026-01-01T00:00:00Z (its beginning) \n");
  // They were there.
  timeline.exec(
      "INSERT INTO dropped VALUES ('max-size', 2, '2026-01-01T00:00:00.000Z', "
      "'2026-01-01T00:00:10.000Z', 2)");
  EXPECT_EQ(timeline.rows(kCoverage), "0 0 0 0\n");
}

TEST(RecorderNote, TheCostOfARecording) {
  Timeline timeline(kQuiet);
  // 20 s from the first to the last; what came before the first is in no share of the time.
  timeline.exec("UPDATE snapshot SET cpu_us = 100000, stored_bytes = 4096");
  EXPECT_EQ(timeline.rows("SELECT recording, snapshots, cpu_us, cpu_percent, stored_bytes "
                          "FROM recorder_cost"),
            "1 3 100000 1.0 4096\n");
  EXPECT_EQ(timeline.rows("SELECT text FROM recorder_note WHERE place = 6"),
            "Each snapshot of recording 1 cost the host 100.0 ms of CPU time and 4.1 kB; all of it "
            "took 1.00 % of one CPU.\n");
  // What there was room for in pages that were there.
  timeline.exec("UPDATE snapshot SET stored_bytes = 0");
  EXPECT_EQ(timeline.rows("SELECT text LIKE '%and less than 0.1 kB;%' FROM recorder_note "
                          "WHERE place = 6"),
            "1\n");
}

}  // namespace

}  // namespace fdmortem::test
