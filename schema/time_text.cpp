#include "schema/time_text.h"

#include <time.h>

#include <fmt/core.h>

#include "schema/time_scan.h"

namespace fdmortem {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

}  // namespace

std::string formatTime(int64_t wall_ns) {
  int64_t seconds = wall_ns / kNsPerSecond;
  int64_t rest_ns = wall_ns % kNsPerSecond;
  if (rest_ns < 0) {
    rest_ns += kNsPerSecond;
    --seconds;
  }
  const time_t time = seconds;
  tm parts{};
  gmtime_r(&time, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     rest_ns / 1'000'000);
}

std::optional<TimePrefix> parseTimePrefix(std::string_view text) {
  TimeScanner scanner(text);
  CivilTime time;
  const bool has_date = scanner.digits(4, time.year) && scanner.literal('-') &&
                        scanner.digits(2, time.month) && scanner.literal('-') &&
                        scanner.digits(2, time.day);
  if (!has_date || scanner.anyOf("T ") == '\0' || !scanner.timeOfDay(time, false)) return {};
  scanner.zone(time);
  const auto wall_ns = nanosecondsOf(time);
  if (!wall_ns) return {};
  return TimePrefix{
      .wall_ns = *wall_ns, .has_zone = time.offset_s.has_value(), .length = scanner.position()};
}

std::optional<int64_t> parseTime(std::string_view text) {
  constexpr size_t kDateLength = 10;
  if (text.size() == kDateLength) return parseTime(std::string(text) + "T00:00");
  const auto prefix = parseTimePrefix(text);
  if (!prefix || prefix->length != text.size()) return {};
  return prefix->wall_ns;
}

std::optional<int64_t> parseTimeEnd(std::string_view text) {
  constexpr int64_t kRestOfMillisecondNs = 999'999;
  const auto wall_ns = parseTime(text);
  if (!wall_ns || *wall_ns % (kRestOfMillisecondNs + 1) != 0) return wall_ns;
  return *wall_ns + kRestOfMillisecondNs;  // parseTime takes none that is so near the last of all
}

}  // namespace fdmortem
