#include "capture/burst.h"

#include <cerrno>

#include <fmt/core.h>

#include "capture/collect/selection.h"

namespace fdmortem {
namespace {

bool lacksDescriptors(int error) {
  return error == EMFILE || error == ENFILE;
}

}  // namespace

void BurstWatch::follow(const Snapshot& snapshot) {
  watched_.clear();
  for (const ProcessRecord& process : snapshot.processes) {
    const auto limit = process.softFdLimit();
    if (limit && *limit > 0) watched_.push_back({process.identity, *limit});
  }
}

bool BurstWatch::isAbove(uint64_t count, uint64_t soft_limit) const {
  return static_cast<double>(count) * 100 >= static_cast<double>(soft_limit) * percent_;
}

OrErrno<uint64_t> BurstWatch::countByPid(int32_t pid) {
  const auto count = source_.fdCount(pid);
  if (count || !lacksDescriptors(count.error())) return count;
  spares_.release();
  const auto with_spares = source_.fdCount(pid);
  spares_.take();
  return with_spares;
}

std::optional<uint64_t> BurstWatch::countOfVery(const ProcessIdentity& identity) {
  spares_.release();
  std::optional<uint64_t> count;
  if (const auto process = openProcess(source_, identity)) {
    if (const auto told = source_.fdCount(process->directory)) count = *told;
  }
  spares_.take();
  return count;
}

std::string BurstWatch::look() {
  for (const Watched& watched : watched_) {
    // One that can't be looked at is told by the next snapshot.
    const auto seen = countByPid(watched.process.pid);
    if (!seen || !isAbove(*seen, watched.soft_limit)) continue;
    const auto count = countOfVery(watched.process);
    if (!count || !isAbove(*count, watched.soft_limit)) continue;
    return fmt::format("process {}: {} fds of {}", watched.process.pid, *count, watched.soft_limit);
  }
  return {};
}

}  // namespace fdmortem
