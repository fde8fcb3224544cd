#include "capture/changes.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <tuple>

namespace fdmortem {
namespace {

/// Walks two lists that are sorted by `key` side by side and calls `visit(before, after)` for each
/// key, with null for the side that lacks it.
template <class Row, class Key, class Visit>
void forEachPair(const std::vector<Row>& before, const std::vector<Row>& after, Key key,
                 Visit visit) {
  auto old_row = before.begin();
  auto new_row = after.begin();
  while (old_row != before.end() || new_row != after.end()) {
    if (new_row == after.end() || (old_row != before.end() && key(*old_row) < key(*new_row))) {
      visit(&*old_row++, static_cast<const Row*>(nullptr));
    } else if (old_row == before.end() || key(*new_row) < key(*old_row)) {
      visit(static_cast<const Row*>(nullptr), &*new_row++);
    } else {
      visit(&*old_row++, &*new_row++);
    }
  }
}

/// What to write of a row. `is_known`: there was an earlier listing to compare with.
template <class Row, class Same>
std::optional<Change> changeOf(const Row* before, const Row* after, bool is_known, bool keyframe,
                               Same same) {
  if (after == nullptr) return Change::Gone;
  if (before == nullptr) return is_known ? Change::Appeared : Change::Present;
  if (!same(*before, *after)) return Change::Changed;
  if (keyframe) return Change::Present;
  return std::nullopt;
}

/// The rows of one list of one table.
template <class Row, class Key, class Same>
void diffRows(const std::vector<Row>* before, const std::vector<Row>& after, bool keyframe,
              uint64_t netns, NetTable table, Key key, Same same,
              std::vector<RowChange<Row>>& changes) {
  static const std::vector<Row> kNone;
  forEachPair(before != nullptr ? *before : kNone, after, key,
              [&](const Row* old_row, const Row* new_row) {
                const auto change = changeOf(old_row, new_row, before != nullptr, keyframe, same);
                if (!change) return;
                changes.push_back({netns, table, *change, new_row != nullptr ? new_row : old_row});
              });
}

constexpr auto kInetKey = [](const InetRow& row) {
  return std::tie(row.inode, row.local, row.remote);
};
constexpr auto kFdKey = [](const FdRecord& record) { return record.fd; };
constexpr auto kLimitKey = [](const Limit& limit) { return std::tie(limit.resource); };
constexpr auto kWatchKey = [](const EpollWatch& watch) {
  return std::tie(watch.watched_fd, watch.inode, watch.device);
};
constexpr auto kProcessKey = [](const ProcessRecord& process) { return process.identity; };
constexpr auto kNetnsKey = [](const NetnsRecord& netns) { return netns.inode; };

bool isSameQueue(const InetRow& a, const InetRow& b) {
  return std::tie(a.tx_queue, a.rx_queue, a.timer, a.retransmits, a.probes, a.drops) ==
         std::tie(b.tx_queue, b.rx_queue, b.timer, b.retransmits, b.probes, b.drops);
}

bool hasQueue(const InetRow& row) {
  return !isSameQueue(row, InetRow{});
}

/// Takes out of `sockets`, inode numbers, those that a table with these rows lists.
void eraseListed(const std::vector<InetRow>& rows, std::vector<uint64_t>& sockets) {
  if (rows.empty()) return;
  std::erase_if(sockets, [&](uint64_t inode) {
    const auto row = std::lower_bound(
        rows.begin(), rows.end(), inode,
        [](const InetRow& listed, uint64_t wanted) { return listed.inode < wanted; });
    return row != rows.end() && row->inode == inode;
  });
}

bool isSameFd(const FdRecord& a, const FdRecord& b) {
  if (a.link != b.link || a.protocol != b.protocol || a.file_type != b.file_type ||
      a.link_count != b.link_count || a.info.has_value() != b.info.has_value()) {
    return false;
  }
  return !a.info || std::tie(a.info->flags, a.info->mount_id, a.info->inode, a.info->detail) ==
                        std::tie(b.info->flags, b.info->mount_id, b.info->inode, b.info->detail);
}

bool isSameProcess(const ProcessRecord& a, const ProcessRecord& b) {
  const auto uids = [](const ProcessRecord& process) {
    return process.status
               ? std::optional(std::pair(process.status->real_uid, process.status->effective_uid))
               : std::nullopt;
  };
  return std::tie(a.parent_pid, a.comm, a.exe, a.cmdline, a.cgroup, a.netns, a.fd_list_status) ==
             std::tie(b.parent_pid, b.comm, b.exe, b.cmdline, b.cgroup, b.netns,
                      b.fd_list_status) &&
         uids(a) == uids(b);
}

/// Sorted by key, without doubles: a file that was closed and opened again under its number is
/// twice in the kernel's list and looks the same.
std::vector<EpollWatch> sortedWatches(const FdRecord* fd) {
  if (fd == nullptr || !fd->info) return {};
  std::vector<EpollWatch> watches = fd->info->watches;
  // By the key first of all: two files can be watched under one number.
  std::sort(watches.begin(), watches.end(), [](const EpollWatch& a, const EpollWatch& b) {
    return std::tuple(kWatchKey(a), a) < std::tuple(kWatchKey(b), b);
  });
  const auto end = std::unique(
      watches.begin(), watches.end(),
      [](const EpollWatch& a, const EpollWatch& b) { return kWatchKey(a) == kWatchKey(b); });
  watches.erase(end, watches.end());
  return watches;
}

class Detector {
 public:
  explicit Detector(bool keyframe) : keyframe_(keyframe) {}

