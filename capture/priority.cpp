#include "capture/priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/core.h>

#include "capture/io_priority.h"

namespace fdmortem {
namespace {

constexpr int kNice = 10;

/// errno where it failed, else 0.
int lowerForProcessor() {
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);
  if (errno != 0) return errno;
  if (nice >= kNice) return 0;
  return setpriority(PRIO_PROCESS, 0, kNice) == 0 ? 0 : errno;
}

/// Likewise. The C library has no functions for this: ioprio_set(2).
int lowerForDisk() {
  const int priority = static_cast<int>(syscall(SYS_ioprio_get, io_priority::kWhoProcess, 0));
  if (priority < 0) return errno;
  const int last = io_priority::valueOf(io_priority::kBestEffortClass, io_priority::kLastLevel);
  if (priority == last || io_priority::classOf(priority) == io_priority::kIdleClass) return 0;
  return syscall(SYS_ioprio_set, io_priority::kWhoProcess, 0, last) == 0 ? 0 : errno;
}

}  // namespace

std::vector<std::string> lowerPriority() {
  std::vector<std::string> refused;
  const auto note = [&refused](const char* what, int error) {
    if (error != 0) refused.push_back(fmt::format("{} stays as it is: {}", what, strerror(error)));
  };
  note("the priority for the processor", lowerForProcessor());
  note("the priority for the disk", lowerForDisk());
  return refused;
}

}  // namespace fdmortem
