// Sizes on a command line.
#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace fdmortem {

/// As one types it, in the largest unit that gives a whole number: `1M`, `200K`.
inline std::string sizeText(uint64_t bytes) {
  struct Unit {
    unsigned shift;
    const char* name;
  };
  for (const Unit unit : {Unit{40, "T"}, {30, "G"}, {20, "M"}, {10, "K"}}) {
    const uint64_t one = uint64_t{1} << unit.shift;
    if (bytes > 0 && bytes % one == 0) return std::to_string(bytes / one) + unit.name;
  }
  return std::to_string(bytes);
}

/// Turns `200M` and `2G` into bytes: K, M, G and T are powers of 1024. Anything else is a usage
/// error, and so is what is not within the limits.
inline CLI::Validator sizeInBytes(uint64_t minimum = 0, uint64_t maximum = uint64_t{1} << 62) {
  return CLI::Validator(
      [minimum, maximum](std::string& text) -> std::string {
        static const std::map<std::string, unsigned> kShifts = {
            {"", 0}, {"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}};
        uint64_t number = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, number);
        const auto shift = kShifts.find(std::string(rest, end));
        if (error != std::errc() || shift == kShifts.end() ||
            number > (uint64_t{1} << 62 >> shift->second)) {
          return text + " is no size such as 200M or 2G";
        }
        const uint64_t bytes = number << shift->second;
        if (bytes < minimum || bytes > maximum) {
          return text + " is not from " + sizeText(minimum) + " to " + sizeText(maximum);
        }
        text = std::to_string(bytes);
        return {};
      },
      "");
}

}  // namespace fdmortem
