// A recorder that may have little of the disk: --max-size, a full disk, and an archive that others
// read or have locked.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/cli/budgets.h"
#include "tests/support/actor.h"
#include "tests/support/checked.h"
#include "tests/support/netns.h"
#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

uint64_t bytesIn(const std::filesystem::path& directory) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::error_code ignored;
    const auto size = entry.file_size(ignored);
    if (!ignored) bytes += size;
  }
  return bytes;
}

FileHandle newSocket() {
  return FileHandle(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/// Replaces its fds without end, some at a time, each by a socket that is another one. In a network
/// namespace of its own if that can be made: a bounded archive has no room for a host's many
/// sockets.
void churn(Cue& cue) {
  if (!whyNoNetns()) enterNewNetns();
  std::vector<FileHandle> fds;
  for (int i = 0; i < 200; ++i)
    fds.push_back(newSocket());
  cue.tell("ready");
  for (size_t next = 0; getppid() != 1; ++next) {
    fds.at(next % fds.size()) = newSocket();
    if (next % 40 == 0) usleep(2000);
  }
}

TEST(Budgets, TheArchiveNeverIsLargerThanMaxSizeAndEachCopyIsWhole) {
  const TemporaryDirectory directory, copies;
  const int count = snapshotsToTake();
  const bool is_long = count > 1000;
  const uint64_t limit = is_long ? 5 << 20 : 1 << 20;
  Actor actor(churn);
  actor.hear();
  Recording recording(directory.file("f.db"),
                      {"-p", std::to_string(actor.pid()), "--max-size", is_long ? "5M" : "1M"},
                      "20ms");
  const int rounds = is_long ? 20 : 3;
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < count / rounds; ++i) {
      recording.awaitSnapshots(1);
      ASSERT_LE(bytesIn(directory.path()), limit);
    }
    const std::string copy = copies.file(std::to_string(round) + ".db");
    const ProgramResult copied = runFdcapture({"copy", recording.file(), copy});
    ASSERT_EQ(copied.status, 0) << copied.err;
    EXPECT_EQ(namesIn(copies.path()).size(), static_cast<size_t>(round) + 1);
    expectChecked(copy);
  }
  recording.stop();
  expectChecked(recording.file());
  EXPECT_LE(bytesIn(directory.path()), limit);
  EXPECT_GT(queryValue(recording.file(), "SELECT sum(snapshots) FROM dropped"), 0);
}