  void processes(const Snapshot* previous, const Snapshot& now) {
    static const std::vector<ProcessRecord> kNone;
    forEachPair(previous != nullptr ? previous->processes : kNone, now.processes, kProcessKey,
                [&](const ProcessRecord* before, const ProcessRecord* after) {
                  const auto change =
                      changeOf(before, after, previous != nullptr, keyframe_, isSameProcess);
                  if (change) {
                    changes_.processes.push_back({*change, after != nullptr ? after : before});
                  }
                  if (after != nullptr) contents(before, *after);
                });
  }

  void namespaces(const Snapshot* previous, const Snapshot& now) {
    static const std::vector<NetnsRecord> kNone;
    forEachPair(previous != nullptr ? previous->namespaces : kNone, now.namespaces, kNetnsKey,
                [&](const NetnsRecord* before, const NetnsRecord* after) {
                  statuses(before, after);
                  // Of a namespace that is not read any more nothing is known, and nothing has
                  // gone.
                  if (after != nullptr) tables(before, *after);
                });
    takeGone(now);
  }

  ChangeSet take() { return std::move(changes_); }

 private:
  /// A list was read before, if only in part: what it lacks now can be compared.
  static bool wasRead(const ProcessRecord* before) {
    return before != nullptr &&
           (before->fd_list_status == ReadStatus::Whole || !before->fds.empty());
  }

  void contents(const ProcessRecord* before, const ProcessRecord& after) {
    static const std::vector<FdRecord> kNoFds;
    static const std::vector<Limit> kNoLimits;
    const bool is_known = wasRead(before);
    forEachPair(before != nullptr ? before->fds : kNoFds, after.fds, kFdKey,
                [&](const FdRecord* old_fd, const FdRecord* new_fd) {
                  fd(after.identity, old_fd, new_fd, is_known);
                });
    const bool had_limits = before != nullptr && before->limits;
    forEachPair(had_limits ? *before->limits : kNoLimits, after.limits ? *after.limits : kNoLimits,
                kLimitKey, [&](const Limit* old_limit, const Limit* new_limit) {
                  const auto change =
                      changeOf(old_limit, new_limit, had_limits, keyframe_, std::equal_to<Limit>());
                  if (!change) return;
                  changes_.limits.push_back(
                      {after.identity, *change, new_limit != nullptr ? new_limit : old_limit});
                });
  }

  void fd(const ProcessIdentity& process, const FdRecord* before, const FdRecord* after,
          bool is_known) {
    // Another file under the same number: the old one is closed, this one is new.
    if (before != nullptr && after != nullptr && !after->isSameFile(*before)) before = nullptr;
    const auto change = changeOf(before, after, is_known, keyframe_, isSameFd);
    if (change) changes_.fds.push_back({process, *change, after != nullptr ? after : before});
    if (after == nullptr) return;
    position(process, before, *after);
    watches(process, before, *after);
  }

