#include "capture/archive/retention.h"

#include <filesystem>
#include <memory>
#include <stdexcept>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "capture/archive/writer.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

constexpr int64_t kSecond = 1'000'000'000;

class RetentionTest : public testing::Test {
 protected:
  void open(const RetentionLimits& limits, const std::string& boot_id = "boot") {
    writer_ = std::make_unique<ArchiveWriter>(path_, limits);
    writer_->beginRecording({.boot_id = boot_id});
    previous_.reset();
  }
  void close() {
    writer_->endRecording(9, "count");
    writer_.reset();
  }

  /// One snapshot more, 10 s after the one before, of a process whose sockets are all new.
  bool write(int socket_count = 3) {
    Snapshot now = snapshotOf({processWith({})}, {netnsWith({})});
    now.clocks.boottime_ns = boottime_ns_;
    now.clocks.wall_ns = 1'767'225'600 * kSecond + boottime_ns_;
    boottime_ns_ += 10 * kSecond;
    for (int i = 0; i < socket_count; ++i) {
      now.processes.front().fds.push_back(socketFd(i, ++inode_));
      now.namespaces.front().inet.at(0).push_back(tcpRow(inode_));
    }
    EXPECT_FALSE(writer_->makeRoom(now.clocks));
    if (previous_) carryOver(*previous_, now);
    const bool keyframe = writer_->wantsKeyframe(now.clocks);
    const auto changes = detectChanges(previous_ ? &*previous_ : nullptr, now, keyframe);
    const bool is_stored = writer_->write(now, changes, {.keyframe = keyframe}).has_value();
    if (is_stored) previous_ = std::move(now);
    return is_stored;
  }

  int64_t number(const std::string& query) const {
    return SQLite::Database(path_, SQLite::OPEN_READONLY).execAndGet(query).getInt64();
  }
  std::string text(const std::string& query) const {
    return SQLite::Database(path_, SQLite::OPEN_READONLY).execAndGet(query).getString();
  }
  uint64_t bytesOnDisk() const {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
      bytes += entry.file_size();
    return bytes;
  }

