// A recorder that may have little: of disk, descriptors, memory, CPU; and one that takes more
// snapshots when it matters.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"
#include "tests/support/checked.h"
#include "tests/support/netns.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

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

/// `FDMORTEM_SNAPSHOTS=2000` is the long form.
int snapshotsToTake() {
  const char* number = std::getenv("FDMORTEM_SNAPSHOTS");
  return number != nullptr ? std::atoi(number) : 150;
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

void limitDescriptors(pid_t pid, rlim_t count) {
  const rlimit limit{.rlim_cur = count, .rlim_max = 1024};
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &limit, nullptr), 0);
}

TEST(Budgets, WithoutFurtherDescriptorsItGoesOnWithTheSpareOnes) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    const Socket socket = connectTo(address);
    cue.tell("ready");
    cue.await();
  });
  actor.hear();
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "20ms");
  recording.awaitSnapshots();
  // As many as it has between two snapshots: nothing more can be opened, but in place of what it
  // gives back of its own.
  const std::string own_fds = "/proc/" + std::to_string(recording.process().pid()) + "/fd";
  size_t count = 0;
  ASSERT_TRUE(waitFor([&] { return (count = namesIn(own_fds).size()) >= 20; }));
  limitDescriptors(recording.process().pid(), count);
  recording.awaitSnapshots(10);
  EXPECT_EQ(recording.stop(), 0) << recording.errors();
  EXPECT_EQ(queryValue(recording.file(), "SELECT count(*) FROM failure"), 0);
  expectChecked(recording.file());
}

TEST(Budgets, WithNoDescriptorAtAllItSaysSoAndGoesOn) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) { cue.await(); });
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "20ms");
  recording.awaitSnapshots();
  limitDescriptors(recording.process().pid(), 3);
  recording.awaitSnapshots(3);
  limitDescriptors(recording.process().pid(), 1024);
  const int64_t well_again = recording.awaitSnapshots(3);
  EXPECT_EQ(recording.stop(), 3);
  const std::string& database = recording.file();
  expectChecked(database);
  EXPECT_GT(queryValue(database, "SELECT count(*) FROM failure WHERE errno = 24"), 0);
  // Nothing was taken for closed, nor the process for ended.
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM fd_span WHERE closed_by IS NOT NULL"), 0);
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM failure WHERE snapshot >= " +
                                     std::to_string(well_again)),
            0);
}

