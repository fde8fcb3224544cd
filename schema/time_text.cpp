#include "schema/time_text.h"

#include <time.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>

#include <fmt/core.h>

namespace fdmortem {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

/// The digits after a decimal point as nanoseconds; empty if they are none.
std::optional<int64_t> parseFraction(std::string_view digits) {
  if (digits.empty() || digits.size() > 9) return {};
  int64_t value = 0;
  for (size_t i = 0; i < 9; ++i) {
    const char digit = i < digits.size() ? digits[i] : '0';
    if (digit < '0' || digit > '9') return {};
    value = value * 10 + (digit - '0');
  }
  return value;
}

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

std::optional<int64_t> parseTime(std::string_view text) {
  std::string rest(text);
  if (rest.ends_with('Z')) rest.pop_back();
  int64_t fraction_ns = 0;
  if (const size_t point = rest.find('.'); point != std::string::npos) {
    const auto fraction = parseFraction(std::string_view(rest).substr(point + 1));
    if (!fraction) return {};
    fraction_ns = *fraction;
    rest.resize(point);
  }
  constexpr std::array kFormats = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                   "%Y-%m-%d %H:%M", "%Y-%m-%d"};
  for (const char* format : kFormats) {
    tm parts{};
    const char* end = strptime(rest.c_str(), format, &parts);
    if (end == nullptr || *end != '\0') continue;
    const int day = parts.tm_mday;
    const int64_t seconds = timegm(&parts);
    if (parts.tm_mday != day) return {};  // a 30th of February
    if (std::abs(seconds) >= std::numeric_limits<int64_t>::max() / kNsPerSecond) return {};
    return seconds * kNsPerSecond + fraction_ns;
  }
  return {};
}

}  // namespace fdmortem
