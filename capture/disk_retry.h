// When a disk that was full is written to again.
#pragma once

#include <cstdint>

namespace fdmortem {

/// Waits that double from one failure to the next, up to a bound. Times are CLOCK_BOOTTIME.
class Backoff {
 public:
  static constexpr int64_t kFirstNs = 100'000'000;
  static constexpr int64_t kLongestNs = 30'000'000'000;

  void failed(int64_t now_ns);
  void succeeded() { *this = {}; }

  /// The next try is not to be before it.
  int64_t nextNs() const { return next_ns_; }
  bool isLongest() const { return wait_ns_ == kLongestNs; }

 private:
  int64_t wait_ns_ = 0;
  int64_t next_ns_ = 0;
};

/// A disk is full from the first snapshot that found no room to the next one that is stored. A
/// quota, or blocks that are kept for root, can make free space a lie: then tries become rare.
class DiskRetry {
 public:
  /// So much room there has to be at least.
  static constexpr uint64_t kRoomBytes = 4 << 20;
  static constexpr uint64_t kMostBytes = 64 << 20;

  bool isFull() const { return is_full_; }

  /// A snapshot found no room; `needed_bytes` is what it takes in the archive, 0 if nobody knows.
  void snapshotFailed(int64_t now_ns, uint64_t needed_bytes);
  /// The file system refused to set roomBytes() aside.
  void roomRefused(int64_t now_ns) { backoff_.failed(now_ns); }
  void stored() { *this = {}; }

  bool mayTry(int64_t now_ns) const { return now_ns >= backoff_.nextNs(); }
  /// What to ask the file system for before the next try. What the snapshot that failed needs; not
  /// for ever, a small disk may never have that much.
  uint64_t roomBytes() const { return backoff_.isLongest() ? kRoomBytes : room_bytes_; }

 private:
  bool is_full_ = false;
  uint64_t room_bytes_ = kRoomBytes;
  Backoff backoff_;
};

}  // namespace fdmortem
