// How fast a number of fds grows.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fdmortem {

/// A number of fds at a point in time.
struct CountPoint {
  double seconds = 0;  ///< on the host's boot clock
  double count = 0;
};

/// Either a rate or the reason why there is none.
struct Growth {
  std::optional<double> per_hour;
  bool is_steady = false;  ///< three quarters of all pairs of points grow: it can be carried on
  std::string reason;      ///< printable; empty where there is a rate
};

/// The median of the slopes between all pairs of points (Theil and Sen): a burst or a few odd
/// points do not move it. `points` are in the order of time. No rate with fewer than 3 points or no
/// time between them.
Growth estimateGrowth(const std::vector<CountPoint>& points);

}  // namespace fdmortem
