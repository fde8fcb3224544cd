// What the programs say of themselves, for tests that compare something with it.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace fdmortem::test {

/// The root of the sources.
inline const std::filesystem::path kSource = FDMORTEM_SOURCE_DIR;

std::vector<std::string> lines(const std::string& text);

/// What the first group of `pattern` matches, all through `text`.
std::set<std::string> matches(const std::string& text, const std::string& pattern);

struct Program {
  std::string name;
  std::string path;
  std::string man_page;  ///< its source

  /// Its --help, or that of a command.
  std::string help(const std::string& command = {}) const;

  std::set<std::string> commands() const;
};

/// fdcapture and fdanalyze.
std::vector<Program> programs();

/// The options that a help text lists, short and long, with their hyphens.
std::set<std::string> options(const std::string& help);

}  // namespace fdmortem::test
