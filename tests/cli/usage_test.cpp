// Command lines, exit statuses, and files that are not touched.
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

/// Of a file that -o names.
constexpr const char* kAdvice = "; -o takes a free name or an archive";

void playNothing(Cue& cue) {
  cue.await();
}

/// Something to record, and where.
class CommandLine : public ::testing::Test {
 protected:
  ProgramResult record(const std::string& file, std::vector<std::string> more = {"-n", "1"}) {
    std::vector<std::string> arguments = {"record", "-o", file, "-p", pid()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runFdcapture(arguments);
  }
  std::string pid() const { return std::to_string(actor.pid()); }

  /// It fails with one line that names the file and says why, and leaves all as it was.
  void expectRefused(const std::string& file, const std::string& reason,
                     const std::string& advice = "") {
    const auto names = namesIn(directory.path());
    const bool is_regular = std::filesystem::is_regular_file(file);
    const std::string before = is_regular ? contentOf(file) : "";
    const ProgramResult result = record(file);
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err, "fdcapture: " + file + ": " + reason + advice + "\n");
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(namesIn(directory.path()), names);
    if (is_regular) {
      EXPECT_TRUE(contentOf(file) == before) << "it was written to";
    }
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor{playNothing};
};

TEST_F(CommandLine, WrongUsageIsTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"unknown"},
      {"record"},
      {"record", "-p", pid()},
      {"record", "-o", database},
      {"record", "-o", database, "-p", "0"},
      {"record", "-o", database, "-p", "init"},
      {"record", "-o", database, "-p", pid(), "-i", "10"},
      {"record", "-o", database, "-p", pid(), "-i", "0s"},
      {"record", "-o", database, "-p", pid(), "-i", "soon"},
      {"record", "-o", database, "-p", pid(), "-d", "-1s"},
      {"record", "-o", database, "-p", pid(), "-n", "0"},
      {"record", "-o", database, "-p", pid(), "--unknown"},
      {"copy", database},
  };
  for (const auto& arguments : wrong) {
    const ProgramResult result = runFdcapture(arguments);
    EXPECT_EQ(result.status, 2) << Json(arguments);
    EXPECT_NE(result.err, "") << Json(arguments);
    EXPECT_EQ(result.out, "") << Json(arguments);
  }
  EXPECT_TRUE(namesIn(directory.path()).empty()) << "no file is made";

  ASSERT_EQ(record(database).status, 0);
  const std::vector<std::vector<std::string>> wrong_analysis = {
      {},
      {"unknown", database},
      {"report"},
      {"report", database, "-f", "pdf"},
      {"sockets", database, "--verdict", "dead"},
      {"sockets", database, "--verdict", "outlived,dead"},
      {"outlived", database, "--grace", "30"},
      {"outlived", database, "--from", "yesterday"},
      {"diff", database, "first"},
      {"sql", database},
      {"report", database, "--from", "2026-11-22T10:00Z", "--to", "2026-11-22T09:00Z"},
      {"snapshots", database, "--from", "10:00"},
      {"snapshots", database, "--to", "2026-02-30"},
      {"check"},
      {"export", database},
      {"export", database, "-o", directory.file("e"), "--to", "xml"},
      {"export", database, "-o", directory.file("e"), "--since", "now"},
      {"report", database, "--mark", "deployed"},
      {"report", database, "--log-timezone", "CET"},
      {"report", database, database},
      {"report", database, "--max-time", "0s"},
      {"report", database, "--max-memory", "0"},
      {"check", database, "-f", "csv"},
  };
  for (const auto& arguments : wrong_analysis) {
    const ProgramResult result = runFdanalyze(arguments);
    EXPECT_EQ(result.status, 2) << Json(arguments);
    EXPECT_NE(result.err, "") << Json(arguments);
    EXPECT_EQ(result.out, "") << Json(arguments);
  }
}

