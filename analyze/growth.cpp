#include "analyze/growth.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include <fmt/core.h>

namespace fdmortem {
namespace {

constexpr size_t kMinimumPoints = 3;
/// A forecast further away than this is none.
constexpr double kMaximumForecastHours = 24.0 * 365;
constexpr double kNsPerHour = 3600e9;
/// Nor is one over so many times what was recorded.
constexpr double kMaximumStretch = 100;
/// A growth has stopped when less than one part in so many of it goes on, where it would be so many
/// fds by now, for so many times as long as it ever stood still before.
constexpr double kStillPart = 10;
constexpr double kVisibleGrowth = 10;
constexpr double kStillTimes = 2;
constexpr size_t kMinimumStillPoints = 3;
/// The level at a time is the median of so many points.
constexpr size_t kLevelPoints = 3;
/// From fewer points the last third is not looked at by itself.
constexpr size_t kMinimumEndPoints = 12;
constexpr int64_t kMinuteNs = 60'000'000'000;
/// How exact a time of a forecast can be.
constexpr std::array<int64_t, 6> kForecastUnitsNs = {
    kMinuteNs, 5 * kMinuteNs, 15 * kMinuteNs, 60 * kMinuteNs, 360 * kMinuteNs, 1440 * kMinuteNs};

std::vector<CountPoint> thinOut(const std::vector<CountPoint>& points) {
  if (points.size() <= kMaximumGrowthPoints) return points;
  std::vector<CountPoint> thinned;
  for (size_t i = 0; i < kMaximumGrowthPoints; ++i) {
    thinned.push_back(points[i * (points.size() - 1) / (kMaximumGrowthPoints - 1)]);
  }
  return thinned;
}

/// The slopes between points that are at least so many seconds apart.
std::vector<double> slopes(const std::vector<CountPoint>& points, double apart_seconds) {
  std::vector<double> result;
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t j = i + 1; j < points.size(); ++j) {
      const double seconds = points[j].seconds - points[i].seconds;
      if (seconds > 0 && seconds >= apart_seconds) {
        result.push_back((points[j].count - points[i].count) / seconds);
      }
    }
  }
  return result;
}

/// The value below which a part of all lie; between two of them where it falls there.
double quantile(std::vector<double>& values, double part) {
  const double place = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const double low = values[static_cast<size_t>(below)];
  const double rest = place - static_cast<double>(below);
  if (rest == 0) return low;
  const double high = *std::min_element(values.begin() + below + 1, values.end());
  return low + (high - low) * rest;
}

/// The place of the first of the points at which the number stands still to the end.
struct Stop {
  size_t place = 0;
  double tolerance = 0;  ///< what still counts as standing still
};

/// Whether it stands still from a place on, after a growth that would be visible since then.
std::optional<Stop> standsStillFrom(const std::vector<CountPoint>& points, size_t place,
                                    double range) {
  const CountPoint& at = points[place];
  const double growth = at.count - points.front().count;
  const double before = at.seconds - points.front().seconds;
  if (growth < kMinimumGrowth || before <= 0) return std::nullopt;
  const double expected = growth / before * (points.back().seconds - at.seconds);
  const double tolerance = std::min(expected, growth) / kStillPart;
  if (expected < kVisibleGrowth || range > tolerance) return std::nullopt;
  return Stop{.place = place, .tolerance = tolerance};
}

/// The longest time before a stop in which it stood as still, as between two steps.
double longestStill(const std::vector<CountPoint>& points, const Stop& stop) {
  double longest = 0;
  for (size_t first = 0; first < stop.place; ++first) {
    double low = points[first].count, high = low;
    for (size_t i = first + 1; i <= stop.place; ++i) {
      low = std::min(low, points[i].count);
      high = std::max(high, points[i].count);
      if (high - low > stop.tolerance) break;
      longest = std::max(longest, points[i].seconds - points[first].seconds);
    }
  }
  return longest;
}

/// When the number was first what it is most of the time since a place: that it stands still there
/// leaves room for the end of the growth.
double reachedLevel(const std::vector<CountPoint>& points, size_t place) {
  std::vector<double> counts;
  for (size_t i = place; i < points.size(); ++i)
    counts.push_back(points[i].count);
  const double level = quantile(counts, 0.5);
  while (points[place].count < level)
    ++place;
  return points[place].seconds;
}

