// What tests of a recorder that may have little share.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>

#include <cstddef>
#include <cstdlib>
#include <vector>

#include "schema/file_handle.h"
#include "tests/support/actor.h"

namespace fdmortem::test {

/// `FDMORTEM_SNAPSHOTS=2000` is the long form.
inline int snapshotsToTake() {
  const char* number = std::getenv("FDMORTEM_SNAPSHOTS");
  return number != nullptr ? std::atoi(number) : 150;
}

/// A process that opens and closes files until it has as many as it is told.
inline void holdFiles(Cue& cue) {
  const rlimit limit{.rlim_cur = 20'000, .rlim_max = 20'000};
  setrlimit(RLIMIT_NOFILE, &limit);
  std::vector<FileHandle> fds;
  while (true) {
    fds.resize(cue.await().get<size_t>());
    for (FileHandle& fd : fds) {
      if (!fd) fd = FileHandle(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    }
    cue.tell(fds.empty() || fds.back() ? "ready" : "no fds");
  }
}

}  // namespace fdmortem::test
