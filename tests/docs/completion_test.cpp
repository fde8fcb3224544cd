// The completion of each shell, asked as the shell asks it: every command and option of --help is
// there.
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/docs/help.h"
#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

using Words = std::set<std::string>;

class Completion : public ::testing::Test {
 protected:
  /// Whether that shell is installed; makes the scripts if it is.
  bool make(const std::string& shell) {
    if (runProgram({"/usr/bin/env", shell, "-c", "true"}).status != 0) return false;
    for (const Program& program : programs()) {
      const ProgramResult result =
          runProgram({(kSource / "schema/completion/make").string(), shell, program.path});
      EXPECT_EQ(result.status, 0) << result.err;
      std::ofstream(file(program)) << result.out;
    }
    return true;
  }

  std::string file(const Program& program) const { return directory.file(program.name); }

  /// The first word of each line that a shell prints for a script.
  static Words ask(const std::string& shell, const std::string& script) {
    const ProgramResult result = runProgram({"/usr/bin/env", shell, "-c", script});
    EXPECT_EQ(result.err, "");
    return matches(result.out, "(?:^|\n)([^\\s]+)");
  }

  const TemporaryDirectory directory;
};

/// A line that somebody has typed so far: its words, the last one unfinished and perhaps empty.
std::string askBash(const std::string& file, const std::vector<std::string>& words) {
  std::string script = "compopt() { :; }\n. '" + file + "'\nCOMP_WORDS=(";
  for (const std::string& word : words)
    script += "'" + word + "' ";
  return script + ") COMP_CWORD=" + std::to_string(words.size() - 1) + "\n_" + words.front() +
         "\nprintf '%s\\n' \"${COMPREPLY[@]}\"";
}

TEST_F(Completion, BashHasEveryCommandAndOption) {
  ASSERT_TRUE(make("bash"));
  for (const Program& program : programs()) {
    Words first = program.commands();
    first.merge(options(program.help()));
    EXPECT_EQ(ask("bash", askBash(file(program), {program.name, ""})), first);
    for (const std::string& command : program.commands()) {
      EXPECT_EQ(ask("bash", askBash(file(program), {program.name, command, "-"})),
                options(program.help(command)))
          << command;
    }
  }
}

TEST_F(Completion, BashKnowsValues) {
  ASSERT_TRUE(make("bash"));
  const std::string script = file(programs()[1]);
  EXPECT_EQ(ask("bash", askBash(script, {"fdanalyze", "report", "x.db", "-f", ""})),
            (Words{"text", "markdown", "html", "json"}));
  EXPECT_EQ(ask("bash", askBash(script, {"fdanalyze", "sockets", "--verdict", "outlived,un"})),
            Words{"outlived,unlisted"});
  EXPECT_EQ(ask("bash", askBash(script, {"fdanalyze", "diff", "--by", ""})),
            (Words{"kind", "peer", "port"}));
}

TEST_F(Completion, FishHasEveryCommandAndOption) {
  if (!make("fish")) GTEST_SKIP() << "fish is not installed";
  for (const Program& program : programs()) {
    const std::string start = "set -x HOME " + directory.path().string() + "; source " +
                              file(program) + "; complete -C '" + program.name + " ";
    EXPECT_EQ(ask("fish", start + "'"), program.commands());
    for (const std::string& command : program.commands()) {
      const Words found = ask("fish", start + command + " -'");
      for (const std::string& option : options(program.help(command)))
        EXPECT_TRUE(found.contains(option)) << command << ' ' << option;
    }
  }
}

// zsh completes only in a terminal, so what its function hands to _arguments is looked at.
TEST_F(Completion, ZshHasEveryCommandAndOption) {
  if (!make("zsh")) GTEST_SKIP() << "zsh is not installed";
  for (const Program& program : programs()) {
    for (const std::string& command : program.commands()) {
      const Words found = ask("zsh",
                              "_describe() { print -l -- ${commands%%:*} }\n"
                              "_arguments() { print -l -- \"$@\"; state=argument; line=(" +
                                  command + ") }\n. " + file(program));
      Words options_found;
      for (const std::string& word : found)
        options_found.merge(matches(word, "^\\*(--?[a-z-]+)\\["));
      Words wanted = options(program.help(command));
      wanted.merge(options(program.help()));
      EXPECT_EQ(options_found, wanted) << command;
    }
    const Words listed = ask("zsh",
                             "_describe() { print -l -- ${commands%%:*} }\n"
                             "_arguments() { state=command; line=() }\n. " +
                                 file(program));
    EXPECT_EQ(listed, program.commands());
  }
}

}  // namespace
}  // namespace fdmortem::test
