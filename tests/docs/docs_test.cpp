// What the documents say of the programs, compared with what the programs say of themselves.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/docs/help.h"
#include "tests/support/recording.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> markdownFiles() {
  std::vector<fs::path> files;
  for (auto entry = fs::recursive_directory_iterator(kSource);
       entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string name = entry->path().filename();
    if (entry->is_directory() && (name == "build" || name == ".git" || name == "out")) {
      entry.disable_recursion_pending();
    } else if (entry->path().extension() == ".md") {
      files.push_back(entry->path());
    }
  }
  return files;
}

/// The words of a command line as a shell takes them, up to a pipe or redirection. It knows both
/// kinds of quotes and nothing else.
std::vector<std::string> shellWords(const std::string& line) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  char quote = '\0';
  for (const char c : line) {
    if (quote != '\0') {
      if (c == quote) {
        quote = '\0';
      } else {
        *word += c;
      }
    } else if (c == '\'' || c == '"') {
      quote = c;
      if (!word) word.emplace();
    } else if (c == ' ') {
      if (word) words.push_back(*std::exchange(word, std::nullopt));
    } else if (c == '|' || c == '>' || c == '&') {
      break;
    } else {
      if (!word) word.emplace();
      *word += c;
    }
  }
  if (word) words.push_back(*word);
  return words;
}

/// The commands of our programs in the examples of a document: lines that are indented (in console
/// blocks, man pages, help texts), with or without a prompt.
std::vector<std::vector<std::string>> exampleCommands(const std::string& text) {
  std::vector<std::vector<std::string>> commands;
  const std::regex example("^\\s*(?:\\$ )?(?:sudo )?(fd(?:capture|analyze) [a-z]+ .*)$");
  for (const std::string& line : lines(text)) {
    std::smatch match;
    const bool is_indented = line.starts_with(' ') || line.starts_with('\t');
    const bool has_prompt = line.find("$ ") != std::string::npos;
    if ((is_indented || has_prompt) && std::regex_match(line, match, example)) {
      commands.push_back(shellWords(match[1]));
    }
  }
  return commands;
}

/// Runs a command as it is, where none of the files that it names are. Wrong usage is status 2; a
/// missing archive is another.
void expectToParse(std::vector<std::string> command, const fs::path& empty_directory) {
  std::string shown;
  for (const std::string& word : command)
    shown += word + ' ';
  command[0] = command[0] == "fdcapture" ? FDCAPTURE_PATH : FDANALYZE_PATH;
  // A recording would really begin: a proc file system that is not there ends it at once.
  if (command.size() > 1 && command[1] == "record") {
    command.insert(command.end(), {"--proc-root", (empty_directory / "proc").string()});
  }
  const ProgramResult result =
      runProgram(command, {}, kDeadline, {.environment = {}, .directory = empty_directory});
  EXPECT_EQ(result.status, 1) << shown << '\n' << result.err;
}

TEST(DocsTest, ManPagesNameEveryCommandAndOption) {
  for (const Program& program : programs()) {
    std::set<std::string> wanted = options(program.help());
    const auto commands = program.commands();
    ASSERT_FALSE(commands.empty()) << program.name;
    for (const std::string& command : commands) {
      EXPECT_NE(program.man_page.find("*" + program.name + ' ' + command + '*'), std::string::npos)
          << program.name << " has no synopsis of " << command;
      wanted.merge(options(program.help(command)));
    }
    ASSERT_GE(wanted.size(), 4U) << program.name;
    for (const std::string& option : wanted) {
      EXPECT_NE(program.man_page.find("*" + option + "*"), std::string::npos)
          << program.name << " has no " << option;
    }
  }
}

TEST(DocsTest, ManPagesNameNoOptionThatIsNotThere) {
  for (const Program& program : programs()) {
    std::set<std::string> known = options(program.help());
    for (const std::string& command : program.commands())
      known.merge(options(program.help(command)));
    for (const std::string& option : matches(program.man_page, "\\*(--?[a-z][a-z-]*)\\*")) {
      EXPECT_TRUE(known.contains(option)) << program.name << " does not know " << option;
    }
  }
}

