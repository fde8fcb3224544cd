// What people read when something is not as they meant it: what, why, and a way out.
#include <sys/mount.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class Words : public ::testing::Test {
 protected:
  ProgramResult record(const std::string& file, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"record", "-o", file, "-p", pid(), "-n", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runFdcapture(arguments);
  }
  std::string pid() const { return std::to_string(actor.pid()); }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor{[](Cue& cue) { cue.await(); }};
};

// --- whom to record, and of whom to report ---

TEST_F(Words, ANameThatNobodyHasIsTold) {
  const ProgramResult result =
      runFdcapture({"record", "-o", database, "--comm", "no-such-name", "-n", "1"});
  EXPECT_EQ(result.status, 0);
  EXPECT_TRUE(contains(result.err, "fdcapture: no process matches the selection yet\n"))
      << result.err;
  EXPECT_TRUE(contains(result.err, "no process matched the selection, so none is recorded\n"))
      << result.err;
}

TEST_F(Words, AnEmptyNameIsRefused) {
  for (const char* option : {"--comm", "--cgroup"}) {
    const ProgramResult result = runFdcapture({"record", "-o", database, option, "", "-n", "1"});
    EXPECT_EQ(result.status, 2);
    EXPECT_TRUE(contains(result.err, "is empty; is a variable not set?")) << result.err;
  }
  EXPECT_EQ(runFdanalyze({"report", database, "--comm", ""}).status, 2);
  EXPECT_TRUE(namesIn(directory.path()).empty());
}

TEST_F(Words, AReportOfNobodyTellsWhoIsThere) {
  ASSERT_EQ(record(database).status, 0);
  const ProgramResult result = runFdanalyze({"report", database, "--pid", "1"});
  EXPECT_TRUE(contains(result.out, "no recorded process is one that was asked for")) << result.out;
  EXPECT_TRUE(contains(result.out, "Recorded are ")) << result.out;
  EXPECT_TRUE(contains(result.out, "(pid " + pid() + ").")) << result.out;
}

// --- archives ---

// Who hands the report on must not hand on that there was one archive.
TEST_F(Words, AnArchiveThatCanNotBeReadIsInTheReport) {
  ASSERT_EQ(record(database).status, 0);
  const std::string text = directory.file("plain.txt");
  writeFile(text, "hello");
  const std::string reason = "not an SQLite database, so no archive of fdcapture";
  for (const char* format : {"text", "markdown", "html", "json"}) {
    const ProgramResult result = runFdanalyze({"report", database, text, "-f", format});
    EXPECT_EQ(result.status, 3);
    EXPECT_TRUE(contains(result.out, "plain.txt")) << result.out;
  }
  const Json report = Json::parse(runFdanalyze({"report", database, text, "-f", "json"}).out);
  EXPECT_EQ(report.at("unread_databases"), Json({{{"path", text}, {"reason", reason}}}));
  EXPECT_TRUE(contains(report.at("summary").dump(), reason)) << report.at("summary");
}

}  // namespace
}  // namespace fdmortem::test
