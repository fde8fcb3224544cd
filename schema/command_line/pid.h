// What --pid takes.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

namespace fdmortem {

/// Refuses what is no number from 1 to 4194304, the most that the kernel gives, and names --comm
/// for what looks like a name.
inline CLI::Validator pidNumber() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        if (text.empty()) return "is empty; is a variable not set?";
        const bool is_number = text.find_first_not_of("0123456789") == std::string::npos;
        if (!is_number && text.front() != '-')
          return "'" + text + "' is no pid; processes are chosen by name with --comm";
        constexpr size_t kMostDigits = 7;
        constexpr int kMost = 4'194'304;
        const bool is_pid = is_number && text.size() <= kMostDigits && std::stoi(text) >= 1 &&
                            std::stoi(text) <= kMost;
        return is_pid ? std::string() : "'" + text + "' is not in the range 1 to 4194304";
      },
      "");
}

}  // namespace fdmortem
