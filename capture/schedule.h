// When snapshots are due, and why some were not taken.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/archive/writer.h"

namespace fdmortem {

/// Reasons of Delay, as schema/README.md names them.
namespace delay_reason {
inline constexpr const char* kSlow = "slow";
inline constexpr const char* kCpuBudget = "cpu-budget";
inline constexpr const char* kStopped = "stopped";
inline constexpr const char* kSuspended = "suspended";
inline constexpr const char* kDiskFull = "disk-full";
inline constexpr const char* kMaxSize = "max-size";
inline constexpr const char* kMemory = "memory";
inline constexpr const char* kInputOutput = "io-error";
}  // namespace delay_reason

/// Snapshots are due at whole intervals after the first, none twice. Times are CLOCK_BOOTTIME.
class Schedule {
 public:
  Schedule(int64_t start_ns, int64_t interval_ns) : start_ns_(start_ns), interval_ns_(interval_ns) {
    delays_.reserve(kReasons);
  }

  int64_t dueNs() const { return start_ns_ + slot_ * interval_ns_; }

  /// After the snapshot that was due: goes to the first time that is not over at `now_ns`, and not
  /// before `earliest_ns`, which the CPU budget allows. What lies between is missed.
  void advance(int64_t now_ns, int64_t earliest_ns);

  /// Before the snapshot that is due: if it is `now_ns` and that is so late that further ones were
  /// due, only the last of them is taken. One that is late by more than a tenth of the interval
  /// (100 ms at least) is told as well.
  void wake(int64_t now_ns, const char* reason);

  /// At the end of the recording, which was to be at `end_ns`: what was due until then is missed,
  /// and what the CPU budget would have skipped after it is not.
  void end(int64_t end_ns);

  /// A snapshot that was due could not be taken or stored. Takes no memory.
  void miss(const char* reason) { add(reason, 1); }

  /// What was missed since this was told to be stored.
  const std::vector<Delay>& delays() const { return delays_; }
  void stored() {
    stored_missed_ += missed();
    delays_.clear();
  }
  /// How many were missed in all.
  int64_t allMissed() const { return stored_missed_ + missed(); }

 private:
  static constexpr size_t kReasons = 8;

  void add(const char* reason, int64_t missed);
  int64_t missed() const;
  /// The first slot that is not before `time_ns`.
  int64_t slotAt(int64_t time_ns) const {
    return (time_ns - start_ns_ + interval_ns_ - 1) / interval_ns_;
  }

  int64_t start_ns_;
  int64_t interval_ns_;
  int64_t slot_ = 0;
  int64_t stored_missed_ = 0;
  std::vector<Delay> delays_;  ///< one of each reason at most
};

}  // namespace fdmortem
