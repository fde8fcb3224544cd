// The archive file: while it is recorded, copied, continued, and left by a recorder that was
// killed.
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

using Names = std::vector<std::string>;

/// SQLite's header says how it is to be written and read: 1 without a write-ahead log, 2 with one.
bool isSealed(const std::string& file) {
  const std::string content = contentOf(file);
  return content.at(18) == 1 && content.at(19) == 1;
}

/// An own process with a connection.
class Archive : public ::testing::Test {
 protected:
  std::vector<std::string> selection() const { return selectPids({actor.pid()}); }
  ProgramResult record(std::vector<std::string> more) const {
    std::vector<std::string> arguments = {"record", "-o", database, "-p",
                                          std::to_string(actor.pid())};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runFdcapture(arguments);
  }
  Json snapshotNumbers() const { return valuesOf(analyze({"snapshots", database}), "snapshot"); }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  const Socket listener = listenOn("127.0.0.1");
  Actor actor{[address = listener.local()](Cue& cue) {
    const Socket socket = connectTo(address);
    cue.await();
  }};
};

TEST_F(Archive, IsContinuedByANewRecording) {
  ASSERT_EQ(record({"-n", "2", "-i", "10ms"}).status, 0);
  ASSERT_EQ(record({"-n", "3", "-i", "10ms"}).status, 0);
  ASSERT_EQ(record({"-n", "1"}).status, 0);
  const Json snapshots = analyze({"snapshots", database});
  EXPECT_EQ(valuesOf(snapshots, "recording"), Json({1, 1, 2, 2, 2, 3}));
  EXPECT_EQ(valuesOf(snapshots, "snapshot"), Json({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(query(database, "SELECT id, first_snapshot, last_snapshot FROM recording"),
            Json::parse(R"([{"id": 1, "first_snapshot": 1, "last_snapshot": 2},
                {"id": 2, "first_snapshot": 3, "last_snapshot": 5},
                {"id": 3, "first_snapshot": 6, "last_snapshot": 6}])"));
  // It is the same process, and the same connection of one fd.
  EXPECT_EQ(query(database, "SELECT * FROM processes").size(), 1U);
  const Json sockets = analyze({"sockets", database});
  ASSERT_EQ(sockets.size(), 1U);
  EXPECT_EQ(sockets[0].at("fd_first_seen"), snapshots.front().at("taken_at"));
  EXPECT_EQ(sockets[0].at("fd_last_seen"), snapshots.back().at("taken_at"));
  EXPECT_EQ(analyze({"diff", database, "first", "last"}), Json::array());
}

// Between two recordings nobody looked: the connection went in one of them or in between.
TEST_F(Archive, KnowsTheConnectionOfAnEarlierRecording) {
  ASSERT_EQ(record({"-n", "2", "-i", "10ms"}).status, 0);
  listener.accept().reset();
  ASSERT_EQ(record({"-n", "3", "-i", "10ms", "--no-autopsy"}).status, 0);
  const Json outlived = analyze({"outlived", database});
  ASSERT_EQ(outlived.size(), 1U);
  EXPECT_EQ(outlived[0].at("proof"), "history");
  EXPECT_EQ(outlived[0].at("remote"), listener.local().text());
  const Json snapshots = analyze({"snapshots", database});
  EXPECT_EQ(outlived[0].at("outlived_since"), snapshots[2].at("taken_at"));
}

TEST_F(Archive, IsOneFileAfterASignal) {
  int64_t expected = 0;
  for (const int signal : {SIGINT, SIGTERM}) {
    Recording recording(database, selection());
    recording.awaitSnapshots();
    recording.process().signal(signal);
    EXPECT_EQ(recording.wait(), 0) << recording.errors();
    EXPECT_EQ(namesIn(directory.path()), Names{"f.db"});
    EXPECT_TRUE(isSealed(database));
    ++expected;
    const Json reasons = query(database, "SELECT end_reason FROM recording ORDER BY id");
    EXPECT_EQ(static_cast<int64_t>(reasons.size()), expected);
    EXPECT_EQ(reasons.back().at("end_reason"), signal == SIGINT ? "SIGINT" : "SIGTERM");
  }
  EXPECT_EQ(std::filesystem::status(database).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(Archive, HasOneRecorderOnly) {
  Recording recording(database, selection());
  recording.awaitSnapshots();
  const ProgramResult second = record({"-n", "1"});
  EXPECT_EQ(second.status, 1);
  EXPECT_EQ(second.err, "fdcapture: " + database + ": fdcapture with pid " +
                            std::to_string(recording.process().pid()) + " is recording into it\n");
  recording.awaitSnapshots();
  EXPECT_EQ(recording.stop(), 0) << recording.errors();
  EXPECT_EQ(query(database, "SELECT id FROM recording").size(), 1U);
}

TEST_F(Archive, IsCopiedWhileItIsRecorded) {
  Recording recording(database, selection(), "20ms");
  const int64_t known = recording.awaitSnapshots();
  const std::string copy = directory.file("copy.db");
  const ProgramResult copied = runFdcapture({"copy", database, copy});
  ASSERT_EQ(copied.status, 0) << copied.err;
  EXPECT_TRUE(copied.out.ends_with("  " + copy + "\n")) << copied.out;
  recording.awaitSnapshots();
  EXPECT_EQ(recording.stop(), 0) << recording.errors();

  EXPECT_TRUE(isSealed(copy));
  EXPECT_EQ(namesIn(directory.path()), (Names{"copy.db", "f.db"}));
  EXPECT_GE(static_cast<int64_t>(analyze({"snapshots", copy}).size()), known);
  EXPECT_EQ(analyze({"sockets", copy, "--verdict", "connected"}).size(), 1U);
  const Json report = analyze({"report", copy});
  EXPECT_EQ(report.at("databases")[0].at("sha256"), copied.out.substr(0, 64));
  EXPECT_EQ(report.at("databases")[0].at("doubts").size(), 1U) << "it has no end";

  const std::string before = contentOf(copy);
  const ProgramResult again = runFdcapture({"copy", database, copy});
  EXPECT_EQ(again.status, 1);
  EXPECT_EQ(again.err, "fdcapture: " + copy + ": exists already; give a name that is free\n");
  EXPECT_TRUE(contentOf(copy) == before);
}

TEST_F(Archive, IsReadWhileItIsRecorded) {
  Recording recording(database, selection(), "1s");
  const int64_t known = recording.awaitSnapshots(1);
  EXPECT_GE(static_cast<int64_t>(analyze({"snapshots", database}).size()), known);
  EXPECT_EQ(recording.stop(), 0) << recording.errors();
}

TEST_F(Archive, KeepsEverySnapshotOfAKilledRecorder) {
  int64_t last = 0;
  {
    Recording recording(database, selection());
    last = recording.awaitSnapshots(3);
    recording.process().signal(SIGKILL);
    EXPECT_EQ(recording.wait(), -SIGKILL);
  }
  EXPECT_EQ(namesIn(directory.path()), (Names{"f.db", "f.db-ballast", "f.db-shm", "f.db-wal"}));
  EXPECT_FALSE(isSealed(database));
  const Json snapshots = analyze({"snapshots", database});
  EXPECT_GE(static_cast<int64_t>(snapshots.size()), last);
  const int64_t kept = snapshots.back().at("snapshot");
  EXPECT_EQ(static_cast<int64_t>(snapshots.size()), kept);
  const Json doubts = analyze({"report", database}).at("databases")[0].at("doubts");
  ASSERT_EQ(doubts.size(), 2U);
  EXPECT_TRUE(doubts[0].get<std::string>().starts_with("it was read together with its -wal"));
  EXPECT_TRUE(doubts[1].get<std::string>().starts_with("recording 1 has no end"));
  EXPECT_NE(runFdanalyze({"snapshots", database}).err.find("recording 1 has no end"),
            std::string::npos);

  // Without the -wal the newest are missing, which is said as well.
  const std::string lone = directory.file("lone.db");
  std::filesystem::copy_file(database, lone);
  const ProgramResult of_lone = runFdanalyze({"snapshots", lone});
  EXPECT_EQ(of_lone.status, 0);
  EXPECT_NE(of_lone.err.find("without its -wal"), std::string::npos) << of_lone.err;
  EXPECT_GE(analyze({"snapshots", lone}).size(), 1U) << "the first is there at once";
  // Nobody may take what is missing for nothing.
  const std::string verdict = analyze({"report", lone}).at("summary").at("verdict");
  EXPECT_EQ(verdict, "nothing was found that needs attention as far as " + lone +
                         " tells: it was copied without its -wal, and its newest snapshots may be "
                         "missing");
  std::filesystem::remove(lone);

  ASSERT_EQ(record({"-n", "2", "-i", "10ms"}).status, 0);
  EXPECT_EQ(namesIn(directory.path()), Names{"f.db"});
  EXPECT_TRUE(isSealed(database));
  const Json continued = analyze({"snapshots", database});
  ASSERT_EQ(static_cast<int64_t>(continued.size()), kept + 2);
  EXPECT_EQ(continued.back().at("snapshot"), kept + 2);
  EXPECT_EQ(continued.back().at("recording"), 2);
  EXPECT_EQ(analyze({"sockets", database, "--verdict", "connected"}).size(), 1U);
}

TEST_F(Archive, IsTheSameThroughASymbolicLink) {
  const std::string elsewhere = directory.file("elsewhere");
  std::filesystem::create_directory(elsewhere);
  const std::string link = elsewhere + "/link.db";
  {
    Recording recording(database, selection());
    recording.awaitSnapshots(3);
    recording.process().signal(SIGKILL);
    recording.wait();
  }
  std::filesystem::create_symlink(database, link);
  const ProgramResult by_name = runFdanalyze({"snapshots", database, "-f", "csv"});
  const ProgramResult by_link = runFdanalyze({"snapshots", link, "-f", "csv"});
  EXPECT_EQ(by_link.status, 0) << by_link.err;
  EXPECT_EQ(by_link.out, by_name.out) << by_link.err;

  Recording recording(link, selection());
  recording.awaitSnapshots(2);
  EXPECT_EQ(namesIn(elsewhere), Names{"link.db"});
  EXPECT_EQ(recording.stop(), 0) << recording.errors();
  EXPECT_EQ(namesIn(directory.path()), (Names{"elsewhere", "f.db"}));
}

/// What is in it would be counted twice.
TEST_F(Archive, IsNotReadTwice) {
  ASSERT_EQ(record({"-n", "1"}).status, 0);
  const std::string link = directory.file("link.db");
  std::filesystem::create_symlink(database, link);
  for (const std::string& again : {database, directory.path().string() + "/./f.db", link}) {
    for (const char* command : {"report", "outlived"}) {
      const ProgramResult result = runFdanalyze({command, database, again});
      EXPECT_EQ(result.status, 2) << command << " " << again;
      EXPECT_NE(result.err.find(again + ": "), std::string::npos) << result.err;
      EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    }
  }
}

/// It holds command lines and addresses of the host, as the archive does.
TEST_F(Archive, GivesFilesThatOnlyTheirOwnerReads) {
  ASSERT_EQ(record({"-n", "1"}).status, 0);
  const std::string file = directory.file("report.html");
  for (const mode_t mode : {0600, 0644}) {
    ASSERT_EQ(runFdanalyze({"report", database, "-f", "html", "-o", file}).status, 0);
    struct stat status {};
    ASSERT_EQ(stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, mode);
    chmod(file.c_str(), 0644);  // whoever lets others read it is not told otherwise
  }
}

/// Whatever ran out of room: nobody takes half of an answer for the whole one.
TEST_F(Archive, WhatCanNotBePrintedIsAFailure) {
  ASSERT_EQ(record({"-n", "2", "-i", "10ms"}).status, 0);
  const std::string copy = directory.file("copy.db");
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{FDANALYZE_PATH, "snapshots", database},
        {FDANALYZE_PATH, "check", database},
        {FDANALYZE_PATH, "sql", database, "SELECT 1"},
        {FDANALYZE_PATH, "report", database},
        {FDANALYZE_PATH, "show", database, "-s", "1"},
        {FDANALYZE_PATH, "--help"},
        {FDCAPTURE_PATH, "copy", "-q", database, copy},
        {FDCAPTURE_PATH, "--version"}}) {
    std::vector<std::string> full = {"sh", "-c", "exec \"$0\" \"$@\" > /dev/full"};
    full.insert(full.end(), command.begin(), command.end());
    const ProgramResult result = runProgram(full);
    EXPECT_EQ(result.status, 1) << command[1];
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1)
        << command[1] << ": " << result.err;
  }
}

// What is said must not get into the archive because that has the number of a closed stderr.
TEST_F(Archive, IsNotWhereMessagesGo) {
  for (const char* closed : {"2>&-", ">&- 2>&-", "<&- 2>&-", "<&- >&- 2>&-"}) {
    const std::string file = directory.file("closed.db");
    const ProgramResult result = runProgram(
        {"sh", "-c", "exec \"$0\" \"$@\" " + std::string(closed), FDCAPTURE_PATH, "record", "-o",
         file, "-p", std::to_string(actor.pid()), "-n", "2", "-i", "10ms", "-v"});
    EXPECT_EQ(result.status, 0) << closed;
    EXPECT_EQ(runFdanalyze({"snapshots", file}).err, "") << closed;
    std::filesystem::remove(file);
  }
}

/// What fdanalyze may be asked, in all formats, of a recording of process `pid`.
std::vector<std::vector<std::string>> everyCommand(const std::string& file,
                                                   const std::string& output, pid_t pid) {
  std::vector<std::vector<std::string>> commands = {{"report", file, "-o", output}};
  for (const char* format : {"text", "markdown", "html", "json"})
    commands.push_back({"report", file, "-f", format});
  for (const char* format : {"table", "json", "csv", "ndjson"}) {
    for (const char* listing : {"outlived", "sockets", "snapshots"})
      commands.push_back({listing, file, "-f", format});
    commands.push_back({"diff", file, "first", "last", "-f", format});
    commands.push_back({"diff", file, "first", "last", "--by", "peer", "-f", format});
    commands.push_back({"history", file, "--pid", std::to_string(pid), "--fd", "2", "-f", format});
    commands.push_back({"sql", file, "SELECT * FROM fd_span", "-f", format});
  }
  for (const char* format : {"sqlite", "csv", "ndjson"})
    commands.push_back({"export", file, "-o", output + "." + format, "--to", format});
  for (const char* format : {"text", "json"})
    commands.push_back({"check", file, "-f", format});
  commands.push_back({"show", file, "-s", "last"});
  for (const char* name : {"limits", "fd", "fdinfo/2", "net/tcp"})
    commands.push_back({"show", file, "-s", "last", std::to_string(pid) + "/" + name});
  // With options that make it read in another way.
  commands.push_back({"report", file, "--salvage"});
  commands.push_back({"report", file, "--from", "2026-01-01"});
  return commands;
}

/// Every command that `fdanalyze --help` lists is among them.
TEST(EveryCommand, IsKnownToTheTests) {
  std::set<std::string> tested;
  for (const auto& command : everyCommand("a", "b", 1))
    tested.insert(command[0]);
  const std::string help = runFdanalyze({"--help"}).out;
  std::istringstream lines(help.substr(help.find("Subcommands:")));
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line) && line.starts_with("  ")) {
    const std::string name = line.substr(2, line.find(' ', 2) - 2);
    EXPECT_TRUE(name.empty() || tested.contains(name)) << name;
  }
  EXPECT_GE(tested.size(), 9U);
}

