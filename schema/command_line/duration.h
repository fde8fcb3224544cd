// Durations on a command line.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace fdmortem {

/// As one types it, in the largest unit that gives a whole number: `10s`, `31d`.
inline std::string durationText(uint64_t ms) {
  struct Unit {
    uint64_t ms;
    const char* name;
  };
  for (const Unit unit : {Unit{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1000, "s"}}) {
    if (ms > 0 && ms % unit.ms == 0) return std::to_string(ms / unit.ms) + unit.name;
  }
  return std::to_string(ms) + "ms";
}

/// Turns `500ms`, `10s`, `5m`, `2h` and `1d` into milliseconds; anything else is a usage error, and
/// so is what is not within the limits.
/// (CLI11's own AsNumberWithUnit also takes `s` alone for 1 s, and hexadecimal numbers.)
inline CLI::Validator durationInMs(uint64_t minimum_ms = 0,
                                   uint64_t maximum_ms = std::numeric_limits<int64_t>::max()) {
  return CLI::Validator(
      [minimum_ms, maximum_ms](std::string& text) -> std::string {
        static const std::map<std::string, uint64_t> kUnits = {
            {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
        uint64_t number = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, number);
        const auto unit = kUnits.find(std::string(rest, end));
        if (error != std::errc() || unit == kUnits.end() ||
            number > std::numeric_limits<int64_t>::max() / unit->second) {
          return text + " is no duration such as 500ms, 10s, 5m, 2h, 1d";
        }
        const uint64_t ms = number * unit->second;
        if (ms < minimum_ms || ms > maximum_ms) {
          return text + " is not from " + durationText(minimum_ms) + " to " +
                 durationText(maximum_ms);
        }
        text = std::to_string(ms);
        return {};
      },
      "");
}

}  // namespace fdmortem
