// An analysis of a part of the recorded time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>

namespace fdmortem {

/// From when to when; empty: from the beginning, to the end.
struct TimeRange {
  std::optional<int64_t> from_ns;
  std::optional<int64_t> to_ns;
};

/// Cuts the imported tables in `analysis` (before the views are made) down to the snapshots of a
/// range. What is there at its first snapshot is known from those before and becomes Present, as in
/// a keyframe; what was before, such as a connection that had already gone, is not known any more,
/// but for what autopsies said. Returns a line that says which snapshots are left; empty if the
/// range is open at both ends. Throws std::runtime_error, one line, if there is no snapshot in it.
std::string narrow(const TimeRange& range, SQLite::Database& analysis);

}  // namespace fdmortem