  /// Each row's snapshot, and what it refers to, is there.
  void expectWhole() const {
    EXPECT_EQ(text("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(number("SELECT keyframe FROM snapshot ORDER BY id LIMIT 1"), 1);
    for (const char* table : {"fd_change", "inet_change", "process_change", "text", "address",
                              "limit_change", "net_table_change", "delay"}) {
      EXPECT_EQ(number(std::string("SELECT count(*) FROM ") + table +
                       " WHERE snapshot NOT IN (SELECT id FROM snapshot)"),
                0)
          << table;
    }
    EXPECT_EQ(number("SELECT count(*) FROM inet_change WHERE "
                     "local_address NOT IN (SELECT id FROM address)"),
              0);
    EXPECT_EQ(number("SELECT count(*) FROM process_change WHERE comm NOT IN (SELECT id FROM text)"),
              0);
    EXPECT_EQ(
        number("SELECT count(*) FROM fd_change WHERE process NOT IN (SELECT id FROM process)"), 0);
    EXPECT_EQ(number("SELECT count(*) FROM inet_change WHERE netns NOT IN (SELECT id FROM netns)"),
              0);
    EXPECT_EQ(number("SELECT count(*) FROM snapshot WHERE recording NOT IN "
                     "(SELECT id FROM recording)"),
              0);
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.path() / "a.db";
  std::unique_ptr<ArchiveWriter> writer_;
  std::optional<Snapshot> previous_;
  int64_t boottime_ns_ = 100 * kSecond;
  uint64_t inode_ = 500;
};

TEST_F(RetentionTest, WithoutLimitsAKeyframeIsDueEvery256Snapshots) {
  open({});
  for (int i = 0; i < 257; ++i)
    ASSERT_TRUE(write(1));
  EXPECT_EQ(number("SELECT count(*) FROM snapshot WHERE keyframe"), 2);
  EXPECT_EQ(number("SELECT max(id) FROM snapshot WHERE keyframe"), 257);
  EXPECT_EQ(number("SELECT count(*) FROM dropped"), 0);
}

TEST_F(RetentionTest, WhatIsOlderThanKeepGoesAndSaysSo) {
  open({.keep_ns = 400 * kSecond});
  for (int i = 0; i < 200; ++i)
    ASSERT_TRUE(write());
  expectWhole();
  // All of the time to keep is there, and not much more.
  const int64_t kept_ns = number("SELECT max(boottime_ns) - min(boottime_ns) FROM snapshot");
  EXPECT_GE(kept_ns, 400 * kSecond - 10 * kSecond);
  EXPECT_LE(kept_ns, 500 * kSecond);
  EXPECT_EQ(text("SELECT reason FROM dropped"), "keep");
  EXPECT_EQ(number("SELECT snapshots + (SELECT count(*) FROM snapshot) FROM dropped"), 200);
  EXPECT_EQ(number("SELECT last_snapshot + 1 - (SELECT min(id) FROM snapshot) FROM dropped"), 0);
}

TEST_F(RetentionTest, AWallClockThatJumpsDropsNothing) {
  open({.keep_ns = 400 * kSecond});
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(write());
  Clocks jumped{.wall_ns = 2'000'000'000 * kSecond, .boottime_ns = boottime_ns_};
  EXPECT_FALSE(writer_->makeRoom(jumped));
  EXPECT_EQ(number("SELECT count(*) FROM snapshot"), 10);
}

TEST_F(RetentionTest, AnEarlierBootIsDroppedByTheWallClock) {
  open({.keep_ns = 400 * kSecond}, "first");
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE(write());
  close();
  open({.keep_ns = 400 * kSecond}, "second");
  boottime_ns_ += 1000 * kSecond;
  ASSERT_TRUE(write());
  ASSERT_TRUE(write());
  expectWhole();
  EXPECT_EQ(number("SELECT min(id) FROM snapshot"), 11);
  EXPECT_EQ(number("SELECT count(*) FROM recording"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM recording_end"), 0);
}

TEST_F(RetentionTest, TheFileNeverIsLargerThanMaxSize) {
  constexpr uint64_t kLimit = 1 << 20;
  open({.max_bytes = kLimit});
  int stored = 0;
  for (int i = 0; i < 1500; ++i) {
    stored += write(20);
    ASSERT_LE(bytesOnDisk(), kLimit) << i;
  }
  expectWhole();
  EXPECT_EQ(stored, 1500);

  EXPECT_EQ(number("SELECT max(id) FROM snapshot"), stored);
  EXPECT_GT(number("SELECT count(*) FROM snapshot"), 50);
  EXPECT_EQ(text("SELECT reason FROM dropped"), "max-size");
  close();
  EXPECT_LE(bytesOnDisk(), kLimit);
  expectWhole();
}

TEST_F(RetentionTest, SnapshotsThatBecomeLargerMakeTheFileFitThem) {
  constexpr uint64_t kLimit = 1 << 20;
  open({.max_bytes = kLimit});
  for (int i = 0; i < 400; ++i)
    ASSERT_TRUE(write(10));
  int lost = 0;
  for (int i = 0; i < 100; ++i) {
    lost += write(500) ? 0 : 1;
    ASSERT_LE(bytesOnDisk(), kLimit) << i;
  }
  EXPECT_LE(lost, 1);
  expectWhole();
}

TEST_F(RetentionTest, ASnapshotThatCanNotFitCostsNothingThatIsThere) {
  open({.max_bytes = 1 << 20});
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(write(10));
  EXPECT_FALSE(write(20'000));
  expectWhole();
  EXPECT_GT(number("SELECT count(*) FROM snapshot"), 0);
  EXPECT_TRUE(write(10));
  expectWhole();
}

TEST_F(RetentionTest, ProcessesAndNamespacesThatComeBackAreThereAgain) {
  open({.keep_ns = 80 * kSecond});
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(write());
  // Away for so long that all that speaks of the namespace is dropped.
  for (int i = 0; i < 30; ++i) {
    Snapshot now = snapshotOf({}, {});
    now.clocks.boottime_ns = boottime_ns_;
    boottime_ns_ += 10 * kSecond;
    writer_->makeRoom(now.clocks);
    carryOver(*previous_, now);
    const bool keyframe = writer_->wantsKeyframe(now.clocks);
    ASSERT_TRUE(
        writer_->write(now, detectChanges(&*previous_, now, keyframe), {.keyframe = keyframe}));
    previous_ = std::move(now);
  }
  EXPECT_EQ(number("SELECT count(*) FROM netns"), 0);
  for (int i = 0; i < 5; ++i)
    ASSERT_TRUE(write());
  expectWhole();
  EXPECT_EQ(number("SELECT count(*) FROM netns"), 1);
}

TEST_F(RetentionTest, AFileThatIsTooLargeAlreadyLosesItsOldest) {
  open({.max_bytes = 4 << 20});
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(write(1500));
  close();
  const int64_t newest = number("SELECT max(id) FROM snapshot");
  ASSERT_GT(bytesOnDisk(), 2u << 20);
  open({.max_bytes = 2 << 20});
  EXPECT_GT(writer_->trimmedSnapshots(), 0);
  EXPECT_LE(bytesOnDisk(), 2u << 20);
  EXPECT_EQ(number("SELECT max(id) FROM snapshot"), newest);
  EXPECT_GT(number("SELECT snapshots FROM dropped WHERE reason = 'max-size'"), 0);
  expectWhole();
  ASSERT_TRUE(write(1500));
  expectWhole();
}

TEST_F(RetentionTest, AFileThatIsTooLargeAndCanNotShrinkIsLeftAsItIs) {
  open({});
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(write(1500));
  close();
  SQLite::Database(path_, SQLite::OPEN_READWRITE).exec("PRAGMA auto_vacuum = NONE; VACUUM");
  EXPECT_THROW(open({.max_bytes = 1 << 20}), std::runtime_error);
  EXPECT_EQ(number("SELECT count(*) FROM snapshot"), 20);
}

TEST_F(RetentionTest, OneStretchThatIsTooLargeGoesWhole) {
  open({});
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(write(1500));
  close();
  open({.max_bytes = 1 << 20});
  EXPECT_EQ(writer_->trimmedSnapshots(), 20);
  EXPECT_LE(bytesOnDisk(), 1u << 20);
  ASSERT_TRUE(write());
  EXPECT_EQ(number("SELECT min(id) FROM snapshot"), 21);
  expectWhole();
}

}  // namespace

}  // namespace fdmortem::test
