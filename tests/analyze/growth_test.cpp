#include "analyze/growth.h"

#include <vector>

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

Growth growthOf(const std::vector<double>& counts) {
  return estimateGrowth(minutes(counts));
}

// --- the rate ---

TEST(Growth, OfALine) {
  const Growth growth = growthOf({10, 20, 30, 40});
  ASSERT_TRUE(growth.per_hour);
  EXPECT_DOUBLE_EQ(*growth.per_hour, 600);
  EXPECT_DOUBLE_EQ(growth.low_per_hour, 600);
  EXPECT_DOUBLE_EQ(growth.high_per_hour, 600);
  EXPECT_EQ(growth.points, 4U);
  EXPECT_EQ(growth.reason, "");
}

TEST(Growth, OfWhatStandsStill) {
  const Growth growth = growthOf({7, 7, 7});
  EXPECT_DOUBLE_EQ(growth.per_hour.value(), 0);
  EXPECT_DOUBLE_EQ(growth.low_per_hour, 0);
}

TEST(Growth, OfWhatShrinks) {
  EXPECT_DOUBLE_EQ(growthOf({30, 20, 10}).per_hour.value(), -600);
}

TEST(Growth, IsNotMovedByABurst) {
  EXPECT_NEAR(growthOf({10, 11, 12, 900, 14, 15, 16, 17, 18}).per_hour.value(), 60, 1);
}

TEST(Growth, HasARangeThatHoldsTheMedian) {
  const Growth growth = growthOf({10, 13, 14, 18, 21, 22, 26, 28, 31, 34});
  EXPECT_GT(growth.low_per_hour, 0);
  EXPECT_LE(growth.low_per_hour, growth.per_hour.value());
  EXPECT_GE(growth.high_per_hour, growth.per_hour.value());
  EXPECT_LT(growth.low_per_hour, growth.high_per_hour);
}

TEST(Growth, OfTrafficSpansZero) {
  const Growth growth = growthOf({10, 30, 12, 28, 9, 31, 11, 29, 10, 30, 12, 28});
  EXPECT_LT(growth.low_per_hour, 0);
  EXPECT_GT(growth.high_per_hour, 0);
}

TEST(Growth, OfOneStepTouchesZero) {
  EXPECT_LE(growthOf({10, 10, 10, 10, 10, 60, 60, 60, 60, 60}).low_per_hour, 0);
}

// --- its end ---

/// `first` points of `step` more each, then `still` points of the last.
std::vector<double> rampAndPlateau(int first, double step, int still) {
  std::vector<double> counts;
  for (int i = 0; i < first; ++i)
    counts.push_back(10 + i * step);
  counts.insert(counts.end(), static_cast<size_t>(still), counts.back());
  return counts;
}

TEST(Growth, StopsWhereAPoolIsFull) {
  // 23 points up to 98, and only 6 of the 29 still.
  const Growth growth = growthOf(rampAndPlateau(23, 4, 6));
  ASSERT_TRUE(growth.stopped_seconds);
  // Up to a tenth of what it would be by now counts as still.
  EXPECT_NEAR(*growth.stopped_seconds, 22 * 60, 60);
  EXPECT_LE(growth.low_per_hour, 0);
  EXPECT_GT(growth.per_hour.value(), 200);
}

// What one compares with a change of the program is when the last of it came.
TEST(Growth, StopsWhenTheLastOfItHasCome) {
  std::vector<double> counts;
  for (int i = 0; i <= 20; ++i)
    counts.push_back(10 + 10 * i);
  counts.insert(counts.end(), {213, 216, 219, 222, 225, 228});
  counts.insert(counts.end(), 60, 230.0);
  const Growth growth = growthOf(counts);
  ASSERT_TRUE(growth.stopped_seconds);
  EXPECT_EQ(*growth.stopped_seconds, 27 * 60);
}

TEST(Growth, StopsAlsoWithALittleTraffic) {
  std::vector<double> counts = rampAndPlateau(20, 10, 10);
  for (size_t i = 20; i < counts.size(); ++i)
    counts[i] += static_cast<double>(i % 3);
  EXPECT_TRUE(growthOf(counts).stopped_seconds);
}

