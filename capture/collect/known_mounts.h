// Links of fds that need not be read, because fdinfo says all that the kernel makes them of.
#pragma once

#include <cstdint>
#include <optional>

#include "capture/collect/proc_source.h"
#include "schema/records.h"

namespace fdmortem {

/// All sockets of a host are on one mount that nobody else can reach, and so are all its pipes. Of
/// what is there the kernel makes the link from the type and the inode number and nothing else
/// (net/socket.c, sockfs_dname; fs/pipe.c, pipefs_dname), and fdinfo has the mount and that number,
/// of one and the same file (fs/proc/fd.c, seq_show; Linux 5.14).
class KnownMounts {
 public:
  /// Learns both from descriptors of our own, which nobody changes while they are looked at: only
  /// where their links are what linkOf() gives for their fdinfo. Learns nothing if `source` is not
  /// the proc file system, or not of our own pid namespace: then linkOf() is always empty.
  explicit KnownMounts(const ProcSource& source);

  /// The link of an fd with this fdinfo; empty: it has to be read.
  std::optional<FdLink> linkOf(const FdInfo& info) const;

  /// Whether linkOf() ever gives one.
  bool any() const { return sockets_ || pipes_; }

 private:
  std::optional<int32_t> sockets_;  ///< mnt_id of fdinfo
  std::optional<int32_t> pipes_;
};

}  // namespace fdmortem