/// When a growth stopped that went on before; empty: it did not, or nobody can see it yet.
std::optional<double> stopOf(const std::vector<CountPoint>& points) {
  if (points.size() <= kMinimumStillPoints) return std::nullopt;
  std::vector<double> ranges(points.size());
  double low = points.back().count, high = low;
  for (size_t i = points.size(); i-- > 0;) {
    low = std::min(low, points[i].count);
    high = std::max(high, points[i].count);
    ranges[i] = high - low;
  }
  for (size_t place = kMinimumStillPoints; place + kMinimumStillPoints < points.size(); ++place) {
    const auto stop = standsStillFrom(points, place, ranges[place]);
    if (!stop) continue;
    const double still = points.back().seconds - points[place].seconds;
    if (still < kStillTimes * longestStill(points, *stop)) return std::nullopt;
    return reachedLevel(points, place);
  }
  return std::nullopt;
}

/// The slope of the last third, between the medians of some points at its ends; empty: too few of
/// them are in it.
std::optional<double> endSlope(const std::vector<CountPoint>& points) {
  const double from = points.back().seconds - (points.back().seconds - points.front().seconds) / 3;
  size_t place = points.size() - 1;
  while (place > 0 && points[place].seconds > from)
    --place;
  const auto level = [&](size_t first) {
    std::vector<double> counts;
    for (size_t i = first; i < std::min(first + kLevelPoints, points.size()); ++i)
      counts.push_back(points[i].count);
    return quantile(counts, 0.5);
  };
  const size_t last = points.size() - kLevelPoints;
  if (place + kLevelPoints > last) return std::nullopt;
  // Each level is that of the middle of its points.
  const double seconds =
      points[last + kLevelPoints / 2].seconds - points[place + kLevelPoints / 2].seconds;
  if (seconds <= 0) return std::nullopt;
  return (level(last) - level(place)) / seconds;
}

struct Unit {
  double per_hour;
  const char* name;
};

/// The unit in which a rate is easy to imagine.
Unit unitOf(double per_hour) {
  // A little less than a whole one, since a rate is seldom exact.
  if (per_hour >= 3599) return {3600, "a second"};
  if (per_hour >= 59.9) return {60, "a minute"};
  if (per_hour >= 0.999) return {1, "an hour"};
  return {1.0 / 24, "a day"};
}

/// A time that is left, as coarse as its use: "98 s", "27 h".
std::string roughly(double hours) {
  if (hours < 2.0 / 60) return fmt::format("{:.0f} s", hours * 3600);
  if (hours < 2) return fmt::format("{:.0f} min", hours * 60);
  if (hours < 48) return fmt::format("{:.0f} h", hours);
  return fmt::format("{:.0f} days", hours / 24);
}

/// What a forecast of that range, so far away, is exact to.
int64_t forecastUnit(int64_t range_ns, int64_t left_ns) {
  const int64_t exact_to = std::max(range_ns, left_ns / 10);
  int64_t unit = kForecastUnitsNs.front();
  for (const int64_t candidate : kForecastUnitsNs) {
    if (candidate <= exact_to) unit = candidate;
  }
  return unit;
}

/// The same in whole units; times are after 1970.
Forecast rounded(const Forecast& exact, int64_t now_ns) {
  const int64_t unit = forecastUnit(exact.to_ns - exact.from_ns, *exact.at_ns - now_ns);
  const auto down = [&](int64_t time_ns) { return time_ns / unit * unit; };
  Forecast forecast = exact;
  forecast.from_ns = std::max(down(exact.from_ns), now_ns);
  forecast.to_ns = down(exact.to_ns + unit - 1);
  forecast.at_ns = std::clamp(down(*exact.at_ns + unit / 2), forecast.from_ns, forecast.to_ns);
  return forecast;
}

/// Most of the slopes are of the time before: what goes on is what there was last.
void includeTheEnd(const std::vector<CountPoint>& points, Growth& growth) {
  if (growth.stopped_seconds) growth.low_per_hour = std::min(growth.low_per_hour, 0.0);
  if (points.size() < kMinimumEndPoints) return;
  const auto end = endSlope(points);
  if (!end) return;
  growth.low_per_hour = std::min(growth.low_per_hour, *end * 3600);
  growth.high_per_hour = std::max(growth.high_per_hour, *end * 3600);
}

}  // namespace

