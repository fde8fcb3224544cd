// A report of all rows beside one of those that it is brief with (analyze/import/settled.h).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "analyze/analysis.h"
#include "capture/snapshot.h"

namespace fdmortem::test {

/// The rows of a query, a line each.
std::string rowsAsText(const Analysis& analysis, const std::string& sql);

/// Fds that are in the one alone.
struct LeftOut {
  int64_t fds = 0;
  int64_t open = 0;  ///< of these: open at the end
};

/// Expects them to say the same.
LeftOut compareReports(const std::string& path);

/// Records what `next` gives for 0, 1, ..., in two recordings of one boot; in one where the first
/// has all `snapshots`.
void recordAll(const std::string& path, int snapshots, int first_recording, int per_keyframe,
               const std::function<Snapshot(int place)>& next);

}  // namespace fdmortem::test
