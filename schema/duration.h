// Durations on a command line.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <CLI/CLI.hpp>

namespace fdmortem {

/// Turns `500ms`, `10s`, `5m`, `2h` and `1d` into milliseconds; anything else is a usage error.
inline CLI::Validator durationInMs() {
  static const std::map<std::string, uint64_t> kUnits = {
      {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  return CLI::AsNumberWithUnit(
      kUnits,
      CLI::AsNumberWithUnit::Options(CLI::AsNumberWithUnit::CASE_SENSITIVE |
                                     CLI::AsNumberWithUnit::UNIT_REQUIRED),
      "DURATION");
}

}  // namespace fdmortem
