// Durations on a command line.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace fdmortem {

/// Turns `500ms`, `10s`, `5m`, `2h` and `1d` into milliseconds; anything else is a usage error.
/// (CLI11's own AsNumberWithUnit also takes `s` alone for 1 s, and hexadecimal numbers.)
inline CLI::Validator durationInMs() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
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
        text = std::to_string(number * unit->second);
        return {};
      },
      "");
}

}  // namespace fdmortem