TEST(DocsTest, ReadmeNamesEveryCommand) {
  const std::string readme = contentOf(kSource / "README.md");
  for (const Program& program : programs()) {
    const auto commands = program.commands();
    for (const std::string& command : commands) {
      EXPECT_NE(readme.find("| `" + program.name + ' ' + command + "` |"), std::string::npos)
          << program.name << ' ' << command;
    }
    const auto named = matches(readme, "\\| `" + program.name + " ([a-z]+)` \\|");
    EXPECT_EQ(named, commands) << program.name;
  }
}

/// Of a terminal on a laptop's screen.
constexpr size_t kScreenLines = 45;

TEST(DocsTest, HelpFitsAScreenAndHasTwoExamples) {
  for (const Program& program : programs()) {
    std::set<std::string> commands = program.commands();
    commands.insert("");
    for (const std::string& command : commands) {
      const std::string help = program.help(command);
      EXPECT_LE(lines(help).size(), kScreenLines) << help;
      for (const std::string& line : lines(help))
        EXPECT_LE(line.size(), 80U) << line;
      const auto examples =
          exampleCommands(help.substr(std::min(help.find("Examples:"), help.size())));
      EXPECT_GE(examples.size(), 2U) << help;
      for (const auto& example : examples) {
        EXPECT_TRUE(command.empty() || example.at(1) == command) << help;
      }
    }
  }
}

TEST(DocsTest, ExamplesParse) {
  std::vector<std::vector<std::string>> commands =
      exampleCommands(contentOf(kSource / "README.md"));
  EXPECT_GE(commands.size(), 4U);
  for (const Program& program : programs()) {
    std::string text = program.man_page.substr(program.man_page.find("# EXAMPLES"));
    std::erase(text, '\\');  // scdoc's escapes
    for (const std::string& command : program.commands())
      text += program.help(command);
    const auto found = exampleCommands(text);
    EXPECT_GE(found.size(), 4U) << program.name;
    commands.insert(commands.end(), found.begin(), found.end());
  }
  const TemporaryDirectory empty;
  for (const auto& command : commands)
    expectToParse(command, empty.path());
}

/// The names by which a page's headings can be linked to, as GitHub makes them.
std::set<std::string> anchorsOf(const std::string& page) {
  std::set<std::string> anchors;
  for (const std::string& heading : matches(page, "(?:^|\n)#+ ([^\n]+)")) {
    std::string anchor;
    for (const char c : heading) {
      if (c == ' ') anchor += '-';
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_') {
        anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
    }
    anchors.insert(anchor);
  }
  return anchors;
}

TEST(DocsTest, LinksResolve) {
  const std::regex link("\\]\\(([^)#\\s]*)(?:#([^)]*))?\\)");
  const auto files = markdownFiles();
  EXPECT_GE(files.size(), 4U);
  for (const fs::path& file : files) {
    const std::string text = contentOf(file);
    for (std::sregex_iterator match(text.begin(), text.end(), link), end; match != end; ++match) {
      const std::string target = (*match)[1];
      const std::string anchor = (*match)[2];
      if (target.find("://") != std::string::npos) continue;
      const fs::path page = target.empty() ? file : file.parent_path() / target;
      EXPECT_TRUE(fs::exists(page)) << file << ": " << target;
      if (!anchor.empty()) {
        EXPECT_TRUE(anchorsOf(contentOf(page)).contains(anchor)) << file << ": " << anchor;
      }
    }
  }
}

TEST(DocsTest, FilesThatAreNamedAreThere) {
  size_t count = 0;
  for (const fs::path& file : markdownFiles()) {
    for (const std::string& name :
         matches(contentOf(file),
                 "`((?:samples|tests|schema|capture|analyze|\\.ci)/[A-Za-z0-9_./-]+)[` ]")) {
      // The repository, or the folder of the page; samples/out is made by samples/run.
      if (name.starts_with("samples/out")) continue;
      EXPECT_TRUE(fs::exists(kSource / name) || fs::exists(file.parent_path() / name))
          << file << ": " << name;
      ++count;
    }
  }
  EXPECT_GE(count, 5U);
}

