// The flight recorder: cheap looks between two snapshots, and dense snapshots when they matter.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/proc_source.h"
#include "capture/snapshot.h"

namespace fdmortem {

/// Tells whether a recorded process has as many fds as a part of its soft limit allows. A look is
/// one stat of /proc/PID/fd a process where the kernel tells the number of fds there (Linux 6.2),
/// and a listing elsewhere.
class BurstWatch {
 public:
  BurstWatch(const ProcSource& source, int percent) : source_(source), percent_(percent) {}

  /// From now on the processes of this snapshot are looked at, by the limits that they have there.
  void follow(const Snapshot& snapshot);

  /// Who is above now, in words for the archive; empty: nobody.
  std::string look() const;

 private:
  struct Watched {
    int32_t pid = 0;
    uint64_t soft_limit = 0;
  };

  const ProcSource& source_;
  int percent_;
  std::vector<Watched> watched_;
};

}  // namespace fdmortem
