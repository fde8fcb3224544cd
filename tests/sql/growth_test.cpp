// schema/views/growth.sql.
#include "analyze/growth.h"

#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/sql/findings.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

TEST(GrowthView, HasARowForEachProcessWithFds) {
  Timeline timeline(
      "snapshots: R . . .\nprocess a: ok . . .\nprocess b: fail . . .\nfd a/3: p9 . . .\n");
  EXPECT_EQ(timeline.rows("SELECT process, points, per_hour, rate, forecast_reason FROM growth"),
            "1 4 0.0 none no limit is known\n");
}

/// What SQL and C++ decide by the same number.
TEST(GrowthView, HasTheNumbersOfTheEstimate) {
  Timeline timeline("snapshots: R .\nprocess a: ok .\n");
  EXPECT_EQ(timeline.rows("SELECT least_growth, forecast_snapshots FROM threshold"),
            fmt::format("{} {}\n", kMinimumGrowth, kMinimumForecastPoints));
}

TEST(GrowthView, EndsWhereTheLimitWasReached) {
  Timeline timeline(timeOf(6) + limitOf("4/4", 6) + curve({1, 2, 3, 4, 4, 4}));
  EXPECT_EQ(timeline.rows("SELECT points, per_hour, forecast_reason FROM growth"),
            "4 360.0 it was reached\n");
}

TEST(GrowthView, TellsSinceWhenItStandsStill) {
  Timeline timeline(
      timeOf(20) + limitOf("900/900", 20) +
      curve({5, 15, 25, 35, 45, 55, 65, 75, 75, 75, 75, 75, 75, 75, 75, 75, 75, 75, 75, 75}));
  EXPECT_EQ(timeline.rows("SELECT stopped_at, forecast_reason FROM growth"),
            "2026-01-01T00:01:10.000Z the growth stopped at 2026-01-01T00:01:10Z\n");
  EXPECT_EQ(timeline.rows("SELECT shape FROM growth_shape"), "plateau\n");
}

TEST(GrowthView, DoesNotStopOfItselfNearTheLimit) {
  std::vector<int> counts = {5, 15, 25, 35, 45, 55, 65, 75};
  counts.insert(counts.end(), 12, 81);
  Timeline timeline(timeOf(20) + limitOf("100/100", 20) + curve(counts));
  EXPECT_EQ(timeline.rows("SELECT stopped_at, exhaustion_at FROM growth"), "- -\n");
  EXPECT_EQ(timeline.rows("SELECT shape FROM growth_shape"), "uneven\n");
  EXPECT_EQ(timeline.rows("SELECT growth_until FROM process_fds"), "-\n");
}

TEST(GrowthView, EndsWhereHardlyANumberIsFree) {
  std::vector<int> counts;
  for (int i = 0; i <= 10; ++i)
    counts.push_back(10 + 4 * i);
  counts.insert(counts.end(), 12, 50);
  Timeline timeline(timeOf(23) + limitOf("51/51", 23) + curve(counts));
  EXPECT_EQ(timeline.rows("SELECT growth_until, limit_reached, is_full FROM process_fds"),
            "11 - 0\n");
  EXPECT_EQ(timeline.rows("SELECT points, rate, forecast_reason FROM growth"),
            "11 +24.0 fds a minute it stands still with hardly a number free below the limit\n");
}

TEST(GrowthView, GoesOnWhereItTakesTheLastNumbersSlowly) {
  std::vector<int> counts;
  for (int i = 0; i < 24; ++i)
    counts.push_back(37 + i / 2);
  Timeline timeline(timeOf(24) + limitOf("50/50", 24) + curve(counts));
  EXPECT_EQ(timeline.rows("SELECT growth_until, fds_last FROM process_fds"), "- 48\n");
}

TEST(GrowthView, IsOfTheTimeAfterAChangeOfTheLimit) {
  const std::string fds = curve({1, 2, 3, 4, 6, 8, 10, 12, 14, 16});
  Timeline raised(timeOf(10) + "limit a: 50/90 . . . 20/90 . . . . .\n" + fds);
  EXPECT_EQ(raised.rows("SELECT since, points, rate, exhaustion_at FROM growth"),
            "5 6 +12.0 fds a minute 2026-01-01T00:02:00.000Z\n");
  EXPECT_EQ(raised.rows("SELECT pressure FROM limit_pressure"), "soon\n");
}

TEST(GrowthView, IsOfAllWhereThereIsTooLittleAfterAChangeOfTheLimit) {
  const std::string fds = curve({1, 2, 3, 4, 5, 6, 7, 8});
  Timeline raised(timeOf(8) + "limit a: 20/90 . . . 50/90 . . .\n" + fds);
  EXPECT_EQ(
      raised.rows("SELECT since, points, rate, forecast_reason FROM growth"),
      "- 8 +6.0 fds a minute the limit was changed while it was recorded, and there are fewer "
      "than 5 snapshots since\n");
}

TEST(GrowthView, IsOfTheTimeAfterALimitThatWasReachedAndRaised) {
  Timeline raised(timeOf(10) + "limit a: 4/90 . . . 40/90 . . . . .\n" +
                  curve({1, 2, 4, 4, 4, 6, 8, 10, 12, 14}));
  EXPECT_EQ(raised.rows("SELECT since, points, rate, exhaustion_at IS NOT NULL FROM growth"),
            "5 6 +12.0 fds a minute 1\n");
}

TEST(GrowthView, StepsOfAProcess) {
  Timeline timeline(timeOf(5) + curve({1, 3, 3, 2, 2}));
  EXPECT_EQ(timeline.rows("SELECT snapshot, before, fds, change FROM fd_step ORDER BY 1"),
            "2 1 3 2\n4 3 2 -1\n");
}

TEST(GrowthView, GroupsAreCountedAtFiveTimes) {
  Timeline timeline(timeOf(9) + curve({1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(timeline.rows("SELECT class, name, count_0, count_1, count_2, count_3, count_4, kept_1,"
                          " kept_4, only_grows FROM group_growth"),
            "kind pipe 1 3 5 7 9 2 2 1\n");
}

TEST(GrowthView, AProcessThatEndedKeptItsFdsToTheEnd) {
  Timeline timeline("snapshots: R . . . . . . . . . .\nprocess a: ok . . . . . . . - . .\n" +
                    curve({1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8}));
  EXPECT_EQ(timeline.rows("SELECT count_0, count_4 FROM group_growth"), "1 8\n");
}

TEST(ProcessesView, HasTheNameThatTheKernelCut) {
  Timeline timeline(
      "snapshots: R\n"
      "process a comm=prometheus-push exe=/opt/prometheus-pushgateway: ok\n"
      "process b comm=java exe=/usr/bin/java17: ok\n"
      "process c comm=thread-of-many- exe=/usr/bin/java: ok\n");
  EXPECT_EQ(timeline.rows("SELECT name FROM processes ORDER BY process"),
            "prometheus-pushgateway\njava\nthread-of-many-\n");
}

}  // namespace

}  // namespace fdmortem::test