TEST(DocsTest, CommandsThatAreNamedAreThere) {
  for (const Program& program : programs()) {
    std::string text = program.man_page;
    for (const fs::path& file : markdownFiles())
      text += contentOf(file);
    const auto commands = program.commands();
    for (const std::string& command : matches(text, "[`*]" + program.name + " ([a-z]+)[ `*]"))
      EXPECT_TRUE(commands.contains(command)) << program.name << ' ' << command;
  }
}

// Its type and whether it can be NULL too.
TEST(DocsTest, TheSpecificationHasEveryColumn) {
  const std::string specification = contentOf(kSource / "schema/README.md");
  const auto sql = lines(contentOf(kSource / "schema/tables.sql"));
  const std::regex create("CREATE TABLE (\\w+) \\(");
  const std::regex column("  (\\w+) ([A-Z]+)(.*)");
  std::string section;
  size_t count = 0;
  for (const std::string& line : sql) {
    std::smatch match;
    if (std::regex_match(line, match, create)) {
      const std::string heading = "\n### `" + match[1].str() + "`\n";
      const size_t start = specification.find(heading);
      ASSERT_NE(start, std::string::npos) << heading;
      const size_t end = specification.find("\n##", start + heading.size());
      section = specification.substr(start, end - start);
    } else if (std::regex_match(line, match, column)) {
      ++count;
      const std::string row_start = "\n| `" + match[1].str() + "` | " + match[2].str() + " |";
      const size_t row = section.find(row_start);
      ASSERT_NE(row, std::string::npos) << section.substr(0, 40) << row_start;
      const std::string text = section.substr(row + 1, section.find('\n', row + 1) - row - 1);
      const bool can_be_null = match[3].str().find("NOT NULL") == std::string::npos &&
                               match[3].str().find("PRIMARY KEY") == std::string::npos;
      EXPECT_EQ(!text.ends_with("| never |"), can_be_null) << text;
    }
  }
  EXPECT_GT(count, 100U);
}

TEST(DocsTest, TheReadmeQuotesTheReport) {
  const std::string readme = contentOf(kSource / "README.md");
  const auto report = lines(contentOf(kSource / "samples/reports/leak-reset.txt"));
  const std::string start = "```text samples/leak-reset.db\n";
  const size_t place = readme.find(start);
  ASSERT_NE(place, std::string::npos);
  const size_t end = readme.find("```\n", place + start.size());
  size_t quoted = 0;
  auto next = report.begin();
  for (const std::string& line : lines(readme.substr(place, end - place))) {
    if (line == "[...]" || line.starts_with("```")) continue;
    next = std::find(next, report.end(), line);
    ASSERT_NE(next, report.end()) << line;
    ++next;
    ++quoted;
  }
  EXPECT_GE(quoted, 20U);
}

TEST(DocsTest, EveryRuleIsDescribed) {
  const std::string readme = contentOf(kSource / "schema/findings/README.md");
  for (const auto& entry : fs::directory_iterator(kSource / "schema/findings")) {
    if (entry.path().extension() != ".sql") continue;
    const std::string file = entry.path().filename();
    EXPECT_NE(readme.find("](" + file + ") | "), std::string::npos) << file;
  }
}

TEST(DocsTest, TheSpecificationHasEveryView) {
  const std::string specification = contentOf(kSource / "schema/README.md");
  for (const auto& entry : fs::directory_iterator(kSource / "schema/views")) {
    const std::string file = entry.path().filename();
    for (const std::string& name :
         matches(contentOf(entry.path()), "CREATE (?:TABLE|VIEW) ([a-z]\\w*) AS")) {
      std::string row = "\\| `(";
      row.append(name).append(")` \\|[^\n]*views/").append(file);
      const auto rows = matches(specification, row);
      EXPECT_EQ(rows.size(), 1U) << file << ": " << name;
    }
  }
}

}  // namespace
}  // namespace fdmortem::test