TEST_F(CommandLine, WhatWasMeantIsSaid) {
  const std::string file = directory.file("x.db");
  struct Slip {
    std::vector<std::string> arguments;
    std::string reason;  ///< and the command whose help tells more
    std::string command;
  };
  for (const Slip& slip : std::vector<Slip>{
           {{"recrod", "-o", file}, "there is no command 'recrod'; did you mean 'record'?", ""},
           {{"--verison"}, "there is no option '--verison'; did you mean '--version'?", ""},
           {{"record", "-o", file, "--pdi", "1"},
            "there is no option '--pdi'; did you mean '--pid'?",
            " record"},
           {{"record", "-o", file, "--pid", "sshd"},
            "--pid: 'sshd' is no pid; processes are chosen by name with --comm",
            " record"},
           {{"record", "-o", file, "--pid", "4194305"},
            "--pid: '4194305' is not in the range 1 to 4194304",
            " record"},
           {{"record", "--out=" + file, "-p", "1"},
            "there is no option '--out'; did you mean '--output'?",
            " record"},
           {{"record", "-o", file, "-p", "1", "--zzzz"}, "there is no option '--zzzz'", " record"},
           {{"dance\x1b[31m"}, "there is no command 'dance\\x1b[31m'", ""}}) {
    const ProgramResult result = runFdcapture(slip.arguments);
    EXPECT_EQ(result.status, 2);
    EXPECT_EQ(result.err, "fdcapture: " + slip.reason + "\n'fdcapture" + slip.command +
                              " --help' tells what there is.\n");
  }
  EXPECT_EQ(runFdanalyze({"reprot", file}).err,
            "fdanalyze: there is no command 'reprot'; did you mean 'report'?\n"
            "'fdanalyze --help' tells what there is.\n");
  EXPECT_EQ(runFdanalyze({"report", file, "--formta", "html"}).err,
            "fdanalyze: there is no option '--formta'; did you mean '--format'?\n"
            "'fdanalyze report --help' tells what there is.\n");
}

TEST_F(CommandLine, VersionTellsTheFormatAndTheLibraries) {
  for (const std::string& text :
       {runFdcapture({"--version"}).out, runFdanalyze({"--version"}).out}) {
    EXPECT_NE(text.find("\narchive format 3\n"), std::string::npos) << text;
    for (const char* library : {"SQLite 3.", "zstd 1.", "libsodium 1."})
      EXPECT_NE(text.find(library), std::string::npos) << text;
  }
}

TEST_F(CommandLine, HelpAndVersionAreZero) {
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"--version"}, {"record", "--help"}, {"copy", "--help"}}) {
    EXPECT_EQ(runFdcapture(arguments).status, 0) << Json(arguments);
    EXPECT_EQ(runFdcapture(arguments).err, "") << Json(arguments);
  }
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"--help"}, {"--version"}, {"report", "--help"}, {"sql", "--help"}}) {
    EXPECT_EQ(runFdanalyze(arguments).status, 0) << Json(arguments);
    EXPECT_EQ(runFdanalyze(arguments).err, "") << Json(arguments);
  }
}

TEST_F(CommandLine, WhatFailsIsOneAndNamed) {
  ASSERT_EQ(record(database).status, 0);
  const std::string missing = directory.file("missing.db");
  const std::string compressed = directory.file("app.log.gz");
  writeFile(compressed, "\x1f\x8b\b and so on");
  EXPECT_EQ(runFdanalyze({"report", missing}).status, 1);
  EXPECT_EQ(runFdanalyze({"report", missing}).err,
            "fdanalyze: " + missing + ": No such file or directory\n");
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"diff", database, "first", "99"},
                                             {"report", database, "--log", missing},
                                             {"report", database, "--log", directory.path()},
                                             {"report", database, "--log", compressed},
                                             {"report", database, "--from", "2200-01-01"},
                                             {"sql", database, "SELECT"},
                                             {"sql", database, "SELECT 1; SELECT 2"},
                                             {"sql", database, "CREATE TABLE x (y)"},
                                             {"sql", database, "ATTACH '" + missing + "' AS x"},
                                             {"sql", database, "DELETE FROM snapshot"}}) {
    const ProgramResult result = runFdanalyze(arguments);
    EXPECT_EQ(result.status, 1) << Json(arguments);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "") << Json(arguments);
  }
  EXPECT_EQ(namesIn(directory.path()), (std::vector<std::string>{"app.log.gz", "f.db"}));
}

