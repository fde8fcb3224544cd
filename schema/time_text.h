// Points in time as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fdmortem {

/// UTC, ISO 8601 with milliseconds: `2026-11-22T08:12:39.123Z`. Any 64-bit value has a text.
std::string formatTime(int64_t wall_ns);

/// The reverse, for what people type: `2026-11-22T08:12:39Z`, also with a space, without seconds,
/// with a fraction, with an offset (`+01:00`), the date alone (its midnight). Without `Z` or an
/// offset it is UTC all the same. Empty if it is none of these.
std::optional<int64_t> parseTime(std::string_view text);

/// The last moment that `text` can mean: as parseTime, but a time that formatTime wrote stands for
/// all of its millisecond. For the end of a range, which includes what is shown with that time.
std::optional<int64_t> parseTimeEnd(std::string_view text);

/// A time at the beginning of a longer text.
struct TimePrefix {
  int64_t wall_ns = 0;
  bool has_zone = false;  ///< `Z`, `UTC` or an offset is written; else it was taken for UTC
  size_t length = 0;      ///< of what was read
};

/// As parseTime, of what `text` begins with; a date alone is no time here.
std::optional<TimePrefix> parseTimePrefix(std::string_view text);

}  // namespace fdmortem
