// The time that a line of an application's log tells, in the forms that programs write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "schema/time_scan.h"

namespace fdmortem {

/// A time stands at the beginning of a line, after a level, a host or a pid at most.
inline constexpr size_t kLogTimeWithin = 160;

/// A time as it is found in a line.
struct LogTime {
  CivilTime time;
  bool has_year = true;
};

/// Of JSON lines, logfmt, seconds since 1970, glog, or the first time of any other form that is
/// known. Empty: there is none.
std::optional<LogTime> findLogTime(std::string_view line);

/// `Nov 22, 2026 9:47:05 AM`, as the first line of two that java.util.logging's SimpleFormatter
/// writes begins. Empty: it does not.
std::optional<LogTime> javaUtilTime(std::string_view text);

/// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its size: from
/// 2001 to 2262, where the nanoseconds end. In nanoseconds; empty: it is none.
std::optional<int64_t> epochTime(std::string_view text);

/// Nanoseconds since 1970, with the year with which the time is nearest to the recording. Empty:
/// there is no such day.
std::optional<int64_t> withNearestYear(CivilTime time, std::pair<int64_t, int64_t> recorded_ns);

/// The object that a line is; null if it is none.
nlohmann::json parseJsonLine(std::string_view line);

}  // namespace fdmortem
