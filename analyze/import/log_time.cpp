#include "analyze/import/log_time.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <limits>
#include <string>

namespace fdmortem {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerDay = 86'400 * kNsPerSecond;

bool isAlphanumeric(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};

bool monthName(TimeScanner& scanner, std::string_view text, int& month) {
  const std::string_view name = text.substr(std::min(scanner.position(), text.size()), 3);
  const auto found = std::find_if(kMonths.begin(), kMonths.end(), [&](std::string_view month_name) {
    return std::equal(name.begin(), name.end(), month_name.begin(), month_name.end(),
                      [](char a, char b) { return (a | 0x20) == b; });
  });
  if (found == kMonths.end()) return false;
  for (int i = 0; i < 3; ++i)
    scanner.anyOf(text.substr(scanner.position(), 1));
  month = static_cast<int>(found - kMonths.begin()) + 1;
  return true;
}

/// `2026-11-22T09:47:05.123Z`, `2026/11/22 09:47:05`.
std::optional<LogTime> isoTime(std::string_view text) {
  TimeScanner scanner(text);
  LogTime found;
  CivilTime& time = found.time;
  if (!scanner.digits(4, time.year)) return {};
  const char separator = scanner.anyOf("-/");
  if (separator == '\0' || !scanner.digits(2, time.month) || !scanner.literal(separator) ||
      !scanner.digits(2, time.day) || scanner.anyOf("T _") == '\0' || !scanner.timeOfDay(time)) {
    return {};
  }
  scanner.zone(time);
  return found;
}

/// `22/Nov/2026:09:47:05 +0000`, `22-Nov-2026 09:47:05.123`, `22 Nov 2026 09:47:05,123`.
std::optional<LogTime> dayMonthYear(std::string_view text) {
  TimeScanner scanner(text);
  LogTime found;
  CivilTime& time = found.time;
  if (!scanner.digits(2, time.day) && !scanner.digits(1, time.day)) return {};
  const char separator = scanner.anyOf("/- ");
  if (separator == '\0' || !monthName(scanner, text, time.month) || !scanner.literal(separator) ||
      !scanner.digits(4, time.year) || scanner.anyOf(": ") == '\0' || !scanner.timeOfDay(time)) {
    return {};
  }
  scanner.zone(time);
  return found;
}

/// `Nov 22 09:47:05`, `Nov  2 09:47:05.123456 2026`.
std::optional<LogTime> monthDay(std::string_view text) {
  TimeScanner scanner(text);
  LogTime found{.time = {}, .has_year = false};
  CivilTime& time = found.time;
  if (!monthName(scanner, text, time.month) || !scanner.literal(' ')) return {};
  const bool is_padded = scanner.literal(' ');
  if (!(!is_padded && scanner.digits(2, time.day)) && !scanner.digits(1, time.day)) return {};
  if (!scanner.literal(' ') || !scanner.timeOfDay(time)) return {};
  const TimeScanner before = scanner;
  found.has_year = scanner.literal(' ') && scanner.digits(4, time.year) &&
                   !isAlphanumeric(scanner.next()) && time.year >= 1970;
  if (!found.has_year) scanner = before;
  scanner.zone(time);
  return found;
}

/// glog: `E1122 09:47:05.123456`, `E20261122 09:47:05.123456`.
std::optional<LogTime> glogTime(std::string_view text) {
  TimeScanner scanner(text);
  LogTime found;
  CivilTime& time = found.time;
  if (scanner.anyOf("IWEFDV") == '\0') return {};
  const TimeScanner start = scanner;
  const auto rest = [&] {
    return scanner.digits(2, time.month) && scanner.digits(2, time.day) && scanner.literal(' ') &&
           scanner.timeOfDay(time);
  };
  if (scanner.digits(4, time.year) && rest()) return found;
  scanner = start;
  found.has_year = false;
  if (rest()) return found;
  return {};
}

std::optional<LogTime> fromEpoch(std::optional<int64_t> time_ns) {
  if (!time_ns) return {};
  CivilTime time{.year = 1970, .month = 1, .day = 1, .offset_s = 0};
  // Days and what is left of one: civil times know no other unit that is as large.
  const auto days = std::chrono::sys_days(std::chrono::days(*time_ns / kNsPerDay));
  const std::chrono::year_month_day date(days);
  time.year = static_cast<int>(date.year());
  time.month = static_cast<int>(static_cast<unsigned>(date.month()));
  time.day = static_cast<int>(static_cast<unsigned>(date.day()));
  const int64_t rest_ns = *time_ns % kNsPerDay;
  const auto seconds = static_cast<int>(rest_ns / kNsPerSecond);
  time.hour = seconds / 3600;
  time.minute = seconds / 60 % 60;
  time.second = seconds % 60;
  time.fraction_ns = static_cast<int>(rest_ns % kNsPerSecond);
  return LogTime{.time = time};
}

/// The first time in a text of any form.
std::optional<LogTime> firstTime(std::string_view text) {
  text = text.substr(0, kLogTimeWithin);
  for (size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && isAlphanumeric(text[at - 1])) continue;
    const std::string_view rest = text.substr(at);
    const bool is_digit = rest[0] >= '0' && rest[0] <= '9';
    auto found = is_digit ? isoTime(rest) : monthDay(rest);
    if (!found) found = is_digit ? dayMonthYear(rest) : javaUtilTime(rest);
    if (found) return found;
  }
  return {};
}