  void position(const ProcessIdentity& process, const FdRecord* before, const FdRecord& after) {
    if (!after.info || !after.info->position) return;
    const int64_t now = *after.info->position;
    const bool was_known = before != nullptr && before->info && before->info->position;
    const int64_t then = was_known ? *before->info->position : 0;
    if (now != then || (keyframe_ && now != 0)) {
      changes_.positions.push_back({process, after.fd, now});
    }
  }

  void watches(const ProcessIdentity& process, const FdRecord* before, const FdRecord& after) {
    const bool has_watches = after.info && !after.info->watches.empty();
    const bool had_watches = before != nullptr && before->info && !before->info->watches.empty();
    if (!has_watches && !had_watches) return;
    if (!after.info ||
        (!keyframe_ && had_watches && before->info->watches == after.info->watches)) {
      return;
    }
    const bool is_known = before != nullptr && before->info;
    forEachPair(sortedWatches(before), sortedWatches(&after), kWatchKey,
                [&](const EpollWatch* old_watch, const EpollWatch* new_watch) {
                  const auto change = changeOf(old_watch, new_watch, is_known, keyframe_,
                                               std::equal_to<EpollWatch>());
                  if (!change) return;
                  changes_.watches.push_back(
                      {process, after.fd, *change, new_watch != nullptr ? *new_watch : *old_watch});
                });
  }

  void statuses(const NetnsRecord* before, const NetnsRecord* after) {
    for (size_t i = 0; i < kNetTableNames.size(); ++i) {
      const auto old_status = before != nullptr ? before->status.at(i) : ReadStatus::NotTried;
      const auto new_status = after != nullptr ? after->status.at(i) : ReadStatus::NotTried;
      const bool repeat = keyframe_ && after != nullptr;
      if (old_status == new_status && !repeat) continue;
      const uint64_t netns = after != nullptr ? after->inode : before->inode;
      changes_.net_tables.push_back({netns, static_cast<NetTable>(i + 1), new_status});
    }
  }

  static bool wasRead(const NetnsRecord* before, NetTable table) {
    if (before == nullptr) return false;
    const ReadStatus status = before->status.at(static_cast<size_t>(table) - 1);
    return status == ReadStatus::Whole || status == ReadStatus::Incomplete ||
           status == ReadStatus::Absent;
  }

  void tables(const NetnsRecord* before, const NetnsRecord& after) {
    for (size_t i = 0; i < after.inet.size(); ++i) {
      inetTable(before, after, static_cast<NetTable>(i + 1));
    }
    const auto old_rows = [&](NetTable table, const auto& rows) {
      return wasRead(before, table) || (before != nullptr && !rows.empty()) ? &rows : nullptr;
    };
    static const NetnsRecord kNone;
    const NetnsRecord& old = before != nullptr ? *before : kNone;
    const auto unix_key = [](const UnixRecord& record) {
      return std::tie(record.row.inode, record.row.path, record.row.type, record.row.state);
    };
    const auto same_unix = [](const UnixRecord& a, const UnixRecord& b) {
      return a.row == b.row && a.row_count == b.row_count;
    };
    const auto netlink_key = [](const NetlinkRow& row) {
      return std::tie(row.inode, row.protocol, row.port_id);
    };
    const auto packet_key = [](const PacketRow& row) { return row.inode; };
    const auto sockstat_key = [](const SockstatValue& value) { return std::tie(value.name); };
    diffRows(old_rows(NetTable::Unix, old.unix_rows), after.unix_rows, keyframe_, after.inode,
             NetTable::Unix, unix_key, same_unix, changes_.unix_rows);
    diffRows(old_rows(NetTable::Netlink, old.netlink_rows), after.netlink_rows, keyframe_,
             after.inode, NetTable::Netlink, netlink_key, std::equal_to<NetlinkRow>(),
             changes_.netlink_rows);
    diffRows(old_rows(NetTable::Packet, old.packet_rows), after.packet_rows, keyframe_, after.inode,
             NetTable::Packet, packet_key, std::equal_to<PacketRow>(), changes_.packet_rows);
    for (const NetTable table : {NetTable::Sockstat, NetTable::Sockstat6}) {
      const size_t i = table == NetTable::Sockstat6 ? 1 : 0;
      diffRows(old_rows(table, old.sockstat.at(i)), after.sockstat.at(i), keyframe_, after.inode,
               table, sockstat_key, std::equal_to<SockstatValue>(), changes_.sockstat);
    }
  }

