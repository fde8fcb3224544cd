// Archives as fdcapture writes them, of snapshots made by hand.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "capture/archive/writer.h"
#include "tests/support/snapshots.h"

namespace fdmortem::test {

/// One recording of `snapshots`, 10 s apart, the first a keyframe. The file is continued if it is
/// there.
inline void writeArchive(const std::string& path, const std::vector<Snapshot>& snapshots,
                         const std::string& boot_id = "boot") {
  ArchiveWriter writer(path);
  writer.beginRecording({.started_at_ns = 1'767'225'600'000'000'000,
                         .boot_id = boot_id,
                         .host_name = "host",
                         .kernel_release = "6.18",
                         .machine = "x86_64",
                         .interval_ms = 10'000,
                         .options = {}});
  std::optional<Snapshot> previous;
  int64_t seconds = 0;
  for (Snapshot now : snapshots) {
    now.clocks.wall_ns += seconds * 1'000'000'000;
    now.clocks.boottime_ns += seconds * 1'000'000'000;
    seconds += 10;
    if (previous) carryOver(*previous, now);
    const auto changes = detectChanges(previous ? &*previous : nullptr, now, !previous);
    if (!writer.write(now, changes, {.keyframe = !previous})) {
      throw std::runtime_error("not stored");
    }
    previous = std::move(now);
  }
  writer.endRecording(1'767'225'600'000'000'000 + seconds * 1'000'000'000, "count");
}

}  // namespace fdmortem::test
