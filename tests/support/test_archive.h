// Archives as fdcapture writes them, of snapshots made by hand.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "capture/archive/writer.h"
#include "tests/support/snapshots.h"

namespace fdmortem::test {

/// A recording of snapshots made by hand, each compared with the one before, as fdcapture does. The
/// file is continued if it is there. Throws std::runtime_error where one can't be stored.
class StoredRecording {
 public:
  explicit StoredRecording(const std::string& path, const std::string& boot_id = "boot",
                           int64_t started_at_ns = 1)
      : writer_(path) {
    writer_.beginRecording({.started_at_ns = started_at_ns,
                            .boot_id = boot_id,
                            .host_name = "host",
                            .kernel_release = "6.18",
                            .machine = "x86_64",
                            .interval_ms = 10'000,
                            .options = {}});
  }

  /// The first is a keyframe in any case.
  void add(Snapshot now, bool is_keyframe = false) {
    is_keyframe = is_keyframe || !previous_;
    if (previous_) carryOver(*previous_, now);
    const auto changes = detectChanges(previous_ ? &*previous_ : nullptr, now, is_keyframe);
    if (!writer_.write(now, changes, {.keyframe = is_keyframe}))
      throw std::runtime_error("not stored");
    previous_ = std::move(now);
  }
  void end(int64_t ended_at_ns = 2) { writer_.endRecording(ended_at_ns, "count"); }

 private:
  ArchiveWriter writer_;
  std::optional<Snapshot> previous_;
};

/// Moves the clocks on.
inline void delay(Snapshot& snapshot, int64_t seconds) {
  snapshot.clocks.wall_ns += seconds * 1'000'000'000;
  snapshot.clocks.monotonic_ns += seconds * 1'000'000'000;
  snapshot.clocks.boottime_ns += seconds * 1'000'000'000;
}

/// One recording of `snapshots`, 10 s apart.
inline void writeArchive(const std::string& path, const std::vector<Snapshot>& snapshots,
                         const std::string& boot_id = "boot") {
  constexpr int64_t kStartNs = 1'767'225'600'000'000'000;
  StoredRecording recording(path, boot_id, kStartNs);
  int64_t seconds = 0;
  for (Snapshot now : snapshots) {
    delay(now, seconds);
    recording.add(std::move(now));
    seconds += 10;
  }
  recording.end(kStartNs + seconds * 1'000'000'000);
}

}  // namespace fdmortem::test
