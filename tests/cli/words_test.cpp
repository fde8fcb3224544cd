// What people read when something is not as they meant it: what, why, and a way out.
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"
#include "tests/support/contains.h"
#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

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

// --- places without room ---

/// A file system of its own that is full.
class FullDisk {
 public:
  explicit FullDisk(const std::string& path) : path_(path) {
    std::filesystem::create_directory(path);
    is_mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=64k") == 0;
  }
  ~FullDisk() {
    if (is_mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

  bool isMounted() const { return is_mounted_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  bool is_mounted_ = false;
};

TEST_F(Words, WhatHasNoRoomIsNamedAndLeavesNothing) {
  const FullDisk disk(directory.file("disk"));
  if (!disk.isMounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  ASSERT_EQ(record(database).status, 0);
  const std::string copy = disk.file("copy.db");
  const ProgramResult copied = runFdcapture({"copy", database, copy});
  EXPECT_EQ(copied.status, 1);
  EXPECT_TRUE(copied.err.starts_with("fdcapture: " + copy + ": there is no room for it"))
      << copied.err;
  for (const std::string format : {"sqlite", "csv"}) {
    const std::string exported = disk.file("e");
    const ProgramResult result = runFdanalyze({"export", database, "-o", exported, "--to", format});
    EXPECT_EQ(result.status, 1);
    EXPECT_TRUE(result.err.starts_with("fdanalyze: " + exported + ": there is no room for it"))
        << result.err;
  }
  const ProgramResult temporary =
      runProgram({FDANALYZE_PATH, "report", database}, {}, kDeadline,
                 {.environment = {{"TMPDIR", disk.file("")}}, .directory = {}});
  EXPECT_EQ(temporary.status, 1);
  EXPECT_TRUE(contains(temporary.err, "no room for a private copy of " + database))
      << temporary.err;
  EXPECT_TRUE(contains(temporary.err, "TMPDIR=FOLDER")) << temporary.err;
  EXPECT_TRUE(namesIn(disk.file("")).empty());
  writeFile(disk.file("filler"), std::string(60'000, 'x'));
  const ProgramResult report =
      runFdanalyze({"report", database, "-f", "html", "-o", disk.file("r.html")});
  EXPECT_EQ(report.status, 1);
  EXPECT_EQ(report.err, "fdanalyze: " + disk.file("r.html") + ": No space left on device\n");
  EXPECT_EQ(namesIn(disk.file("")), std::vector<std::string>{"filler"});
}

TEST_F(Words, AFullStdoutIsNamed) {
  ASSERT_EQ(record(database).status, 0);
  for (const std::string command : {"report", "snapshots", "check"}) {
    const ProgramResult result = runProgram(
        {"sh", "-c", "exec \"$0\" \"$@\" > /dev/full", FDANALYZE_PATH, command, database});
    EXPECT_EQ(result.status, 1) << command;
    EXPECT_EQ(result.err, "fdanalyze: stdout: No space left on device\n");
  }
}

TEST_F(Words, AReportTakesThePlaceOfAFileWithItsRights) {
  ASSERT_EQ(record(database).status, 0);
  const std::string path = directory.file("r.txt");
  writeFile(path, "before");
  std::filesystem::permissions(path, std::filesystem::perms(0640));
  ASSERT_EQ(runFdanalyze({"report", database, "-o", path}).status, 0);
  EXPECT_TRUE(contentOf(path).starts_with("Verdict"));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0640));
  EXPECT_EQ(runFdanalyze({"report", database, "-o", "/dev/null"}).status, 0);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(Words, AFolderThatIsMissingIsNamed) {
  ASSERT_EQ(record(database).status, 0);
  const std::string folder = directory.file("nowhere");
  EXPECT_EQ(record(folder + "/x.db").err,
            "fdcapture: " + folder + "/x.db: there is no folder " + folder + "\n");
  EXPECT_EQ(runFdcapture({"copy", database, folder + "/x.db"}).err,
            "fdcapture: " + folder + "/x.db: there is no folder " + folder + "\n");
}

TEST_F(Words, ShowTakesAPathAsItIsOnTheHostAndListsWhatThereIs) {
  ASSERT_EQ(record(database).status, 0);
  const std::string limits = pid() + "/limits";
  EXPECT_EQ(runFdanalyze({"show", database, "-s", "last", "/proc/" + limits}).out,
            runFdanalyze({"show", database, "-s", "last", limits}).out);
  const ProgramResult unknown =
      runFdanalyze({"show", database, "-s", "last", pid() + "/no-such-file"});
  EXPECT_EQ(unknown.status, 1);
  EXPECT_TRUE(contains(unknown.err, "without a path 'show' lists what there is")) << unknown.err;
  const ProgramResult list = runFdanalyze({"show", database, "-s", "last"});
  EXPECT_TRUE(contains(list.err, "PID/fdinfo/N of each fd N")) << list.err;
}

// --- command lines ---

TEST_F(Words, RangesAreInTheUnitsThatOneTypes) {
  for (const auto& [option, value, reason] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"--interval", "0s", "0s is not from 1ms to 31d"},
           {"--duration", "0s", "0s is not from 1ms to 3660d"},
           {"--max-size", "10", "10 is not from 1M to 1024T"},
           {"--burst-above", "101", "101 is not from 1% to 100%"},
           {"--max-cpu", "0%", "0% is not from 1% to 100%"}}) {
    const ProgramResult result = record(database, {option, value});
    EXPECT_EQ(result.status, 2);
    EXPECT_TRUE(contains(result.err, reason)) << result.err;
  }
  for (const std::string value : {"5", "5%"}) {
    EXPECT_EQ(record(database, {"--max-cpu", value, "--burst-above", value}).status, 0);
  }
}

TEST_F(Words, PidsCanBeAList) {
  Actor other([](Cue& cue) { cue.await(); });
  const std::string both = pid() + "," + std::to_string(other.pid());
  ASSERT_EQ(runFdcapture({"record", "-o", database, "--pid", both, "-n", "1"}).status, 0);
  EXPECT_EQ(analyze({"report", database, "--pid", both}).at("processes").size(), 2U);
  EXPECT_EQ(analyze({"report", database, "--pid", pid()}).at("processes").size(), 1U);
}

TEST_F(Words, AMissingCommandIsTold) {
  const ProgramResult result = runFdcapture({"-o", database, "--pid", "1"});
  EXPECT_EQ(result.status, 2);
  EXPECT_TRUE(
      result.err.starts_with("fdcapture: '-o' is an option of 'record', and the command is "
                             "missing: fdcapture record -o ...\n"))
      << result.err;
}

TEST_F(Words, OfExportTheOtherNamesAreTold) {
  const std::string output = directory.file("e");
  EXPECT_TRUE(contains(runFdanalyze({"export", database, "-o", output, "--from", "2026-11-22"}).err,
                       "there is no option '--from' in 'export'; it is '--since TIME'"));
  EXPECT_TRUE(contains(runFdanalyze({"export", database, "-o", output, "-f", "csv"}).err,
                       "there is no option '-f' in 'export'; it is '--to FORMAT' here"));
}

TEST_F(Words, TimesTheWrongWayRoundAreTold) {
  ASSERT_EQ(record(database).status, 0);
  const std::vector<std::string> times = {"--from", "2026-11-22T10:00Z", "--to",
                                          "2026-11-22T09:00Z"};
  std::vector<std::string> report = {"report", database};
  report.insert(report.end(), times.begin(), times.end());
  EXPECT_TRUE(runFdanalyze(report).err.starts_with("fdanalyze: --to is earlier than --from"));
  std::vector<std::string> copy = {"copy", database, directory.file("copy.db")};
  copy.insert(copy.end(), times.begin(), times.end());
  const ProgramResult copied = runFdcapture(copy);
  EXPECT_EQ(copied.status, 2);
  EXPECT_TRUE(contains(copied.err, "--to is earlier than --from")) << copied.err;
}

TEST_F(Words, ACopyOfAPartTellsWhichTimesThereAreAndWhereItBegins) {
  ASSERT_EQ(record(database).status, 0);
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", pid(), "-n", "3", "-i", "10ms"}).status,
            0);
  const Json snapshots = analyze({"snapshots", database});
  const ProgramResult none =
      runFdcapture({"copy", database, directory.file("none.db"), "--to", "2020-01-01T00:00Z"});
  EXPECT_EQ(none.status, 1);
  EXPECT_TRUE(contains(none.err, "has no snapshot in that time; they are from " +
                                     snapshots[0].at("taken_at").get<std::string>()))
      << none.err;
  const ProgramResult part = runFdcapture({"copy", database, directory.file("part.db"), "--from",
                                           snapshots[3].at("taken_at").get<std::string>()});
  EXPECT_EQ(part.status, 0);
  EXPECT_TRUE(contains(part.err, "it begins before --from, at " +
                                     snapshots[1].at("taken_at").get<std::string>() +
                                     ": with snapshot 2, the keyframe"))
      << part.err;
}

TEST_F(Words, AnArchiveIsNoStream) {
  const ProgramResult result = record("-");
  EXPECT_EQ(result.status, 2);
  EXPECT_TRUE(contains(result.err, "an archive is a file and can't go to stdout")) << result.err;
}

// --- what a recorder says meanwhile ---

TEST_F(Words, AnArchiveThatIsThereIsContinued) {
  EXPECT_TRUE(record(database, {"-i", "10s"})
                  .err.starts_with("fdcapture: recording into " + database + " every 10s\n"));
  const ProgramResult again = record(database);
  EXPECT_TRUE(again.err.starts_with("fdcapture: continuing " + database + " every 10s\n"))
      << again.err;
  EXPECT_TRUE(contains(again.err, "fdcapture: 1 snapshot in " + database + ", ended: count"))
      << again.err;
}

TEST_F(Words, APidThatIsMissingBesideOthersHasTheSameHelp) {
  Actor ended([](Cue& cue) { cue.await(); });
  ended.dismiss();
  const std::string missing = std::to_string(ended.pid());
  const ProgramResult result = record(database, {"-p", missing});
  EXPECT_EQ(result.status, 3);
  EXPECT_TRUE(contains(result.err, "fdcapture: no such process: " + missing +
                                       "; it has ended, or never was; '--comm NAME' finds"))
      << result.err;
}

// A shell's child has the shell's name first.
TEST_F(Words, ANewNameAndANewLimitAreTold) {
  Actor renamed([](Cue& cue) {
    cue.tell("ready");
    cue.await();
    ::prctl(PR_SET_NAME, "second-name");
    const rlimit limit{.rlim_cur = 100, .rlim_max = 100};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    cue.tell("changed");
    cue.await();
  });
  ASSERT_EQ(renamed.hear(), "ready");
  Recording recording(database, {"-p", std::to_string(renamed.pid())}, "20ms");
  recording.awaitSnapshots(2);
  ASSERT_EQ(renamed.ask("go"), "changed");
  recording.awaitSnapshots(2);
  EXPECT_EQ(recording.stop(), 0);
  const std::string name = "process " + std::to_string(renamed.pid());
  EXPECT_TRUE(contains(recording.errors(), ") is called second-name now\n")) << recording.errors();
  EXPECT_TRUE(contains(recording.errors(), "the soft limit of " + name)) << recording.errors();
  EXPECT_TRUE(contains(recording.errors(), " is 100 now; it has ")) << recording.errors();
  EXPECT_FALSE(contains(recording.errors(), "is down to")) << recording.errors();
}

TEST_F(Words, MoreFdsThanTheLimitAreExplained) {
  Actor lowered([](Cue& cue) {
    std::vector<FileHandle> fds;
    for (int i = 0; i < 40; ++i)
      fds.emplace_back(::dup(0));
    fds.erase(fds.begin(), fds.begin() + 4);  // sanitizers open some
    const rlimit limit{.rlim_cur = 30, .rlim_max = 100};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    cue.tell("ready");
    cue.await();
  });
  ASSERT_EQ(lowered.hear(), "ready");
  const ProgramResult result =
      runFdcapture({"record", "-o", database, "-p", std::to_string(lowered.pid()), "-n", "1"});
  EXPECT_TRUE(
      contains(result.err,
               " fds, more than its limit of 30 allows to open (lowered since, or they were "
               "inherited)\n"))
      << result.err;
}

TEST_F(Words, TheStatusLineIsNotDrawnAfterTheEnd) {
  const ProgramResult result = record(database, {"--progress", "always"});
  ASSERT_EQ(result.status, 0);
  const size_t ended = result.err.find("ended: count");
  ASSERT_NE(ended, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find("1 snapshot, pid", ended), std::string::npos) << result.err;
  EXPECT_TRUE(result.err.ends_with("\n"));
}

}  // namespace
}  // namespace fdmortem::test
