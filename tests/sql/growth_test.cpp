// schema/views/growth.sql.
#include <string>

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

TEST(GrowthView, EndsWhereTheLimitWasReached) {
  Timeline timeline(timeOf(6) + limitOf("4/4", 6) + curve({1, 2, 3, 4, 4, 4}));
  EXPECT_EQ(timeline.rows("SELECT points, per_hour, forecast_reason FROM growth"),
            "4 360.0 it was reached\n");
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