TEST(Growth, DoesNotStopBeforeAnybodyCouldSeeIt) {
  EXPECT_FALSE(growthOf(rampAndPlateau(20, 1, 0)).stopped_seconds);
  // Too few points, and too few fds that would have come.
  EXPECT_FALSE(growthOf(rampAndPlateau(20, 10, 2)).stopped_seconds);
  EXPECT_FALSE(growthOf(rampAndPlateau(23, 1, 8)).stopped_seconds);
  EXPECT_TRUE(growthOf(rampAndPlateau(23, 1, 14)).stopped_seconds);
  // Nor is a little more in the first moments a growth.
  EXPECT_FALSE(growthOf(rampAndPlateau(4, 6, 30)).stopped_seconds);
}

TEST(Growth, DoesNotStopBetweenTwoSteps) {
  std::vector<double> counts;
  for (int step = 0; step < 4; ++step)
    counts.insert(counts.end(), 10, 10 + 30 * step);
  EXPECT_FALSE(growthOf(counts).stopped_seconds);
  // Twice as long as ever before.
  counts.insert(counts.end(), 12, 100);
  EXPECT_TRUE(growthOf(counts).stopped_seconds);
}

TEST(Growth, DoesNotStopAfterABurst) {
  EXPECT_FALSE(growthOf({10, 11, 12, 900, 14, 15, 16, 17, 18, 19, 20, 21}).stopped_seconds);
}

TEST(Growth, GoesOnAfterAPause) {
  std::vector<double> counts = rampAndPlateau(15, 5, 8);
  for (int i = 1; i <= 8; ++i)
    counts.push_back(80 + 5 * i);
  EXPECT_FALSE(growthOf(counts).stopped_seconds);
}

TEST(Growth, HasTheRateOfItsEndInItsRange) {
  // One of five kinds has reached a limit of its own.
  std::vector<double> counts;
  for (int i = 0; i < 40; ++i)
    counts.push_back(i < 30 ? 10 + 5 * i : 155 + 4 * (i - 29));
  const Growth growth = growthOf(counts);
  EXPECT_LE(growth.low_per_hour, 4.4 * 60);
  EXPECT_GE(growth.high_per_hour, 5 * 60);
  EXPECT_FALSE(growth.stopped_seconds);
}

TEST(Growth, ThatFallsAtItsEndIncludesZero) {
  std::vector<double> counts;
  for (int i = 0; i < 40; ++i)
    counts.push_back(i < 30 ? 10 + 5 * i : 155 - 3 * (i - 29));
  EXPECT_LE(growthOf(counts).low_per_hour, 0);
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
  EXPECT_DOUBLE_EQ(estimateGrowth({{0, 0}, {0, 100}, {60, 50}}).per_hour.value(), 0);
}

TEST(Growth, OfVeryManyPoints) {
  std::vector<double> counts;
  counts.reserve(5000);
  for (int i = 0; i < 5000; ++i)
    counts.push_back(i);
  const Growth growth = growthOf(counts);
  EXPECT_DOUBLE_EQ(growth.per_hour.value(), 60);
  EXPECT_EQ(growth.points, 500U);
}

TEST(Growth, InWords) {
  const auto words = [](double low, double high) {
    return rateInWords({.points = 9, .per_hour = low, .low_per_hour = low, .high_per_hour = high});
  };
  EXPECT_EQ(words(0, 0), "none");
  EXPECT_EQ(words(3600, 3600), "+1.0 fds a second");
  EXPECT_EQ(words(3599.999, 3600), "+1.0 fds a second");
  EXPECT_EQ(words(60, 120), "+1.0 to +2.0 fds a minute");
  EXPECT_EQ(words(-30, 120), "-0.5 to +2.0 fds a minute");
  EXPECT_EQ(words(0, 2), "0 to +2.0 fds an hour");
  EXPECT_EQ(words(0.5, 0.5), "+12.0 fds a day");
  EXPECT_EQ(words(720'000, 720'000), "+200 fds a second");
}

// --- the forecast ---

constexpr int64_t kHourNs = 3'600'000'000'000;

/// 10 to 20 an hour, at 100 of 400.
Growth risingGrowth() {
  return {.points = 9,
          .per_hour = 15,
          .low_per_hour = 10,
          .high_per_hour = 20,
          .reason = {},
          .seconds = 4 * 3600};
}

Filling filling() {
  return {.count = 100, .limit = 400, .now_ns = 1000 * kHourNs};
}

TEST(Forecast, IsARange) {
  const Forecast forecast = forecastExhaustion(risingGrowth(), filling());
  // 1015 to 1030, in steps of 6 hours.
  EXPECT_EQ(forecast.from_ns, 1014 * kHourNs);
  EXPECT_EQ(forecast.at_ns, 1020 * kHourNs);
  EXPECT_EQ(forecast.to_ns, 1032 * kHourNs);
  EXPECT_EQ(forecast.reason, "");
}

