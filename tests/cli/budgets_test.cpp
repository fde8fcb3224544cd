// A recorder that may have little: of descriptors, memory, CPU; and one that takes more snapshots
// when it matters. disk_budget_test.cpp has the disk.
#include "tests/cli/budgets.h"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"
#include "tests/support/checked.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

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
  // A host that is so busy that it leaves the recorder no more than that stretches it by itself.
  const ProgramResult result = runFdcapture(
      {"record", "-o", database, "--all", "-i", "1ms", "-n", "3", "--max-cpu", "1", "-q"});
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
