#include "schema/command_line/usage_error.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "schema/printable.h"

namespace fdmortem {
namespace {

/// The optimal string alignment distance
/// (https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance).
size_t slipsBetween(const std::string& a, const std::string& b) {
  std::vector<size_t> before;  // the row before the last one
  std::vector<size_t> last(b.size() + 1);
  std::iota(last.begin(), last.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    std::vector<size_t> row = {i};
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t other = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      size_t slips = std::min({other, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        slips = std::min(slips, before[j - 2] + 1);
      }
      row.push_back(slips);
    }
    before = std::move(last);
    last = std::move(row);
  }
  return last.back();
}

std::vector<std::string> commandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> optionsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      names.push_back("--" + name);
  }
  return names;
}

std::string unknown(const std::string& kind, const std::string& typed,
                    const std::vector<std::string>& words) {
  const std::string meant = closestWord(typed, words);
  return fmt::format("there is no {} '{}'{}", kind, printable(typed),
                     meant.empty() ? "" : fmt::format("; did you mean '{}'?", meant));
}

/// The command that has the option, which was given without a command; empty: several or none have.
std::string commandWith(const CLI::App& app, const std::string& option) {
  std::string found;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (command->get_option_no_throw(option) == nullptr) continue;
    if (!found.empty()) return {};
    found = command->get_name();
  }
  return found;
}

/// Where an option has another name in one command than in the others.
std::string otherNameIn(const std::string& command, const std::string& option) {
  if (command != "export") return {};
  if (option == "--from") return "'--since TIME' (and '--until TIME')";
  if (option == "-f" || option == "--format") return "'--to FORMAT'";
  return {};
}

}  // namespace

std::string closestWord(const std::string& typed, const std::vector<std::string>& words) {
  std::vector<std::string> longer;
  std::copy_if(words.begin(), words.end(), std::back_inserter(longer),
               [&](const std::string& word) { return word.starts_with(typed); });
  if (longer.size() == 1) return longer.front();
  constexpr size_t kLongest = 64;  // nobody's slip
  if (typed.size() > kLongest) return {};
  std::string closest;
  size_t fewest = std::max<size_t>(typed.size() / 3, 1) + 1;
  for (const std::string& word : words) {
    const size_t slips = slipsBetween(typed, word);
    if (slips >= fewest) continue;
    fewest = slips;
    closest = word;
  }
  return closest;
}

std::string usageError(const CLI::App* app, const CLI::Error& error) {
  const auto given = app->get_subcommands();
  const CLI::App& command = given.empty() ? *app : *given.front();
  std::string reason = printableOnce(error.what());
  // What CLI11 does not know it lays aside; that something else is missing may only follow from it.
  const std::vector<std::string> rest = app->remaining(true);
  const auto option = std::find_if(rest.begin(), rest.end(), [](const std::string& word) {
    return word.size() > 1 && word.front() == '-' && word != "--";
  });
  if (given.empty() && !rest.empty() && option != rest.begin()) {
    reason = unknown("command", rest.front(), commandsOf(*app));
  } else if (option != rest.end()) {
    const std::string typed = option->substr(0, option->find('='));
    const std::string owner = given.empty() ? commandWith(*app, typed) : std::string();
    const std::string meant = otherNameIn(command.get_name(), typed);
    reason = unknown("option", typed, optionsOf(command));
    if (!owner.empty()) {
      reason =
          fmt::format("'{0}' is an option of '{1}', and the command is missing: {2} {1} {0} ...",
                      printable(typed), owner, app->get_name());
    } else if (!meant.empty()) {
      reason = fmt::format("there is no option '{}' in '{}'; it is {} here", printable(typed),
                           command.get_name(), meant);
    }
  }
  const std::string name = app->get_name() + (given.empty() ? "" : " " + command.get_name());
  return fmt::format("{}: {}\n'{} --help' tells what there is.\n", app->get_name(), reason, name);
}

}  // namespace fdmortem