  void inetTable(const NetnsRecord* before, const NetnsRecord& after, NetTable table) {
    static const std::vector<InetRow> kNoRows;
    static const std::vector<TimeWaitCount> kNoCounts;
    const size_t i = static_cast<size_t>(table) - 1;
    const bool is_known =
        wasRead(before, table) || (before != nullptr && !before->inet.at(i).empty());
    const auto same = [](const InetRow& a, const InetRow& b) {
      return a.state == b.state && a.uid == b.uid;
    };
    forEachPair(before != nullptr ? before->inet.at(i) : kNoRows, after.inet.at(i), kInetKey,
                [&](const InetRow* old_row, const InetRow* new_row) {
                  const auto change = changeOf(old_row, new_row, is_known, keyframe_, same);
                  const InetRow* row = new_row != nullptr ? new_row : old_row;
                  if (change) changes_.inet.push_back({after.inode, table, *change, row});
                  if (new_row != nullptr) queue(after.inode, table, old_row, *new_row);
                });
    timeWait(after.inode, table, before != nullptr ? before->time_wait.at(i) : kNoCounts,
             after.time_wait.at(i));
  }

  /// That all rows of a socket have gone is one change. An inode number is of one socket of the
  /// host, so that it says which.
  void takeGone(const Snapshot& now) {
    std::vector<uint64_t>& gone = changes_.inet_gone;
    for (const RowChange<InetRow>& row : changes_.inet) {
      if (row.change == Change::Gone && row.row->inode != 0) gone.push_back(row.row->inode);
    }
    std::sort(gone.begin(), gone.end());
    gone.erase(std::unique(gone.begin(), gone.end()), gone.end());
    for (const NetnsRecord& netns : now.namespaces) {
      for (const std::vector<InetRow>& rows : netns.inet)
        eraseListed(rows, gone);
    }
    std::erase_if(changes_.inet, [&](const RowChange<InetRow>& row) {
      return row.change == Change::Gone &&
             std::binary_search(gone.begin(), gone.end(), row.row->inode);
    });
  }

  void queue(uint64_t netns, NetTable table, const InetRow* before, const InetRow& after) {
    // Rows that nobody owns are too short-lived for it.
    if (after.inode == 0) return;
    const bool is_news = before != nullptr ? !isSameQueue(*before, after) : hasQueue(after);
    if (is_news || (keyframe_ && hasQueue(after))) {
      changes_.inet_queues.push_back({netns, table, Change::Changed, &after});
    }
  }

  void timeWait(uint64_t netns, NetTable table, const std::vector<TimeWaitCount>& before,
                const std::vector<TimeWaitCount>& after) {
    forEachPair(
        before, after, [](const TimeWaitCount& count) { return count.local_port; },
        [&](const TimeWaitCount* old_count, const TimeWaitCount* new_count) {
          if (new_count == nullptr) {
            changes_.time_wait.push_back({netns, table, {old_count->local_port, 0}});
          } else if (keyframe_ || old_count == nullptr || *old_count != *new_count) {
            changes_.time_wait.push_back({netns, table, *new_count});
          }
        });
  }

