// An archive of a process that is really there: the test's own.
#pragma once

#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "capture/archive/writer.h"
#include "capture/collect/collector.h"
#include "capture/collect/proc_source.h"

namespace fdmortem::test {

/// Records `steps.size()` snapshots of the calling process with the texts, one after each step, the
/// third a keyframe. Returns the head of the chain. The file is continued if it is there.
inline Digest recordOwnProcess(const std::string& path,
                               const std::vector<std::function<void()>>& steps) {
  const ProcSource source("/proc");
  Collector collector(source, {.pids = {getpid()}}, true, {.keeps_texts = true});
  ArchiveWriter writer(path);
  writer.beginRecording({.started_at_ns = readClocks().wall_ns,
                         .boot_id = "boot",
                         .host_name = "host",
                         .kernel_release = "6.18",
                         .machine = "x86_64",
                         .recorder_pid = getpid(),
                         .interval_ms = 10,
                         .recorder_login_uid = 1000,
                         .options = {"record", "-o", "x.db"},
                         .keeps_texts = true,
                         .note = "a note"});
  std::optional<Snapshot> previous;
  int count = 0;
  for (const auto& step : steps) {
    step();
    Snapshot now = collector.take(previous ? &*previous : nullptr);
    if (previous) carryOver(*previous, now);
    const bool is_keyframe = !previous || count == 2;
    const auto changes = detectChanges(previous ? &*previous : nullptr, now, is_keyframe);
    const std::vector<Delay> delays =
        count == 1 ? std::vector<Delay>{{"slow", 2}} : std::vector<Delay>{};
    if (!writer.write(now, changes, {.keyframe = is_keyframe, .delays = delays})) {
      throw std::runtime_error("not stored");
    }
    if (count == 1) writer.note(readClocks(), "burst-began", "it grows");
    previous = std::move(now);
    ++count;
  }
  writer.endRecording(readClocks().wall_ns, "count");
  return writer.head();
}

}  // namespace fdmortem::test
