#include "capture/schedule.h"

#include <gtest/gtest.h>

namespace fdmortem::test {

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStart = 1000 * kSecond;

class ScheduleTest : public testing::Test {
 protected:
  /// When the next snapshot is due, in seconds after the start.
  double due() const { return static_cast<double>(schedule_.dueNs() - kStart) / kSecond; }
  void advance(double now, double earliest = 0) {
    schedule_.advance(kStart + static_cast<int64_t>(now * kSecond),
                      kStart + static_cast<int64_t>(earliest * kSecond));
  }
  void wake(double now, const char* reason = delay_reason::kStopped) {
    schedule_.wake(kStart + static_cast<int64_t>(now * kSecond), reason);
  }
  std::string delays() const {
    std::string text;
    for (const Delay& delay : schedule_.delays())
      text += delay.reason + ":" + std::to_string(delay.missed) + " ";
    return text;
  }

  Schedule schedule_{kStart, 10 * kSecond};
};

TEST_F(ScheduleTest, TheFirstIsDueAtOnceAndTheOthersAtWholeIntervals) {
  EXPECT_EQ(due(), 0);
  advance(0.5);
  EXPECT_EQ(due(), 10);
  wake(10.001);
  advance(10.2);
  EXPECT_EQ(due(), 20);
  EXPECT_EQ(delays(), "");
}

TEST_F(ScheduleTest, ASnapshotThatTakesLongerThanTheIntervalCostsThoseThatWereDueMeanwhile) {
  advance(25);
  EXPECT_EQ(due(), 30);
  EXPECT_EQ(delays(), "slow:2 ");
}

TEST_F(ScheduleTest, AtTheEndOnlyWhatWasDueUntilThenIsMissed) {
  advance(1, 55);  // the budget would skip 10, 20, 30, 40, 50
  EXPECT_EQ(delays(), "cpu-budget:5 ");
  schedule_.end(kStart + 31 * kSecond);
  EXPECT_EQ(delays(), "cpu-budget:3 ");
  EXPECT_EQ(schedule_.allMissed(), 3);
}

TEST_F(ScheduleTest, WhatWasDueWhileTheRecorderWasStoppedIsMissedAtTheEnd) {
  advance(1);
  schedule_.end(kStart + 35 * kSecond);
  EXPECT_EQ(delays(), "stopped:3 ");
}

TEST_F(ScheduleTest, AnEndBetweenTwoSnapshotsMissesNone) {
  advance(1);
  schedule_.end(kStart + 5 * kSecond);
  EXPECT_EQ(schedule_.allMissed(), 0);
  EXPECT_EQ(delays(), "");
}

TEST_F(ScheduleTest, TheCpuBudgetStretchesTheInterval) {
  advance(1, 35);
  EXPECT_EQ(due(), 40);
  EXPECT_EQ(delays(), "cpu-budget:3 ");
}

TEST_F(ScheduleTest, SlowAndTheBudgetAreToldApart) {
  advance(15, 25);
  EXPECT_EQ(due(), 30);
  EXPECT_EQ(delays(), "slow:1 cpu-budget:1 ");
}

TEST_F(ScheduleTest, WhoWakesLateTakesTheLastThatIsDue) {
  advance(1);
  wake(3601, delay_reason::kSuspended);
  EXPECT_EQ(due(), 3600);
  EXPECT_EQ(delays(), "suspended:359 ");
  advance(3601.5);
  EXPECT_EQ(due(), 3610);
}

TEST_F(ScheduleTest, ALateSnapshotIsTold) {
  advance(1);
  wake(12);
  EXPECT_EQ(due(), 10);
  EXPECT_EQ(delays(), "stopped:0 ");
}

TEST_F(ScheduleTest, WhatWasMissedIsKeptUntilItIsStored) {
  schedule_.miss(delay_reason::kDiskFull);
  advance(1);
  schedule_.miss(delay_reason::kDiskFull);
  EXPECT_EQ(delays(), "disk-full:2 ");
  schedule_.stored();
  EXPECT_EQ(delays(), "");
}

}  // namespace

}  // namespace fdmortem::test