  bool keyframe_;
  ChangeSet changes_;
};

/// Adds to `now` those of `previous` that it lacks.
template <class Row, class Key>
void addMissing(const std::vector<Row>& previous, std::vector<Row>& now, Key key) {
  std::vector<Row> merged;
  forEachPair(previous, now, key, [&](const Row* before, const Row* after) {
    merged.push_back(after != nullptr ? *after : *before);
  });
  now = std::move(merged);
}

bool isGap(ReadStatus status) {
  return status == ReadStatus::Failed || status == ReadStatus::Incomplete;
}

/// Of files that are still the same and whose link or fdinfo could not be read now.
void carryInfos(const std::vector<FdRecord>& previous, std::vector<FdRecord>& now) {
  auto before = previous.begin();
  for (FdRecord& fd : now) {
    while (before != previous.end() && before->fd < fd.fd)
      ++before;
    const bool is_there = before != previous.end() && before->fd == fd.fd;
    if (!is_there || !fd.isSameFile(*before)) continue;
    if (!fd.info) fd.info = before->info;
    if (fd.link.type == LinkType::Unreadable) fd.link = before->link;
  }
}

template <class Value>
void carryValue(const std::optional<Value>& previous, std::optional<Value>& now) {
  if (!now) now = previous;
}

void carryAttributes(const ProcessRecord& previous, ProcessRecord& now) {
  carryValue(previous.parent_pid, now.parent_pid);
  carryValue(previous.comm, now.comm);
  carryValue(previous.exe, now.exe);
  carryValue(previous.cmdline, now.cmdline);
  carryValue(previous.cgroup, now.cgroup);
  carryValue(previous.status, now.status);
  carryValue(previous.netns, now.netns);
  carryValue(previous.limits, now.limits);
}

void carryTables(const NetnsRecord& previous, NetnsRecord& now) {
  const auto has_gap = [&](NetTable table) {
    return isGap(now.status.at(static_cast<size_t>(table) - 1));
  };
  for (size_t i = 0; i < now.inet.size(); ++i) {
    if (!has_gap(static_cast<NetTable>(i + 1))) continue;
    addMissing(previous.inet.at(i), now.inet.at(i), kInetKey);
    now.time_wait.at(i) = previous.time_wait.at(i);
  }
  if (has_gap(NetTable::Unix)) {
    addMissing(previous.unix_rows, now.unix_rows, [](const UnixRecord& record) {
      return std::tie(record.row.inode, record.row.path, record.row.type, record.row.state);
    });
  }
  if (has_gap(NetTable::Netlink)) {
    addMissing(previous.netlink_rows, now.netlink_rows, [](const NetlinkRow& row) {
      return std::tie(row.inode, row.protocol, row.port_id);
    });
  }
  if (has_gap(NetTable::Packet)) {
    addMissing(previous.packet_rows, now.packet_rows,
               [](const PacketRow& row) { return row.inode; });
  }
  for (const size_t i : {size_t{0}, size_t{1}}) {
    if (!has_gap(i == 1 ? NetTable::Sockstat6 : NetTable::Sockstat)) continue;
    addMissing(previous.sockstat.at(i), now.sockstat.at(i),
               [](const SockstatValue& value) { return std::tie(value.name); });
  }
}

}  // namespace

void carryOver(const Snapshot& previous, Snapshot& now) {
  static const std::vector<ProcessRecord> kNoProcesses;
  for (ProcessRecord& process : now.processes) {
    const auto before =
        std::lower_bound(previous.processes.begin(), previous.processes.end(), process.identity,
                         [](const ProcessRecord& record, const ProcessIdentity& id) {
                           return record.identity < id;
                         });
    if (before == previous.processes.end() || before->identity != process.identity) continue;
    if (isGap(process.fd_list_status)) addMissing(before->fds, process.fds, kFdKey);
    carryInfos(before->fds, process.fds);
    carryAttributes(*before, process);
  }
  for (NetnsRecord& netns : now.namespaces) {
    const auto before = std::find_if(previous.namespaces.begin(), previous.namespaces.end(),
                                     [&](const NetnsRecord& n) { return n.inode == netns.inode; });
    if (before != previous.namespaces.end()) carryTables(*before, netns);
  }
}

ChangeSet detectChanges(const Snapshot* previous, const Snapshot& now, bool keyframe) {
  Detector detector(keyframe);
  detector.processes(previous, now);
  detector.namespaces(previous, now);
  return detector.take();
}

}  // namespace fdmortem