/// A file system of its own that can be filled.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    is_mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=16M") == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool isMounted() const { return is_mounted_; }
  void fill() const {
    const FileHandle file(open(filler().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::string block(4096, 'x');
    while (write(file.get(), block.data(), block.size()) > 0) {
    }
  }
  void empty() const { std::filesystem::remove(filler()); }

 private:
  std::string filler() const { return path_ + "/filler"; }

  std::string path_;
  bool is_mounted_ = false;
};

TEST(Budgets, AFullDiskEndsNoRecording) {
  const TemporaryDirectory directory;
  const SmallDisk disk(directory.path());
  if (!disk.isMounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  Actor actor(churn);
  actor.hear();
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "20ms");
  recording.awaitSnapshots();
  // What is freed by the recorder's own checkpoints is filled again.
  ASSERT_TRUE(waitFor([&] {
    disk.fill();
    const auto line = recording.process().readErrorLine(std::chrono::milliseconds(50));
    return line && line->find("could not be stored: No space left") != std::string::npos;
  }));
  // What is stored is there, and can be read meanwhile.
  disk.empty();
  ASSERT_TRUE(recording.process().awaitErrorLine("disk-room"));
  recording.awaitSnapshots();
  EXPECT_EQ(recording.stop(), 3);
  const std::string& database = recording.file();
  expectChecked(database);
  EXPECT_EQ(query(database,
                  "SELECT kind FROM recorder_event WHERE kind LIKE 'disk-%' "
                  "ORDER BY wall_ns"),
            Json::parse(R"([{"kind": "disk-full"}, {"kind": "disk-room"}])"));
  EXPECT_GT(queryValue(database, "SELECT sum(missed) FROM delay WHERE reason = 'disk-full'"), 0);
  EXPECT_EQ(queryValue(database,
                       "SELECT sum(missed_before) - (SELECT sum(missed) FROM delay) "
                       "FROM snapshot"),
            0);
  EXPECT_EQ(queryValue(database, "SELECT end_reason FROM recording"), "SIGTERM");
}

TEST(Budgets, TheEndOfARecordingIsStoredOnAFullDiskToo) {
  const TemporaryDirectory directory;
  const SmallDisk disk(directory.path());
  if (!disk.isMounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  Actor actor([](Cue& cue) { cue.await(); });
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "1h");
  recording.awaitFirstSnapshot();
  disk.fill();
  recording.stop();
  disk.empty();
  EXPECT_EQ(queryValue(recording.file(), "SELECT end_reason FROM recording"), "SIGTERM");
  expectChecked(recording.file());
}

TEST(Budgets, AReaderOfTheArchiveCostsSnapshotsButNoneThatAreStored) {
  const TemporaryDirectory directory;
  Actor actor(churn);
  actor.hear();
  // Rows only: then there are many snapshots in a small archive.
  Recording recording(directory.file("f.db"),
                      {"-p", std::to_string(actor.pid()), "--max-size", "1M", "--no-verbatim"},
                      "10ms");
  recording.awaitSnapshots(60);
  SQLite::Database reader(recording.file(), SQLite::OPEN_READONLY, 1000);
  reader.exec("BEGIN");
  const int64_t last = reader.execAndGet("SELECT max(id) FROM snapshot").getInt64();
  ASSERT_TRUE(recording.process().awaitErrorLine("while somebody reads the archive"));
  // With the reader still there it hears signals, and has kept what was there.
  EXPECT_EQ(recording.stop(), 3);
  reader.exec("ROLLBACK");
  EXPECT_LE(queryValue(recording.file(), "SELECT min(id) FROM snapshot"), last);
  EXPECT_GE(queryValue(recording.file(), "SELECT count(*) FROM snapshot"), 10);
  expectChecked(recording.file());
}

TEST(Budgets, WhoLocksTheArchiveEndsNoRecording) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) { cue.await(); });
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "20ms");
  recording.awaitSnapshots(2);
  {
    SQLite::Database other(recording.file(), SQLite::OPEN_READWRITE, 5000);
    other.exec("BEGIN IMMEDIATE");
    ASSERT_TRUE(recording.process().awaitErrorLine("somebody else has locked the archive"));
  }
  recording.awaitSnapshots(2);
  EXPECT_EQ(recording.stop(), 3);
  expectChecked(recording.file());
}

