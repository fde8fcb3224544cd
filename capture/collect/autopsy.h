// What the kernel still says of a TCP socket whose connection is gone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "capture/collect/failure_log.h"
#include "capture/collect/proc_source.h"
#include "capture/snapshot.h"
#include "schema/file_handle.h"

namespace fdmortem {

/// Asks the sockets of one process, through duplicates of its fds (pidfd_getfd(2), Linux 5.6, needs
/// the rights of ptrace-attach). Nothing about the socket or the process is changed: no option that
/// a read resets is read (SO_ERROR least of all), nothing is sent or received, and a duplicate is
/// held only as long as the calls take.
class SocketExaminer {
 public:
  /// `process_directory` pins the process that `pid` names. A kernel or a right that is lacking is
  /// a failure with the pid, and every examine() is empty then.
  SocketExaminer(int process_directory, int32_t pid, FailureLog& failures);

  /// Examines fd if it still is the socket `inode`. `started` is the snapshot's start. Empty
  /// if it is not, if it was closed meanwhile, or if it could not be asked: then the failure is
  /// logged.
  std::optional<AutopsyRecord> examine(int32_t fd, uint64_t inode, const Clocks& started);

  /// False: this kernel is too old, so that other processes need not be asked either.
  bool isPossible() const { return is_possible_; }

 private:
  /// To open its namespace takes as long as all other questions: that is done once for each.
  std::optional<uint64_t> netnsOfSocket(int fd);

  int32_t pid_;
  FailureLog& failures_;
  FileHandle pidfd_;
  bool is_possible_ = true;
  std::map<uint64_t, std::optional<uint64_t>> netns_;  ///< inode numbers by cookie
};

}  // namespace fdmortem
