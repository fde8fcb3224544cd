// What a copy leaves out: what must not leave the host, and other times.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"
#include "tests/support/checked.h"
#include "tests/support/forged_chain.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

class Redacted : public ::testing::Test {
 protected:
  /// Something in the file that should not be there.
  static std::vector<std::string> secretsIn(const std::string& file,
                                            const std::vector<std::string>& secrets) {
    const std::string content = contentOf(file);
    std::vector<std::string> found;
    for (const std::string& secret : secrets) {
      if (content.find(secret) != std::string::npos) found.push_back(secret);
    }
    return found;
  }

  const TemporaryDirectory directory;
  const std::string secret = directory.path().filename();
  const Socket listener = listenOn("127.0.0.1");
  Actor actor{[this](Cue& cue) {
    const FileHandle file(open(directory.file("secret-file").c_str(), O_RDWR | O_CREAT, 0600));
    const Socket unix_socket(AF_UNIX, SOCK_STREAM);
    bindUnix(unix_socket, "@secret-name" + std::to_string(getpid()));
    cue.tell("ready");
    cue.await();
  }};
};

TEST_F(Redacted, ARecordingHoldsNoTraceOfWhatItHides) {
  actor.hear();
  const std::string database = directory.file("f.db");
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "2",
                          "-i", "10ms", "--redact", "cmdline,paths,addresses"})
                .status,
            0);
  EXPECT_TRUE(
      secretsIn(database, {"secret-file", "secret-name", secret, "cli_test --gtest"}).empty());
  EXPECT_EQ(queryValue(database, "SELECT redacted FROM recording"), "cmdline,paths,addresses");
  EXPECT_GE(queryValue(database, "SELECT count(*) FROM fd_span WHERE target LIKE '/r-%/r-%'"), 1);
  expectChecked(database);
}

TEST_F(Redacted, ACopyHoldsNoTraceOfWhatItHides) {
  actor.hear();
  const std::string database = directory.file("f.db");
  const std::string copy = directory.file("copy.db");
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "2",
                          "-i", "10ms"})
                .status,
            0);
  EXPECT_FALSE(secretsIn(database, {"secret-file"}).empty());
  ASSERT_EQ(runFdcapture({"copy", database, copy, "--redact", "paths,cmdline"}).status, 0);
  EXPECT_TRUE(secretsIn(copy, {"secret-file", "secret-name", secret}).empty());
  EXPECT_EQ(queryValue(copy, "SELECT redacted FROM recording"), "cmdline,paths");
  expectChecked(copy);
  // What belongs together still does, and what is not redacted is as it was.
  const std::string counts = "SELECT kind, count(*) AS n FROM fd_span GROUP BY 1 ORDER BY 1";
  EXPECT_EQ(query(copy, counts), query(database, counts));
}

TEST_F(Redacted, ACopyThatIsKilledLeavesNoTraceEither) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the leak sanitizer does not work under strace";
#endif
  if (runProgram({"strace", "-qq", "-o", "/dev/null", "true"}).status != 0) {
    GTEST_SKIP() << "needs strace";
  }
  actor.hear();
  const std::string database = directory.file("f.db");
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "30",
                          "-i", "1ms"})
                .status,
            0);
  const TemporaryDirectory target;
  int kills = 0;
  for (int call = 1;; call += 1 + call / 4) {
    const ProgramResult result = runProgram(
        {"strace", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,unlink,fsync,fdatasync,link",
         "-e",
         "inject=pwrite64,unlink,fsync,fdatasync,link:signal=KILL:when=" + std::to_string(call),
         FDCAPTURE_PATH, "copy", database, target.file("copy.db"), "--redact", "paths,cmdline"});
    for (const std::string& name : namesIn(target.path())) {
      EXPECT_TRUE(secretsIn(target.file(name), {"secret-file", "secret-name", secret}).empty())
          << name << " after call " << call;
    }
    if (result.status == 0) break;
    ++kills;
    for (const std::string& name : namesIn(target.path()))
      std::filesystem::remove(target.file(name));
  }
  EXPECT_GE(kills, 5);
  EXPECT_EQ(namesIn(target.path()), std::vector<std::string>{"copy.db"});
}