/// Why there is none.
std::string refused(const Growth& growth, const Filling& filling) {
  const Forecast forecast = forecastExhaustion(growth, filling);
  EXPECT_FALSE(forecast.at_ns);
  return forecast.reason;
}

TEST(Forecast, IsRefusedWithTheReason) {
  Growth spans = risingGrowth();
  spans.low_per_hour = -5;
  EXPECT_EQ(refused(spans, filling()),
            "the range of its growth includes zero: -5.0 to +20.0 fds an hour");
  spans.low_per_hour = 0;
  EXPECT_EQ(refused(spans, filling()),
            "the range of its growth includes zero: 0 to +20.0 fds an hour");
  Growth few = risingGrowth();
  few.points = 4;
  EXPECT_EQ(refused(few, filling()), "fewer than 5 snapshots");
  EXPECT_EQ(refused({.per_hour = {}, .reason = "fewer than 3 snapshots"}, filling()),
            "fewer than 3 snapshots");
  EXPECT_EQ(refused({.points = 9, .per_hour = 0, .reason = {}}, filling()), "it does not grow");

  Filling stopped = filling();
  stopped.stopped_at = "noon";
  EXPECT_EQ(refused(risingGrowth(), stopped), "the growth stopped at noon");
  Filling ended = filling();
  ended.has_ended = true;
  EXPECT_EQ(refused(risingGrowth(), ended), "the process ended");
  Filling unlimited = filling();
  unlimited.limit = std::nullopt;
  EXPECT_EQ(refused(risingGrowth(), unlimited), "no limit is known");
  Filling over = filling();
  over.limit = 50;
  EXPECT_EQ(refused(risingGrowth(), over), "it has more fds than its limit allows");
  Filling far = filling();
  far.limit = 1'000'000;
  EXPECT_EQ(refused(risingGrowth(), far), "it is more than a year away");
  Growth brief = risingGrowth();
  brief.seconds = 719;
  EXPECT_EQ(refused(brief, filling()),
            "12 min of growth are too short for a limit that is 20 h away");
  brief.seconds = 720;
  EXPECT_EQ(forecastExhaustion(brief, filling()).reason, "");
}

constexpr int64_t kSecondNs = 1'000'000'000;

/// From so many fds at 1000 h of 1024, in s after that: from, at, to.
std::vector<int64_t> secondsLeft(double per_second, double low, double high, double count) {
  const Growth growth{.points = 50,
                      .per_hour = per_second * 3600,
                      .low_per_hour = low * 3600,
                      .high_per_hour = high * 3600,
                      .reason = {},
                      .seconds = 98};
  const int64_t now_ns = 1000 * kHourNs + 38 * kSecondNs;
  const Forecast forecast =
      forecastExhaustion(growth, {.count = count, .limit = 1024, .now_ns = now_ns});
  EXPECT_EQ(forecast.reason, "");
  std::vector<int64_t> seconds;
  for (const int64_t time_ns : {forecast.from_ns, forecast.at_ns.value_or(0), forecast.to_ns})
    seconds.push_back((time_ns - 1000 * kHourNs) / kSecondNs);
  return seconds;
}

TEST(Forecast, IsNoMoreExactThanItsRangeAllows) {
  // 680 s away, give or take 12: whole minutes.
  EXPECT_EQ(secondsLeft(1.3, 1.28, 1.32, 140), (std::vector<int64_t>{660, 720, 780}));
  // Half a minute away, but not before the last snapshot.
  EXPECT_EQ(secondsLeft(1, 0.9, 1.1, 1020), (std::vector<int64_t>{38, 60, 60}));
  // Some 20 minutes of range: 15 minutes.
  EXPECT_EQ(secondsLeft(0.5, 0.4, 0.9, 140), (std::vector<int64_t>{900, 1800, 2700}));
}

TEST(Forecast, OfAVerySlowLowRateStaysATime) {
  Growth growth = risingGrowth();
  growth.low_per_hour = 1e-300;
  const Forecast forecast = forecastExhaustion(growth, filling());
  ASSERT_TRUE(forecast.at_ns);
  EXPECT_GT(forecast.to_ns, *forecast.at_ns);
}

}  // namespace

}  // namespace fdmortem::test
