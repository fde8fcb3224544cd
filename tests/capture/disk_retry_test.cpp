#include "capture/disk_retry.h"

#include <gtest/gtest.h>

namespace fdmortem::test {
namespace {

TEST(DiskRetry, TheFirstTryIsTheNextSnapshot) {
  DiskRetry disk;
  EXPECT_FALSE(disk.isFull());
  disk.snapshotFailed(100, 0);
  EXPECT_TRUE(disk.isFull());
  EXPECT_TRUE(disk.mayTry(100));
  EXPECT_EQ(disk.roomBytes(), DiskRetry::kRoomBytes);
}

TEST(DiskRetry, TriesThatFailBecomeRareUpToABound) {
  DiskRetry disk;
  int64_t now_ns = 0;
  int tries = 0;
  // An hour of room that is none, with a snapshot each 10 ms.
  for (; now_ns < int64_t{3600} * 1'000'000'000; now_ns += 10'000'000) {
    if (!disk.mayTry(now_ns)) continue;
    disk.snapshotFailed(now_ns, 1000);
    ++tries;
  }
  EXPECT_LT(tries, 150);
  EXPECT_TRUE(disk.mayTry(now_ns + Backoff::kLongestNs));
  // Room that there is again is not missed because more was wanted.
  EXPECT_EQ(disk.roomBytes(), DiskRetry::kRoomBytes);
}

TEST(DiskRetry, WantsWhatTheSnapshotNeeds) {
  DiskRetry disk;
  disk.snapshotFailed(0, 10 << 20);
  EXPECT_EQ(disk.roomBytes(), 30u << 20);
  disk.snapshotFailed(0, 10 << 20);
  EXPECT_EQ(disk.roomBytes(), 60u << 20);
  disk.snapshotFailed(0, UINT64_MAX);
  EXPECT_EQ(disk.roomBytes(), DiskRetry::kMostBytes);
}

TEST(DiskRetry, ForgetsWhenASnapshotIsStored) {
  DiskRetry disk;
  for (int i = 0; i < 5; ++i)
    disk.snapshotFailed(0, 10 << 20);
  EXPECT_FALSE(disk.mayTry(1));
  disk.stored();
  EXPECT_FALSE(disk.isFull());
  EXPECT_TRUE(disk.mayTry(1));
  EXPECT_EQ(disk.roomBytes(), DiskRetry::kRoomBytes);
}

}  // namespace
}  // namespace fdmortem::test