/// A process that opens and closes files until it has as many as it is told.
void holdFiles(Cue& cue) {
  const rlimit limit{.rlim_cur = 20'000, .rlim_max = 20'000};
  setrlimit(RLIMIT_NOFILE, &limit);
  std::vector<FileHandle> fds;
  while (true) {
    fds.resize(cue.await().get<size_t>());
    for (FileHandle& fd : fds) {
      if (!fd) fd = FileHandle(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    }
    cue.tell(fds.empty() || fds.back() ? "ready" : "no fds");
  }
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

TEST(Budgets, RatherMissesASnapshotThanUseMoreMemoryAndIsWellAgainWithLess) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer's own memory can't be limited";
#endif
  const TemporaryDirectory directory;
  Actor actor(holdFiles), other(holdFiles);
  const auto askBoth = [&](int fds) {
    return actor.ask(fds) == "ready" && other.ask(fds) == "ready";
  };
  // Only what is compared with another one can be given up, so one has to be there.
  ASSERT_TRUE(askBoth(10));
  Recording recording(
      directory.file("f.db"),
      {"-p", std::to_string(actor.pid()), "-p", std::to_string(other.pid()), "--max-memory", "16M"},
      "20ms");
  recording.awaitSnapshots(1);
  if (!askBoth(18'000)) GTEST_SKIP() << "needs 18,000 fds";
  ASSERT_TRUE(recording.process().awaitErrorLine("it needs more than --max-memory"));
  // Two of them it can't have, and from time to time not even one, which is compared with none.
  ASSERT_TRUE(recording.process().awaitErrorLine("begins a new recording"));
  const int64_t before = recording.awaitSnapshots(1);
  ASSERT_TRUE(askBoth(10));
  recording.awaitSnapshots(static_cast<int>(before) + 4);
  EXPECT_EQ(recording.stop(), 3);
  const std::string& database = recording.file();
  expectChecked(database);
  EXPECT_EQ(queryValue(database, "SELECT end_reason FROM recording WHERE id = 1"), "memory");
  // Those that it could not have are no zero; with no memory for their number either it is an
  // estimate.
  const Json missed =
      query(database, "SELECT missed_at_end FROM recording_coverage WHERE recording = 1").at(0);
  EXPECT_NE(missed.at("missed_at_end"), 0) << missed;
  // What was closed was closed in the end, and nothing before that.
  EXPECT_EQ(queryValue(database,
                       "SELECT count(*) FROM fd_span WHERE closed_by <= " + std::to_string(before)),
            0);
}

/// `FDMORTEM_SNAPSHOTS=2000` is the long form, of 18,000 fds.
TEST(Budgets, MemoryStaysAsItIs) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer keeps what was freed";
#endif
  const TemporaryDirectory directory;
  const bool is_long = snapshotsToTake() > 1000;
  const int count = is_long ? snapshotsToTake() : 60;
  Actor actor(holdFiles);
  if (actor.ask(is_long ? 18'000 : 1000) != "ready") GTEST_SKIP() << "needs 18,000 fds";
  // Keyframes, and what is dropped, often.
  Recording recording(directory.file("f.db"),
                      {"-p", std::to_string(actor.pid()), "--keep", is_long ? "60s" : "1s"},
                      "10ms");
  const auto peakKib = [&] {
    const std::string status =
        contentOf("/proc/" + std::to_string(recording.process().pid()) + "/status");
    return std::stoll(status.substr(status.find("VmHWM:") + 6));
  };
  const int early = is_long ? 100 : 20;
  recording.awaitSnapshots(early);
  // Until snapshots have become too old, and were dropped.
  const auto begin = std::chrono::steady_clock::now();
  while (!is_long && std::chrono::steady_clock::now() - begin < std::chrono::seconds(2))
    recording.awaitSnapshots(10);
  const int64_t early_kib = peakKib();
  for (int i = early; i < count; i += 10) {
    actor.ask((is_long ? 18'000 : 1000) - (i % 20 == 0 ? 100 : 0));
    recording.awaitSnapshots(10);
  }
  const int64_t last_kib = peakKib();
  EXPECT_EQ(recording.stop(), 0);
  // One more of the snapshots that it has two of would be more than that.
  EXPECT_LT(last_kib, early_kib + early_kib / 4);
  RecordProperty("early_kib", static_cast<int>(early_kib));
  RecordProperty("last_kib", static_cast<int>(last_kib));
}

TEST(Budgets, TheCpuBudgetStretchesTheInterval) {
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  const ProgramResult result = runFdcapture(
      {"record", "-o", database, "--all", "-i", "1ms", "-n", "4", "--max-cpu", "10", "-q"});
  EXPECT_LE(result.status, 3) << result.err;
  EXPECT_GT(queryValue(database, "SELECT sum(missed) FROM delay WHERE reason = 'cpu-budget'"), 0);
  expectChecked(database);
}

TEST(Budgets, BurstsAreDenseAsLongAsTheyMatter) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) {
    const rlimit limit{.rlim_cur = 100, .rlim_max = 100};
    setrlimit(RLIMIT_NOFILE, &limit);
    std::vector<FileHandle> fds;
    cue.tell("ready");
    while (true) {
      const Json count = cue.await();
      fds.resize(count.get<size_t>());
      for (FileHandle& fd : fds) {
        if (!fd) fd = FileHandle(eventfd(0, EFD_CLOEXEC));
      }
      cue.tell("done");
    }
  });
  actor.hear();
  Recording recording(
      directory.file("f.db"),
      {"-p", std::to_string(actor.pid()), "--burst-above", "80%", "--burst-interval", "20ms"},
      "1h");
  recording.awaitFirstSnapshot();
  actor.ask(85);
  recording.awaitSnapshots(5);
  actor.ask(10);
  ASSERT_TRUE(recording.process().awaitErrorLine("burst-ended"));
  EXPECT_EQ(recording.stop(), 0);
  const std::string& database = recording.file();
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM snapshot WHERE is_burst = 0"), 1);
  EXPECT_GE(queryValue(database, "SELECT count(*) FROM snapshot WHERE is_burst = 1"), 5);
  EXPECT_EQ(query(database,
                  "SELECT kind FROM recorder_event WHERE kind <> 'missed-at-end' ORDER BY wall_ns"),
            Json::parse(R"([{"kind": "burst-began"}, {"kind": "burst-ended"}])"));
  expectChecked(database);
}

}  // namespace
}  // namespace fdmortem::test
