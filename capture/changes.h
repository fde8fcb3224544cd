// What is another way than in the snapshot before.
#pragma once

#include <vector>

#include "capture/snapshot.h"
#include "schema/format.h"

namespace fdmortem {

struct ProcessChange {
  Change change;
  const ProcessRecord* process;  ///< as it is now; of Gone as it was
};

struct LimitChange {
  ProcessIdentity process;
  Change change;
  const Limit* limit;
};

struct FdChange {
  ProcessIdentity process;
  Change change;
  const FdRecord* fd;
};

struct PositionChange {
  ProcessIdentity process;
  int32_t fd;
  int64_t position;
};

struct WatchChange {
  ProcessIdentity process;
  int32_t fd;  ///< of the epoll
  Change change;
  EpollWatch watch;
};

struct NetTableChange {
  uint64_t netns;
  NetTable table;
  ReadStatus status;
};

/// A row of a table of a namespace.
template <class Row>
struct RowChange {
  uint64_t netns;
  NetTable table;
  Change change;
  const Row* row;
};

struct TimeWaitChange {
  uint64_t netns;
  NetTable table;
  TimeWaitCount count;
};

/// All changes of a snapshot. The pointers lead into the two snapshots that were compared.
struct ChangeSet {
  std::vector<ProcessChange> processes;
  std::vector<LimitChange> limits;
  std::vector<FdChange> fds;
  std::vector<PositionChange> positions;
  std::vector<WatchChange> watches;
  std::vector<NetTableChange> net_tables;
  std::vector<RowChange<InetRow>> inet;
  std::vector<uint64_t> inet_gone;  ///< inodes of sockets that no Internet table lists any more;
                                    ///< their rows are not in `inet`
  std::vector<RowChange<InetRow>> inet_queues;  ///< `change` says nothing here
  std::vector<TimeWaitChange> time_wait;
  std::vector<RowChange<UnixRecord>> unix_rows;
  std::vector<RowChange<NetlinkRow>> netlink_rows;
  std::vector<RowChange<PacketRow>> packet_rows;
  std::vector<RowChange<SockstatValue>> sockstat;
};

/// Puts into `now` what it could not read and `previous` knows, so that a gap never looks like a
/// change: the fds of a process that could not be listed, the rows of a table that could not be
/// read. The read statuses of `now` stay as they are and tell that these are old.
void carryOver(const Snapshot& previous, Snapshot& now);

/// Compares two snapshots, after carryOver. `previous` is null at the start of a recording. In a
/// keyframe all that is there is a change, Present if it is nothing else. What is listed for the
/// first time without an earlier listing to compare with is Present too: it may be old.
ChangeSet detectChanges(const Snapshot* previous, const Snapshot& now, bool keyframe);

}  // namespace fdmortem
