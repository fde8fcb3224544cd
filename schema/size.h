// Sizes on a command line.
#pragma once

#include <charconv>
#include <cstdint>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace fdmortem {

/// Turns `200M` and `2G` into bytes: K, M, G and T are powers of 1024.
inline CLI::Validator sizeInBytes() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
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
        text = std::to_string(number << shift->second);
        return {};
      },
      "");
}

}  // namespace fdmortem
