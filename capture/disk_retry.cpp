#include "capture/disk_retry.h"

#include <algorithm>

namespace fdmortem {
namespace {

/// A snapshot is written into the log, then into the file, which may have to grow in steps.
constexpr uint64_t kTimesWritten = 3;

}  // namespace

void Backoff::failed(int64_t now_ns) {
  wait_ns_ = std::clamp(2 * wait_ns_, kFirstNs, kLongestNs);
  next_ns_ = now_ns + wait_ns_;
}

void DiskRetry::snapshotFailed(int64_t now_ns, uint64_t needed_bytes) {
  // What was set aside before this try was not enough.
  if (is_full_) {
    room_bytes_ *= 2;
    backoff_.failed(now_ns);
  }
  is_full_ = true;
  room_bytes_ = std::min(std::max(room_bytes_, kTimesWritten * std::min(needed_bytes, kMostBytes)),
                         kMostBytes);
}

}  // namespace fdmortem