Growth estimateGrowth(const std::vector<CountPoint>& points) {
  if (points.size() < kMinimumPoints) {
    return {.points = points.size(), .per_hour = {}, .reason = "fewer than 3 snapshots"};
  }
  const std::vector<CountPoint> sample = thinOut(points);
  const bool is_flat = std::all_of(sample.begin(), sample.end(), [&](const CountPoint& point) {
    return point.count == sample.front().count;
  });
  // Most processes of a host stand still; there is nothing to sort for them.
  if (is_flat) return {.points = sample.size(), .per_hour = 0, .reason = {}};
  std::vector<double> all = slopes(sample, 0);
  if (all.empty()) {
    return {.points = sample.size(), .per_hour = {}, .reason = "no time between the snapshots"};
  }
  const double median = quantile(all, 0.5);
  const double total = sample.back().seconds - sample.front().seconds;
  std::vector<double> apart = slopes(sample, total / 3);
  Growth growth{.points = sample.size(),
                .per_hour = median * 3600,
                .low_per_hour = std::min(median, quantile(apart, 0.05)) * 3600,
                .high_per_hour = std::max(median, quantile(apart, 0.95)) * 3600,
                .reason = {},
                .seconds = total,
                .stopped_seconds = stopOf(sample)};
  includeTheEnd(sample, growth);
  return growth;
}

std::string rateInWords(const Growth& growth) {
  const double largest = std::max(std::abs(growth.low_per_hour), std::abs(growth.high_per_hour));
  const Unit unit = unitOf(largest);
  const auto number = [&](double per_hour) {
    const double value = per_hour / unit.per_hour;
    return std::abs(value) >= 99.95 ? fmt::format("{:+.0f}", value) : fmt::format("{:+.1f}", value);
  };
  const std::string low = number(growth.low_per_hour);
  const std::string high = number(growth.high_per_hour);
  const auto is_zero = [](const std::string& text) { return text == "+0.0" || text == "-0.0"; };
  if (is_zero(low) && is_zero(high)) return "none";
  if (low == high) return fmt::format("{} fds {}", low, unit.name);
  return fmt::format("{} to {} fds {}", is_zero(low) ? "0" : low, is_zero(high) ? "0" : high,
                     unit.name);
}

Forecast forecastExhaustion(const Growth& growth, const Filling& filling) {
  const auto refuse = [](std::string reason) { return Forecast{.reason = std::move(reason)}; };
  if (filling.has_ended) return refuse("the process ended");
  if (!filling.limit) return refuse("no limit is known");
  if (!growth.per_hour) return refuse(growth.reason);
  if (growth.points < kMinimumForecastPoints)
    return refuse(fmt::format("fewer than {} snapshots", kMinimumForecastPoints));
  if (!filling.stopped_at.empty()) return refuse("the growth stopped at " + filling.stopped_at);
  if (growth.high_per_hour <= 0) return refuse("it does not grow");
  if (growth.low_per_hour <= 0) {
    return refuse(fmt::format("the range of its growth includes zero: {}", rateInWords(growth)));
  }
  const double left = static_cast<double>(*filling.limit) - filling.count;
  if (left < 0) return refuse("it has more fds than its limit allows");
  const double hours_left = left / *growth.per_hour;
  if (hours_left > kMaximumForecastHours) return refuse("it is more than a year away");
  if (hours_left * 3600 > kMaximumStretch * growth.seconds) {
    return refuse(fmt::format("{} of growth are too short for a limit that is {} away",
                              roughly(growth.seconds / 3600), roughly(hours_left)));
  }
  const auto after = [&](double per_hour) {
    const double hours = std::min(left / per_hour, 10 * kMaximumForecastHours);
    return filling.now_ns + static_cast<int64_t>(std::llround(hours * kNsPerHour));
  };
  return rounded({.at_ns = after(*growth.per_hour),
                  .from_ns = after(growth.high_per_hour),
                  .to_ns = after(growth.low_per_hour),
                  .reason = {}},
                 filling.now_ns);
}

}  // namespace fdmortem
