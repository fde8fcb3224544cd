#include "capture/burst.h"

#include <fmt/core.h>

namespace fdmortem {

void BurstWatch::follow(const Snapshot& snapshot) {
  watched_.clear();
  for (const ProcessRecord& process : snapshot.processes) {
    if (const auto limit = process.softFdLimit())
      watched_.push_back({process.identity.pid, *limit});
  }
}

std::string BurstWatch::look() const {
  for (const Watched& process : watched_) {
    const auto count = source_.fdCount(process.pid);
    // One that can't be looked at is told by the next snapshot.
    if (!count || *count * 100 < process.soft_limit * static_cast<uint64_t>(percent_)) continue;
    return fmt::format("process {}: {} fds of {}", process.pid, *count, process.soft_limit);
  }
  return {};
}

}  // namespace fdmortem
