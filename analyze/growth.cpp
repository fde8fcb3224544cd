#include "analyze/growth.h"

#include <algorithm>
#include <cstddef>

namespace fdmortem {
namespace {

/// All pairs of so many points are 125,000 slopes.
constexpr size_t kMaximumPoints = 500;

std::vector<CountPoint> thinOut(const std::vector<CountPoint>& points) {
  if (points.size() <= kMaximumPoints) return points;
  std::vector<CountPoint> thinned;
  for (size_t i = 0; i < kMaximumPoints; ++i) {
    thinned.push_back(points[i * (points.size() - 1) / (kMaximumPoints - 1)]);
  }
  return thinned;
}

}  // namespace

Growth estimateGrowth(const std::vector<CountPoint>& points) {
  if (points.size() < 3)
    return {.per_hour = {}, .is_steady = false, .reason = "fewer than 3 snapshots"};
  const std::vector<CountPoint> sample = thinOut(points);
  std::vector<double> slopes;
  slopes.reserve(sample.size() * (sample.size() - 1) / 2);
  for (size_t i = 0; i < sample.size(); ++i) {
    for (size_t j = i + 1; j < sample.size(); ++j) {
      const double seconds = sample[j].seconds - sample[i].seconds;
      if (seconds > 0) slopes.push_back((sample[j].count - sample[i].count) / seconds);
    }
  }
  if (slopes.empty())
    return {.per_hour = {}, .is_steady = false, .reason = "no time between the snapshots"};
  const auto middle = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 2);
  std::nth_element(slopes.begin(), middle, slopes.end());
  double median = *middle;
  if (slopes.size() % 2 == 0) median = (median + *std::max_element(slopes.begin(), middle)) / 2;
  const auto quarter = slopes.begin() + static_cast<std::ptrdiff_t>(slopes.size() / 4);
  std::nth_element(slopes.begin(), quarter, slopes.end());
  return {.per_hour = median * 3600, .is_steady = *quarter > 0, .reason = {}};
}

}  // namespace fdmortem