/// The value of a key of logfmt, without its quotes.
std::optional<std::string_view> logfmtValue(std::string_view line, std::string_view key) {
  for (size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    const bool is_word = at == 0 || line[at - 1] == ' ';
    std::string_view rest = line.substr(at + key.size());
    if (!is_word || rest.empty() || rest[0] != '=') continue;
    rest.remove_prefix(1);
    if (!rest.empty() && rest[0] == '"') rest.remove_prefix(1);
    return rest;
  }
  return {};
}

/// A value that is a time and nothing but.
std::optional<LogTime> timeValue(std::string_view value) {
  if (const auto epoch = epochTime(value)) return fromEpoch(epoch);
  return isoTime(value);
}

std::optional<LogTime> jsonTime(const nlohmann::json& object) {
  for (const char* key : {"_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "time", "ts",
                          "timestamp", "@timestamp", "t", "date"}) {
    const auto value = object.find(key);
    if (value == object.end()) continue;
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    if (const auto found = timeValue(text)) return found;
  }
  return {};
}

}  // namespace

std::optional<LogTime> findLogTime(std::string_view line) {
  std::optional<LogTime> found;
  if (const auto object = parseJsonLine(line); !object.is_null()) found = jsonTime(object);
  for (const std::string_view key : {"ts", "time", "timestamp", "t"}) {
    if (found) break;
    if (const auto value = logfmtValue(line, key)) found = timeValue(*value);
  }
  if (!found) found = fromEpoch(epochTime(line));
  if (!found) found = glogTime(line);
  if (!found) found = firstTime(line);
  return found;
}

std::optional<int64_t> epochTime(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<size_t>(end - text.data());
  if (error != std::errc() || number <= 0) return {};
  int64_t unit_ns = 0;
  switch (length) {
    case 10:
      unit_ns = kNsPerSecond;
      break;
    case 13:
      unit_ns = 1'000'000;
      break;
    case 16:
      unit_ns = 1000;
      break;
    case 19:
      unit_ns = 1;
      break;
    default:
      return {};
  }
  if (number >= std::numeric_limits<int64_t>::max() / unit_ns) return {};
  int64_t time_ns = number * unit_ns;
  size_t at = length;
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      unit_ns /= 10;
      time_ns += (text[at] - '0') * unit_ns;
    }
  }
  if (at < text.size() && isAlphanumeric(text[at])) return {};
  return time_ns;
}

std::optional<LogTime> javaUtilTime(std::string_view text) {
  TimeScanner scanner(text);
  LogTime found;
  CivilTime& time = found.time;
  if (!monthName(scanner, text, time.month) || !scanner.literal(' ') ||
      !scanner.digits(2, time.day) || !scanner.literal(',') || !scanner.literal(' ') ||
      !scanner.digits(4, time.year) || !scanner.literal(' ')) {
    return {};
  }
  if (!(scanner.digits(2, time.hour) || scanner.digits(1, time.hour)) || !scanner.literal(':') ||
      !scanner.digits(2, time.minute) || !scanner.literal(':') || !scanner.digits(2, time.second) ||
      !scanner.literal(' ')) {
    return {};
  }
  const char half = scanner.anyOf("AP");
  if (half == '\0' || !scanner.literal('M') || time.hour < 1 || time.hour > 12) return {};
  time.hour = time.hour % 12 + (half == 'P' ? 12 : 0);
  return found;
}

nlohmann::json parseJsonLine(std::string_view line) {
  if (line.empty() || line.front() != '{') return {};
  auto object = nlohmann::json::parse(line, nullptr, false);
  return object.is_object() ? object : nlohmann::json();
}

std::optional<int64_t> withNearestYear(CivilTime time, std::pair<int64_t, int64_t> recorded_ns) {
  const auto [from_ns, to_ns] = recorded_ns;
  const auto year_of = [](int64_t ns) {
    const std::chrono::sys_time<std::chrono::nanoseconds> time_point{std::chrono::nanoseconds(ns)};
    const auto day = std::chrono::floor<std::chrono::days>(time_point);
    return static_cast<int>(std::chrono::year_month_day(day).year());
  };
  std::optional<int64_t> best;
  int64_t best_distance_ns = 0;
  for (time.year = year_of(from_ns) - 1; time.year <= year_of(to_ns) + 1; ++time.year) {
    const auto candidate = nanosecondsOf(time);
    if (!candidate) continue;  // the 29th of February
    const int64_t distance_ns = std::max({from_ns - *candidate, *candidate - to_ns, int64_t{0}});
    if (best && distance_ns >= best_distance_ns) continue;
    best = candidate;
    best_distance_ns = distance_ns;
  }
  return best;
}

}  // namespace fdmortem
