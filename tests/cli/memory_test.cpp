// A recorder that runs out of memory at any of its allocations.
//
// FDMORTEM_ALLOCATION_STEP=7 fails one in 7 of them, instead of a few in all.
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

class FailingMalloc : public ::testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__)
    GTEST_SKIP() << "the sanitizer has allocations of its own";
#endif
    ASSERT_EQ(actor.hear(), "ready");
  }

  /// Records four snapshots with some allocations that fail.
  ProgramResult record(const std::string& failing) const {
    SpawnOptions options;
    options.environment = {{"LD_PRELOAD", FDMORTEM_FAILING_MALLOC},
                           {"FDMORTEM_ALLOCATIONS", directory.file("count")},
                           {"FDMORTEM_FAIL_ALLOCATIONS", failing}};
    return runProgram({FDCAPTURE_PATH, "record", "-o", database, "-p", std::to_string(actor.pid()),
                       "-i", "1ms", "-n", "4", "-d", "10s"},
                      {}, kDeadline, options);
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor{[](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    const Socket connected = connectTo(listener.local());
    const Socket unix_socket(AF_UNIX, SOCK_STREAM);
    // Dead, so that it is examined.
    Socket dead = connectTo(listener.local());
    listener.accept();
    listener.accept().reset();
    cue.tell("ready");
    cue.await();
  }};
};

constexpr const char* kNoEnd = "the end of the recording could not be stored";

/// What is there is true: nothing of the actor was ever closed, and all is listed.
void expectTrue(const std::string& database, size_t fd_count, const ProgramResult& recorded) {
  const ProgramResult check = runFdanalyze({"check", database});
  EXPECT_EQ(check.status, 0) << check.out << check.err;
  const Json row = query(database,
                         "SELECT (SELECT count(*) FROM snapshot) AS snapshots, "
                         "(SELECT count(*) FROM fd_span WHERE closed_by IS NOT NULL) AS closed, "
                         "(SELECT count(DISTINCT fd) FROM fd_span) AS fds, "
                         "(SELECT count(*) FROM process_change WHERE change = 0) AS ended, "
                         "(SELECT end_reason FROM recording ORDER BY id DESC LIMIT 1) AS reason")
                       .at(0);
  EXPECT_EQ(row.at("snapshots"), 4);
  EXPECT_EQ(row.at("closed"), 0);
  EXPECT_EQ(row.at("ended"), 0);
  EXPECT_EQ(row.at("fds"), fd_count);
  if (!row.at("reason").is_null()) {
    EXPECT_EQ(row.at("reason"), "count");
    return;
  }
  // There was no memory for that either.
  EXPECT_EQ(recorded.status, 3);
  EXPECT_NE(recorded.err.find(kNoEnd), std::string::npos) << recorded.err;
}

TEST_F(FailingMalloc, AnEndThatCanNotBeStoredIsSaid) {
  ASSERT_EQ(record("0:0").status, 0);
  const int64_t count = std::stoll(contentOf(directory.file("count")));
  const size_t fd_count = namesIn("/proc/" + std::to_string(actor.pid()) + "/fd").size();
  // From there on there is no memory at all, which is while the end is stored in some of them. No
  // two runs need the same number of allocations, so it is looked for further back until it is met.
  int without_end = 0;
  for (int64_t left = 10; left <= 60 || (without_end == 0 && left < count);
       left += left < 60 ? 10 : left) {
    for (const std::string& name : namesIn(directory.path()))
      std::filesystem::remove(directory.file(name));
    const ProgramResult result = record(std::to_string(count - left) + ":1000000");
    without_end += result.status == 3 && result.err.find(kNoEnd) != std::string::npos;
    if (result.status == 0) {
      expectTrue(database, fd_count, result);
    }
  }
  EXPECT_GT(without_end, 0);
}

TEST_F(FailingMalloc, NoAllocationThatFailsEndsTheRecordingOrMakesItUntrue) {
  ASSERT_EQ(record("0:0").status, 0);
  const int64_t count = std::stoll(contentOf(directory.file("count")));
  const size_t fd_count = namesIn("/proc/" + std::to_string(actor.pid()) + "/fd").size();
  const char* step_text = std::getenv("FDMORTEM_ALLOCATION_STEP");
  const int64_t step = step_text != nullptr ? std::stoll(step_text) : count / 25;
  int recorded = 0, runs = 0;
  for (const int64_t length : {1, 30, 1000}) {
    for (int64_t first = 1 + length % step; first <= count; first += step) {
      SCOPED_TRACE(std::to_string(first) + ":" + std::to_string(length));
      for (const std::string& name : namesIn(directory.path()))
        std::filesystem::remove(directory.file(name));
      const ProgramResult result = record(std::to_string(first) + ":" + std::to_string(length));
      ++runs;
      // Before it has begun it may fail.
      if (result.status != 0 && result.status != 3) {
        EXPECT_TRUE(result.status == 1 || result.status == -SIGABRT) << result.err;
        EXPECT_EQ(result.err.find("recording into"), std::string::npos) << result.err;
        continue;
      }
      ++recorded;
      expectTrue(database, fd_count, result);
      ASSERT_FALSE(HasFailure()) << result.err;
    }
  }
  EXPECT_GT(recorded, runs / 4);
  RecordProperty("recorded", recorded);
}

}  // namespace
}  // namespace fdmortem::test