TEST(Slices, ACopyOfAPartOfTheTime) {
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor([](Cue& cue) { cue.await(); });
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "3",
                            "-i", "20ms"})
                  .status,
              0);
  }
  const auto timeOf = [&](int snapshot) {
    return queryValue(database,
                      "SELECT taken_at FROM snapshot WHERE id = " + std::to_string(snapshot))
        .get<std::string>();
  };
  const std::string copy = directory.file("copy.db");
  // From the keyframe before snapshot 6 to the last snapshot that is shown with the time of 8.
  ASSERT_EQ(runFdcapture({"copy", database, copy, "--from", timeOf(6), "--to", timeOf(8)}).status,
            0);
  const Json numbers = valuesOf(analyze({"snapshots", copy}), "snapshot");
  EXPECT_EQ(numbers.front(), 4);
  EXPECT_EQ(numbers.back(), 8);
  EXPECT_EQ(queryValue(copy, "SELECT sum(snapshots) FROM dropped WHERE reason LIKE 'slice-%'"),
            9 - static_cast<int>(numbers.size()));
  expectChecked(copy);
  const ProgramResult none =
      runFdcapture({"copy", database, directory.file("none.db"), "--to", "2020-01-01T00:00Z"});
  EXPECT_EQ(none.status, 1);
  EXPECT_NE(none.err.find("has no snapshot in that time"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(directory.file("none.db")));
}

class SliceOfOne : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "6",
                            "-i", "1ms"})
                  .status,
              0);
  }
  ProgramResult record(const std::string& file) const {
    return runFdcapture(
        {"record", "-o", file, "-p", std::to_string(actor.pid()), "-n", "2", "-i", "1ms"});
  }
  /// As if the snapshots had been taken at other times.
  void setWallClock(const std::string& sql) const {
    SQLite::Database archive(database, SQLite::OPEN_READWRITE);
    archive.exec(sql);
    forgeChain(archive);
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  const std::string copy = directory.file("copy.db");
  Actor actor{[](Cue& cue) { cue.await(); }};
};

TEST_F(SliceOfOne, IsContinuedWithNumbersThatWereNeverUsed) {
  // Snapshot N at second N after the epoch.
  setWallClock("UPDATE snapshot SET wall_ns = id * 1000000000");
  ASSERT_EQ(runFdcapture({"copy", database, copy, "--to", "1970-01-01T00:00:03Z"}).status, 0);
  ASSERT_EQ(record(copy).status, 0);
  // That the rest of the time was left out is no gap and no killed recorder.
  const Json report = analyze({"report", copy});
  EXPECT_EQ(report.at("databases")[0].at("doubts"), Json::array());
  EXPECT_NE(report.dump().find("this is a copy of an earlier part of the time"), std::string::npos);
  // 4 to 6 are those of the archive from which it was copied.
  EXPECT_EQ(valuesOf(query(copy, "SELECT id FROM snapshot"), "id"), Json({1, 2, 3, 7, 8}));
  EXPECT_EQ(queryValue(copy, "SELECT snapshots FROM dropped WHERE reason = 'slice-to'"), 3);
  expectChecked(copy);
  // And again, with what is dropped on both sides.
  const std::string second = directory.file("second.db");
  ASSERT_EQ(runFdcapture({"copy", copy, second, "--from", "1970-01-01T00:00:04Z"}).status, 0);
  expectChecked(second);
  EXPECT_EQ(valuesOf(query(second, "SELECT id FROM snapshot"), "id"), Json({7, 8}));
}

TEST_F(SliceOfOne, HoldsAllOfItsTimeWhenTheWallClockWentBack) {
  // Seconds 1 2 3, then the clock is set back: 2 3 4.
  setWallClock("UPDATE snapshot SET wall_ns = (id - 2 * (id > 3)) * 1000000000");
  ASSERT_EQ(runFdcapture({"copy", database, copy, "--to", "1970-01-01T00:00:03.5Z"}).status, 0);
  // Up to the last one that is not after it, with what lies between.
  EXPECT_EQ(valuesOf(query(copy, "SELECT id FROM snapshot"), "id"), Json({1, 2, 3, 4, 5}));
  expectChecked(copy);
}

}  // namespace
}  // namespace fdmortem::test
