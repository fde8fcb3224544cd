#include "capture/options.h"

#include <initializer_list>
#include <vector>

#include <gtest/gtest.h>

namespace fdmortem::test {

namespace {

constexpr int kWrongUsage = 2;

CaptureCommand parse(std::initializer_list<const char*> arguments) {
  std::vector<const char*> argv = {"fdcapture"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  CaptureCommand command = parseCaptureOptions(static_cast<int>(argv.size()), argv.data());
  testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  return command;
}

/// The exit status with which all is said; -1: there is something to do.
int statusOf(std::initializer_list<const char*> arguments) {
  const CaptureCommand command = parse(arguments);
  const int* status = std::get_if<int>(&command);
  return status != nullptr ? *status : -1;
}

/// The interval that `-i text` gives; 0: wrong usage.
int64_t intervalOf(const char* text) {
  const CaptureCommand command = parse({"record", "-o", "x.db", "-p", "1", "-i", text});
  const auto* record = std::get_if<RecordOptions>(&command);
  return record != nullptr ? record->interval.count() : 0;
}

TEST(CaptureOptions, Durations) {
  EXPECT_EQ(intervalOf("500ms"), 500);
  EXPECT_EQ(intervalOf("10s"), 10'000);
  EXPECT_EQ(intervalOf("5m"), 300'000);
  EXPECT_EQ(intervalOf("2h"), 7'200'000);
  EXPECT_EQ(intervalOf("1d"), 86'400'000);
}

TEST(CaptureOptions, LooksOfABurstLieBetweenTwoSnapshots) {
  EXPECT_EQ(statusOf({"record", "-o", "x.db", "--all", "--burst-above", "80%"}), -1);
  for (const char* interval : {"1s", "500ms"}) {
    EXPECT_EQ(statusOf({"record", "-o", "x.db", "--all", "-i", interval, "--burst-above", "80%"}),
              kWrongUsage);
  }
  EXPECT_EQ(statusOf({"record", "-o", "x.db", "--all", "-i", "500ms"}), -1);
}

TEST(CaptureOptions, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "10", "10 parsecs", "10S", "-1s", "1w", "99999999999999999999s",
                           "0s", "1e3s", "1.5s"}) {
    EXPECT_EQ(intervalOf(text), 0) << text;
  }
}

// CLI11 takes a unit alone for one of it, and hexadecimal numbers.
TEST(CaptureOptions, RefusesAUnitAloneAndOtherNotations) {
  for (const char* text : {"s", "0x10s"}) {
    EXPECT_EQ(intervalOf(text), 0) << text;
  }
}

TEST(CaptureOptions, Defaults) {
  const CaptureCommand command = parse({"record", "--output", "x.db", "--comm", "pushgateway"});
  const auto* record = std::get_if<RecordOptions>(&command);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->output, "x.db");
  EXPECT_EQ(record->interval.count(), 10'000);
  EXPECT_FALSE(record->count);
  EXPECT_FALSE(record->duration);
  EXPECT_EQ(record->proc_root, "/proc");
  EXPECT_EQ(record->selection.comms, std::vector<std::string>{"pushgateway"});
}

TEST(CaptureOptions, SelectionsAddUp) {
  const CaptureCommand command = parse({"record", "-o", "x.db", "-p", "1", "--pid", "2", "-c", "a",
                                        "--cgroup", "/x/*", "--all", "-n", "3", "-d", "1m"});
  const auto* record = std::get_if<RecordOptions>(&command);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->selection.pids, (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(record->selection.comms, std::vector<std::string>{"a"});
  EXPECT_EQ(record->selection.cgroup_globs, std::vector<std::string>{"/x/*"});
  EXPECT_TRUE(record->selection.all);
  EXPECT_EQ(record->count, 3U);
  EXPECT_EQ(record->duration, std::chrono::minutes(1));
  EXPECT_EQ(record->arguments.front(), "record");
}

TEST(CaptureOptions, WrongUsage) {
  EXPECT_EQ(statusOf({}), kWrongUsage);
  EXPECT_EQ(statusOf({"record"}), kWrongUsage);
  EXPECT_EQ(statusOf({"record", "-o", "x.db"}), kWrongUsage);  // no selection
  EXPECT_EQ(statusOf({"record", "-p", "1"}), kWrongUsage);     // no file
  EXPECT_EQ(statusOf({"record", "-o", "x.db", "-p", "0"}), kWrongUsage);
  EXPECT_EQ(statusOf({"record", "-o", "x.db", "-p", "1x"}), kWrongUsage);
  EXPECT_EQ(statusOf({"record", "-o", "x.db", "-p", "1", "-n", "0"}), kWrongUsage);
  EXPECT_EQ(statusOf({"record", "-o", "x.db", "-p", "1", "--wrong"}), kWrongUsage);
  EXPECT_EQ(statusOf({"copy", "a.db"}), kWrongUsage);
  EXPECT_EQ(statusOf({"wrong"}), kWrongUsage);
}

TEST(CaptureOptions, HelpAndVersion) {
  EXPECT_EQ(statusOf({"--help"}), 0);
  EXPECT_EQ(statusOf({"record", "--help"}), 0);
  EXPECT_EQ(statusOf({"--version"}), 0);
}

TEST(CaptureOptions, Copy) {
  const CaptureCommand command = parse({"copy", "a.db", "b.db"});
  const auto* copy = std::get_if<CopyOptions>(&command);
  ASSERT_NE(copy, nullptr);
  EXPECT_EQ(copy->from, "a.db");
  EXPECT_EQ(copy->to, "b.db");
}

}  // namespace

}  // namespace fdmortem::test