TEST(Budgets, ALimitOfTheSizeOfFilesIsLikeAFullDisk) {
  const TemporaryDirectory directory;
  Actor actor(churn);
  actor.hear();
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "10ms");
  recording.awaitSnapshots(2);
  const auto limitSize = [&](rlim_t bytes) {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    return prlimit(recording.process().pid(), RLIMIT_FSIZE, &limit, nullptr);
  };
  ASSERT_EQ(limitSize(300'000), 0);
  ASSERT_TRUE(recording.process().awaitErrorLine("could not be stored"));
  ASSERT_EQ(limitSize(RLIM_INFINITY), 0);
  recording.awaitSnapshots(2);
  EXPECT_EQ(recording.stop(), 3);
  expectChecked(recording.file());
  EXPECT_EQ(query(recording.file(),
                  "SELECT kind FROM recorder_event WHERE kind LIKE 'disk-%' ORDER BY wall_ns"),
            Json::parse(R"([{"kind": "disk-full"}, {"kind": "disk-room"}])"));
}

TEST(Budgets, ARecorderThatStartsOnAFullDiskWaits) {
  const TemporaryDirectory directory;
  const SmallDisk disk(directory.path());
  if (!disk.isMounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  Actor actor([](Cue& cue) { cue.await(); });
  disk.fill();
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "20ms");
  ASSERT_TRUE(
      recording.process().awaitErrorLine("can't be recorded into now, tries again: No space left"));
  disk.empty();
  recording.awaitSnapshots(2);
  EXPECT_EQ(recording.stop(), 0);
  expectChecked(recording.file());
  EXPECT_EQ(
      query(recording.file(), "SELECT kind FROM recorder_event WHERE kind <> 'missed-at-end'"),
      Json::parse(R"([{"kind": "began-late"}])"));
  // The same with an archive that is continued, and an end that comes before the room.
  disk.fill();
  Recording second(recording.file(), {"-p", std::to_string(actor.pid())}, "20ms");
  ASSERT_TRUE(second.process().awaitErrorLine("can't be recorded into now, tries again: "));
  EXPECT_EQ(second.stop(), 1);
  disk.empty();
  expectChecked(recording.file());
  EXPECT_EQ(queryValue(recording.file(), "SELECT count(*) FROM recording"), 1);
}

TEST(Budgets, AnArchiveThatIsTooLargeIsTrimmedAtTheStart) {
  const TemporaryDirectory directory;
  Actor actor(churn);
  actor.hear();
  const std::string database = directory.file("f.db");
  {
    // Stretches of the size that belongs to this limit.
    Recording recording(database, {"-p", std::to_string(actor.pid()), "--max-size", "4M"}, "1ms");
    ASSERT_TRUE(waitFor([&] {
      recording.awaitSnapshots(20);
      return std::filesystem::file_size(database) > 2'500'000;
    }));
    recording.stop();
  }
  const int64_t last = queryValue(database, "SELECT max(id) FROM snapshot");
  Recording recording(database, {"-p", std::to_string(actor.pid()), "--max-size", "1M"}, "10ms");
  ASSERT_TRUE(recording.process().awaitErrorLine(
      "larger than --max-size: its oldest snapshots were dropped"));
  for (int i = 0; i < 10; ++i) {
    recording.awaitSnapshots(1);
    ASSERT_LE(bytesIn(directory.path()), uint64_t{1} << 20);
  }
  recording.stop();
  expectChecked(database);
  EXPECT_GT(queryValue(database, "SELECT max(id) FROM snapshot"), last);
  EXPECT_GT(queryValue(database, "SELECT snapshots FROM dropped WHERE reason = 'max-size'"), 0);
}

TEST(Budgets, AnArchiveThatCanNotShrinkIsStillBounded) {
  const TemporaryDirectory directory;
  Actor actor(churn);
  actor.hear();
  const std::string database = directory.file("f.db");
  ASSERT_LE(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "5",
                          "-i", "10ms", "--no-verbatim"})
                .status,
            3);
  SQLite::Database(database, SQLite::OPEN_READWRITE).exec("PRAGMA auto_vacuum = NONE; VACUUM");
  Recording recording(
      database, {"-p", std::to_string(actor.pid()), "--max-size", "1M", "--no-verbatim"}, "10ms");
  for (int i = 0; i < 100; ++i) {
    recording.awaitSnapshots(1);
    ASSERT_LE(bytesIn(directory.path()), uint64_t{1} << 20);
  }
  recording.stop();
  expectChecked(database);
}

// A gap at the end is no zero.
TEST(Budgets, WhatWasMissedAtTheEndIsCounted) {
  const TemporaryDirectory directory;
  Actor actor(holdFiles);
  if (actor.ask(18'000) != "ready") GTEST_SKIP() << "needs 18,000 fds";
  Recording recording(directory.file("f.db"),
                      {"-p", std::to_string(actor.pid()), "--max-size", "1M"}, "50ms");
  ASSERT_TRUE(recording.process().awaitErrorLine("does not fit into --max-size"));
  EXPECT_EQ(recording.stop(), 3);
  const Json coverage = query(recording.file(), "SELECT * FROM recording_coverage").at(0);
  EXPECT_GT(coverage.at("missed_at_end"), 0) << coverage;
  const Json report = analyze({"report", recording.file()});
  EXPECT_GE(report.at("coverage").at("missed"), coverage.at("missed_at_end")) << report;
  const std::string& errors = recording.errors();
  EXPECT_NE(errors.find(std::to_string(report.at("coverage").at("missed").get<int64_t>()) +
                        " missed, ended: SIGTERM"),
            std::string::npos)
      << errors;
}

}  // namespace
}  // namespace fdmortem::test
