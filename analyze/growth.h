// How fast a number of fds grows, and when it reaches a limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fdmortem {

/// A number of fds at a point in time.
struct CountPoint {
  double seconds = 0;  ///< on the host's boot clock
  double count = 0;
};

/// Either a rate with its range, or the reason why there is none.
struct Growth {
  size_t points = 0;  ///< it was worked out from
  std::optional<double> per_hour;
  double low_per_hour = 0;  ///< low <= per_hour <= high
  double high_per_hour = 0;
  std::string reason;                     ///< printable; empty where there is a rate
  double seconds = 0;                     ///< from the first point to the last
  std::optional<double> stopped_seconds;  ///< it grew, and stands still since this point
};

/// A forecast needs so many.
inline constexpr size_t kMinimumForecastPoints = 5;
/// More are thinned out: all pairs of so many are 125,000 slopes.
inline constexpr size_t kMaximumGrowthPoints = 500;
/// Less than that is traffic, not a growth.
inline constexpr double kMinimumGrowth = 20;

/// The median of the slopes between all pairs of at most 500 points (Theil and Sen): a burst or a
/// few odd points do not move it. The range goes from the 5th to the 95th percentile of the slopes
/// between points that are at least a third of the time apart (neighbours tell of the noise and not
/// of the growth), and holds the median and the slope of the last third. It has stopped where at
/// the end at least 3 points are no more than a tenth of what the pace before would have given (10
/// fds at least, after 20) apart, for twice as long as it ever stood still before: then the range
/// reaches down to zero. `points` are in the order of time. No rate with fewer than 3 points or no
/// time between them.
Growth estimateGrowth(const std::vector<CountPoint>& points);

/// The range in words: "+1.2 to +1.4 fds a second", "none" if it rounds to nothing.
std::string rateInWords(const Growth& growth);

/// What the forecast starts from.
struct Filling {
  double count = 0;  ///< fds at the end that use up the limit
  std::optional<int64_t> limit;
  int64_t now_ns = 0;  ///< wall clock at the end
  bool has_ended = false;
  std::string stopped_at;  ///< when the growth stopped, in words; empty: it did not
};

/// When the limit is reached if the growth goes on: at the highest, the median and the lowest rate,
/// as exactly as can be said (see forecastExhaustion). Or the reason why that can't be said.
struct Forecast {
  std::optional<int64_t> at_ns;  ///< wall clock
  int64_t from_ns = 0;           ///< from_ns <= at_ns <= to_ns
  int64_t to_ns = 0;
  std::string reason;  ///< printable; empty where there is a forecast
};

/// Times are of whole minutes, or of a coarser unit up to a day that is not above the range or a
/// tenth of the time that is left; the range is rounded outwards, but not to before `now_ns`. There
/// is no forecast over more than a hundred times the time of the growth.
Forecast forecastExhaustion(const Growth& growth, const Filling& filling);

}  // namespace fdmortem
