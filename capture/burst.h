// The flight recorder: cheap looks between two snapshots, and dense snapshots when they matter.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/collect/proc_source.h"
#include "capture/own_limits.h"
#include "capture/snapshot.h"

namespace fdmortem {

/// Tells whether a recorded process has as many fds as a part of its soft limit allows. A look is
/// one stat of /proc/PID/fd a process where the kernel tells the number of fds there (Linux 6.2),
/// and a listing elsewhere. Who seems to be above is looked at again as the process that it was:
/// another one may have its pid by now. A process without a limit, or with one of 0, has no part of
/// it and is not looked at.
class BurstWatch {
 public:
  /// Takes of `spares` where there are no other descriptors.
  BurstWatch(const ProcSource& source, int percent, SpareDescriptors& spares)
      : source_(source), percent_(percent), spares_(spares) {}

  /// From now on the processes of this snapshot are looked at, by the limits that they have there.
  void follow(const Snapshot& snapshot);

  /// Who is above now, in words for the archive; empty: nobody.
  std::string look();

 private:
  struct Watched {
    ProcessIdentity process;
    uint64_t soft_limit = 0;
  };

  bool isAbove(uint64_t count, uint64_t soft_limit) const;
  OrErrno<uint64_t> countByPid(int32_t pid);
  /// Empty: it has ended, or can't be looked at.
  std::optional<uint64_t> countOfVery(const ProcessIdentity& process);

  const ProcSource& source_;
  int percent_;
  SpareDescriptors& spares_;
  std::vector<Watched> watched_;
};

}  // namespace fdmortem