TEST_F(CommandLine, ACopyOfAnArchiveIsNotCountedTwice) {
  ASSERT_EQ(record(database).status, 0);
  const std::string copy = directory.file("copy.db");
  std::filesystem::copy_file(database, copy);
  for (const std::string& other : {copy, database}) {
    const ProgramResult result = runFdanalyze({"report", database, other});
    EXPECT_EQ(result.status, 2);
    EXPECT_TRUE(result.err.starts_with("fdanalyze: " + other + ": ")) << result.err;
    EXPECT_EQ(result.out, "");
  }
}

TEST_F(CommandLine, CheckTellsWhatDoesNotHold) {
  ASSERT_EQ(record(database).status, 0);
  const ProgramResult whole = runFdanalyze({"check", database});
  EXPECT_EQ(whole.status, 0) << whole.out;
  EXPECT_TRUE(whole.out.starts_with(database + ": ok; snapshots: 1; recordings: 1; SHA-256: "));
  EXPECT_EQ(analyze({"check", database}).at("ok"), true);

  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(database.c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "UPDATE fd_change SET change = 2 WHERE rowid = 1", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(handle);
  const ProgramResult edited = runFdanalyze({"check", database});
  EXPECT_EQ(edited.status, 1);
  EXPECT_NE(edited.out.find("a change in the first snapshot of a recording"), std::string::npos);
  EXPECT_EQ(edited.err, "fdanalyze: " + database + ": 2 problems\n");
  EXPECT_NE(edited.out.find("the rows of the snapshot are not those that it stands for"),
            std::string::npos);
  const Json result = Json::parse(runFdanalyze({"check", database, "-f", "json"}).out);
  EXPECT_EQ(result.at("ok"), false);
  EXPECT_EQ(result.at("problems").size(), 2U);

  const std::string missing = directory.file("missing.db");
  EXPECT_EQ(runFdanalyze({"check", missing}).err,
            "fdanalyze: " + missing + ": No such file or directory\n");
}

TEST_F(CommandLine, NoSuchPidMakesNoFile) {
  Actor ended(playNothing);
  ended.dismiss();
  const std::string pid = std::to_string(ended.pid());
  const ProgramResult result = runFdcapture({"record", "-o", database, "-p", pid, "-n", "1"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "fdcapture: no such process: " + pid +
                            "; it has ended, or never was; '--comm NAME' finds processes by name, "
                            "later ones too\n");
  EXPECT_TRUE(namesIn(directory.path()).empty());
}

// One that exists is recorded, and the other is named.
TEST_F(CommandLine, OneMissingPidOfTwoIsThree) {
  Actor ended(playNothing);
  ended.dismiss();
  const std::string missing = std::to_string(ended.pid());
  const ProgramResult result = record(database, {"-p", missing, "-n", "2", "-i", "20ms"});
  EXPECT_EQ(result.status, 3);
  EXPECT_NE(result.err.find("fdcapture: " + missing + ": open: No such process\n"),
            std::string::npos)
      << result.err;
  EXPECT_EQ(valuesOf(query(database, "SELECT pid FROM processes"), "pid"), Json({actor.pid()}));
  EXPECT_EQ(query(database, "SELECT pid, operation FROM failure"),
            Json({{{"pid", ended.pid()}, {"operation", "open"}}}));
}

TEST_F(CommandLine, OtherFilesAreLeftAsTheyWere) {
  const std::string empty = directory.file("empty");
  writeFile(empty, "");
  expectRefused(empty, "an empty file, not a database, so no archive of fdcapture", kAdvice);

  const std::string text = directory.file("text");
  writeFile(text, std::string(4000, 'x'));
  expectRefused(text, "not an SQLite database, so no archive of fdcapture", kAdvice);

  const std::string byte = directory.file("byte");
  writeFile(byte, "S");
  expectRefused(byte, "not an SQLite database, so no archive of fdcapture", kAdvice);

  const std::string foreign = directory.file("foreign.db");
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(foreign.c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "CREATE TABLE t (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
  expectRefused(foreign, "an SQLite database of another program, so no archive of fdcapture",
                kAdvice);

  const std::string folder = directory.file("folder");
  std::filesystem::create_directory(folder);
  expectRefused(folder, "not a regular file", kAdvice);

  const std::string fifo = directory.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  expectRefused(fifo, "not a regular file", kAdvice);

  const std::string link = directory.file("link");
  std::filesystem::create_symlink(text, link);
  expectRefused(link, "not an SQLite database, so no archive of fdcapture", kAdvice);
}

TEST_F(CommandLine, ANewerFormatIsLeftAsItWas) {
  ASSERT_EQ(record(database).status, 0);
  std::string content = contentOf(database);
  ASSERT_EQ(content[63], 3);
  content[63] = 4;  // the last byte of user_version
  writeFile(database, content);
  const std::string reason =
      "archive format version 4; this program knows version 3: a newer "
      "fdmortem reads it";
  expectRefused(database, reason, kAdvice);
  const ProgramResult read = runFdanalyze({"report", database});
  EXPECT_EQ(read.status, 1);
  EXPECT_EQ(read.err, "fdanalyze: " + database + ": " + reason + "\n");
}

TEST_F(CommandLine, AnotherSchemaIsLeftAsItWas) {
  ASSERT_EQ(record(database).status, 0);
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(database.c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "CREATE TABLE more (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(handle);
  expectRefused(database, "the schema is not the one of this format version");
}

TEST_F(CommandLine, AJournalBesideItIsLeftAsItWas) {
  ASSERT_EQ(record(database).status, 0);
  const std::string journal = database + "-journal";
  writeFile(journal, "whatever");
  expectRefused(database, "there is a " + journal + ", which no fdcapture leaves behind");
  EXPECT_EQ(contentOf(journal), "whatever");
  for (const char* command : {"report", "snapshots"}) {
    EXPECT_EQ(runFdanalyze({command, database}).status, 1);
  }
  EXPECT_EQ(runFdcapture({"copy", database, directory.file("copy.db")}).status, 1);
  EXPECT_EQ(namesIn(directory.path()), (std::vector<std::string>{"f.db", "f.db-journal"}));
  EXPECT_EQ(contentOf(journal), "whatever");
}

TEST_F(CommandLine, CountAndDurationEndIt) {
  EXPECT_EQ(record(database, {"-n", "3", "-i", "10ms"}).status, 0);
  EXPECT_EQ(analyze({"snapshots", database}).size(), 3U);
  const std::string other = directory.file("other.db");
  EXPECT_EQ(record(other, {"-d", "300ms", "-i", "100ms"}).status, 0);
  const Json snapshots = analyze({"snapshots", other});
  EXPECT_GE(snapshots.size(), 1U);
  EXPECT_LE(snapshots.size(), 3U);  // none at the very end
  EXPECT_EQ(queryValue(other, "SELECT end_reason FROM recording"), "duration");
  EXPECT_EQ(queryValue(database, "SELECT end_reason FROM recording"), "count");
}

TEST_F(CommandLine, QuietSaysNothing) {
  const ProgramResult quiet = record(database, {"-n", "1", "-q"});
  EXPECT_EQ(quiet.status, 0);
  EXPECT_EQ(quiet.err, "");
  EXPECT_EQ(quiet.out, "");
}

TEST_F(CommandLine, ThereIsANoteAndTheCommandLine) {
  ASSERT_EQ(record(database, {"-n", "1", "--note", "ticket 4711\n\x1b[31m"}).status, 0);
  EXPECT_EQ(queryValue(database, "SELECT note FROM recording"), "ticket 4711\\n\\x1b[31m");
  const Json options =
      Json::parse(queryValue(database, "SELECT options FROM recording").get<std::string>());
  EXPECT_EQ(options.at(0), "record");
  EXPECT_EQ(options.at(4), pid());
}

}  // namespace
}  // namespace fdmortem::test
