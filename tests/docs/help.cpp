#include "tests/docs/help.h"

#include <cstddef>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> result;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    result.push_back(line);
  return result;
}

std::set<std::string> matches(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::set<std::string> result;
  for (std::sregex_iterator match(text.begin(), text.end(), expression), end; match != end; ++match)
    result.insert((*match)[1]);
  return result;
}

std::string Program::help(const std::string& command) const {
  std::vector<std::string> argv = {path};
  if (!command.empty()) argv.push_back(command);
  argv.emplace_back("--help");
  const ProgramResult result = runProgram(argv);
  EXPECT_EQ(result.status, 0) << name << ' ' << command << ": " << result.err;
  return result.out;
}

std::set<std::string> Program::commands() const {
  const std::string text = help();
  const size_t start = text.find("Subcommands:\n");
  if (start == std::string::npos) return {};
  const std::string list = text.substr(start, text.find("\n\n", start) - start);
  return matches(list, "\n  ([a-z]+) ");
}

std::vector<Program> programs() {
  return {{"fdcapture", FDCAPTURE_PATH, contentOf(kSource / "capture/fdcapture.1.scd")},
          {"fdanalyze", FDANALYZE_PATH, contentOf(kSource / "analyze/fdanalyze.1.scd")}};
}

std::set<std::string> options(const std::string& help) {
  std::set<std::string> result;
  for (const std::string& line : lines(help)) {
    if (!line.starts_with("  -")) continue;
    const std::string names = line.substr(2, line.find(' ', 2) - 2);
    result.merge(matches(names, "(?:^|,)(--?[a-z][a-z-]*)"));
  }
  return result;
}

}  // namespace fdmortem::test
