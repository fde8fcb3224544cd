// What fdcapture takes of the host, and keeps back of what it may take.
#pragma once

#include <cstdint>
#include <vector>

#include "schema/file_handle.h"

namespace fdmortem {

/// Lets this process have no more memory of its own than that (RLIMIT_DATA, getrlimit(2)): beyond
/// it an allocation fails and a snapshot is not taken, but the host keeps its memory. A lower limit
/// that is set already stays. Returns whether a limit holds.
bool limitOwnMemory(uint64_t bytes);

/// Memory that was freed does not count any more.
void giveBackFreeMemory();

/// CPU time of this process, user and system, in microseconds.
int64_t ownCpuUs();

/// Descriptors that are held for nothing, so that they can be had when there are no others: a
/// snapshot needs about ten at a time.
class SpareDescriptors {
 public:
  SpareDescriptors();

  /// Takes as many as are missing and can be had.
  void take();
  void release() { spares_.clear(); }

 private:
  std::vector<FileHandle> spares_;
};

}  // namespace fdmortem
