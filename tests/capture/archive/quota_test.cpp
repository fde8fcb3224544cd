#include "capture/archive/quota.h"

#include <signal.h>
#include <sys/resource.h>

#include <filesystem>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

class QuotaTest : public testing::Test {
 protected:
  uint64_t bytesOnDisk() const {
    uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path()))
      bytes += entry.file_size();
    return bytes;
  }

  TemporaryDirectory directory_;
  Quota quota_{256 * 1024};
  SQLite::Database database_{directory_.path() / "a.db",
                             SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 0, quota_.vfsName()};
};

TEST_F(QuotaTest, NothingMakesTheFilesLargerThanTheLimit) {
  database_.exec("PRAGMA journal_mode = WAL");
  database_.exec("CREATE TABLE t (x)");
  int error = 0;
  int rows = 0;
  while (error == 0 && rows < 1000) {
    try {
      database_.exec("INSERT INTO t VALUES (zeroblob(3000))");
      ++rows;
    } catch (const SQLite::Exception& exception) {
      error = exception.getErrorCode();
    }
    EXPECT_LE(bytesOnDisk(), 256u * 1024);
    EXPECT_LE(quota_.usedBytes(), 256u * 1024);
  }
  EXPECT_EQ(error, SQLITE_FULL);
  EXPECT_TRUE(quota_.takeRefused());
  EXPECT_FALSE(quota_.takeRefused());
  // All that was committed is there.
  EXPECT_EQ(database_.execAndGet("SELECT count(*) FROM t").getInt(), rows);
  EXPECT_EQ(database_.execAndGet("PRAGMA integrity_check").getString(), "ok");
}

TEST_F(QuotaTest, ARolledBackTransactionLeavesTheFileWhole) {
  database_.exec("PRAGMA journal_mode = WAL");
  database_.exec("CREATE TABLE t (x)");
  EXPECT_THROW(database_.exec("INSERT INTO t VALUES (zeroblob(1000000))"), SQLite::Exception);
  EXPECT_EQ(database_.execAndGet("SELECT count(*) FROM t").getInt(), 0);
  database_.exec("INSERT INTO t VALUES (1)");
  EXPECT_EQ(database_.execAndGet("PRAGMA integrity_check").getString(), "ok");
}

TEST_F(QuotaTest, WhatLiesBesideStaysAsLargeAsItWas) {
  quota_.setLimit(64 << 20);
  database_.exec("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
  database_.exec("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(18000000))");
  EXPECT_GE(quota_.usedBytes(), bytesOnDisk());
  database_.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  EXPECT_EQ(std::filesystem::file_size(directory_.path() / "a.db-wal"), 0u);
  EXPECT_GE(std::filesystem::file_size(directory_.path() / "a.db-shm"), 65536u);
  EXPECT_GE(quota_.usedBytes(), bytesOnDisk());
}

TEST_F(QuotaTest, WhatAFailedWriteLeftIsCounted) {
  quota_.setLimit(64 << 20);
  database_.exec("PRAGMA journal_mode = WAL");
  database_.exec("CREATE TABLE t (x)");
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  // In the middle of a page.
  const rlimit limit{.rlim_cur = 30'001, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_THROW(database_.exec("INSERT INTO t VALUES (zeroblob(100000))"), SQLite::Exception);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_GE(std::filesystem::file_size(directory_.path() / "a.db-wal"), 30'001u);
  EXPECT_GE(quota_.usedBytes(), bytesOnDisk());
}

TEST_F(QuotaTest, WhatIsReservedIsKeptFromTheDatabase) {
  database_.exec("PRAGMA journal_mode = WAL");
  database_.exec("CREATE TABLE t (x)");
  quota_.reserve(220 * 1024);
  EXPECT_THROW(database_.exec("INSERT INTO t VALUES (zeroblob(20000))"), SQLite::Exception);
  quota_.reserve(0);
  database_.exec("INSERT INTO t VALUES (zeroblob(20000))");
}

TEST_F(QuotaTest, AFileThatExistsCountsFromTheStart) {
  const auto path = directory_.path() / "b.db";
  {
    SQLite::Database other(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    other.exec("CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(200000))");
  }
  const uint64_t before = quota_.usedBytes();
  const SQLite::Database other(path, SQLite::OPEN_READWRITE, 0, quota_.vfsName());
  EXPECT_GE(quota_.usedBytes(), before + 200'000);
}

}  // namespace

}  // namespace fdmortem::test