TEST_F(Archive, IsNeverChangedByAnalysis) {
  ASSERT_EQ(record({"-n", "3", "-i", "10ms"}).status, 0);
  ASSERT_EQ(record({"-n", "2", "-i", "10ms"}).status, 0);
  const TemporaryDirectory elsewhere;
  const std::string before = contentOf(database);
  const auto written = std::filesystem::last_write_time(database);
  ::chmod(database.c_str(), 0400);
  ::chmod(directory.path().c_str(), 0500);
  for (const auto& command : everyCommand(database, elsewhere.file("report"), actor.pid())) {
    EXPECT_EQ(runFdanalyze(command).status, 0) << Json(command);
    EXPECT_TRUE(contentOf(database) == before) << Json(command);
    EXPECT_EQ(namesIn(directory.path()), Names{"f.db"}) << Json(command);
  }
  ::chmod(directory.path().c_str(), 0700);
  EXPECT_EQ(std::filesystem::last_write_time(database), written);
  EXPECT_GT(contentOf(elsewhere.file("report")).size(), 100U);
}

// Its -wal too stays as it is: nobody checkpoints what may still be recorded.
TEST_F(Archive, OfAKilledRecorderIsNeverChangedByAnalysis) {
  {
    Recording recording(database, selection());
    recording.awaitSnapshots();
    recording.process().signal(SIGKILL);
    EXPECT_EQ(recording.wait(), -SIGKILL);
  }
  const TemporaryDirectory elsewhere;
  const auto names = namesIn(directory.path());
  const auto contents = [&] {
    Names result;
    for (const std::string& name : names)
      result.push_back(contentOf(directory.file(name)));
    return result;
  };
  const Names before = contents();
  for (const auto& command : everyCommand(database, elsewhere.file("report"), actor.pid())) {
    EXPECT_EQ(runFdanalyze(command).status, 0) << Json(command);
    EXPECT_TRUE(contents() == before) << Json(command);
    EXPECT_EQ(namesIn(directory.path()), names) << Json(command);
  }
}

// A copy that belongs to nobody else stays behind in no case.
TEST_F(Archive, LeavesNoPrivateCopyBehind) {
  ASSERT_EQ(record({"-n", "1"}).status, 0);
  const TemporaryDirectory temporary;
  const SpawnOptions options{.environment = {{"TMPDIR", temporary.path()}}, .directory = {}};
  for (const char* query : {"SELECT 1", "SELECT nonsense"})
    runProgram({FDANALYZE_PATH, "sql", database, query}, {}, kDeadline, options);
  EXPECT_TRUE(namesIn(temporary.path()).empty());
}

}  // namespace
}  // namespace fdmortem::test
