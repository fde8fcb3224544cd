#include "analyze/growth.h"

#include <gtest/gtest.h>

namespace fdmortem::test {

namespace {

/// One point a minute.
std::vector<CountPoint> minutes(const std::vector<double>& counts) {
  std::vector<CountPoint> points;
  for (size_t i = 0; i < counts.size(); ++i)
    points.push_back({.seconds = 60.0 * static_cast<double>(i), .count = counts[i]});
  return points;
}

TEST(Growth, OfALine) {
  const Growth growth = estimateGrowth(minutes({10, 20, 30, 40}));
  ASSERT_TRUE(growth.per_hour);
  EXPECT_DOUBLE_EQ(*growth.per_hour, 600);
  EXPECT_EQ(growth.reason, "");
}

TEST(Growth, OfWhatStandsStill) {
  EXPECT_DOUBLE_EQ(*estimateGrowth(minutes({7, 7, 7})).per_hour, 0);
}

TEST(Growth, OfWhatShrinks) {
  EXPECT_DOUBLE_EQ(*estimateGrowth(minutes({30, 20, 10})).per_hour, -600);
}

TEST(Growth, IsNotMovedByABurst) {
  EXPECT_NEAR(*estimateGrowth(minutes({10, 11, 12, 900, 14, 15, 16, 17, 18})).per_hour, 60, 1);
}

TEST(Growth, NeedsThreePoints) {
  for (const auto& points : {minutes({}), minutes({1}), minutes({1, 2})}) {
    const Growth growth = estimateGrowth(points);
    EXPECT_FALSE(growth.per_hour);
    EXPECT_EQ(growth.reason, "fewer than 3 snapshots");
  }
}

TEST(Growth, NeedsTimeBetweenThem) {
  const Growth growth = estimateGrowth({{5, 1}, {5, 2}, {5, 3}});
  EXPECT_FALSE(growth.per_hour);
  EXPECT_EQ(growth.reason, "no time between the snapshots");
}

TEST(Growth, PointsOfOneTimeAreNoSlope) {
  EXPECT_DOUBLE_EQ(*estimateGrowth({{0, 0}, {0, 100}, {60, 50}}).per_hour, 0);
}

TEST(Growth, OfVeryManyPoints) {
  std::vector<double> counts;
  for (int i = 0; i < 5000; ++i)
    counts.push_back(i);
  EXPECT_DOUBLE_EQ(*estimateGrowth(minutes(counts)).per_hour, 60);
}

}  // namespace

}  // namespace fdmortem::test
