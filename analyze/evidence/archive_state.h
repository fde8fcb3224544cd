// What the rows of an archive say was there at a snapshot: the changes put together again.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "schema/format.h"
#include "schema/records.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

/// An fd as its rows have it. Of `info` the position is filled always, 0 where no row tells one;
/// the watches are in `watches`.
struct FdState {
  FdLink link;
  FdInfo info;
  std::map<std::tuple<int32_t, std::optional<uint64_t>, std::optional<uint64_t>>, EpollWatch>
      watches;  ///< by watched fd, inode and device

  /// Its fdinfo was read at least once.
  bool hasInfo() const { return info.flags || info.mount_id || info.inode; }
};

struct ProcessState {
  ProcessIdentity identity;
  ReadStatus fd_list_status = ReadStatus::NotTried;
  std::optional<int64_t> parent_pid;
  std::optional<std::string> comm;
  std::optional<std::string> exe;
  std::optional<std::string> cmdline;
  std::optional<std::string> cgroup;
  std::optional<int64_t> real_uid;
  std::optional<int64_t> effective_uid;
  std::optional<uint64_t> netns;        ///< inode number
  std::map<std::string, Limit> limits;  ///< by resource
  std::map<int32_t, FdState> fds;
};

/// What identifies a line of an Internet table.
struct InetKey {
  uint64_t inode = 0;
  Endpoint local;
  Endpoint remote;

  auto operator<=>(const InetKey&) const = default;
};

using UnixKey = std::tuple<uint64_t, std::string, uint16_t, uint8_t>;  ///< inode, path, type, state
using NetlinkKey = std::tuple<uint64_t, uint32_t, uint32_t>;           ///< inode, protocol, port id

/// The socket tables of a namespace, by NetTable - 1.
struct NetnsState {
  uint64_t inode = 0;
  std::array<ReadStatus, kNetTableNames.size()> status{};
  std::array<std::map<InetKey, InetRow>, 10> inet;
  std::array<std::map<std::optional<uint16_t>, uint64_t>, 10> time_wait;
  std::map<UnixKey, UnixRecord> unix_rows;
  std::map<NetlinkKey, NetlinkRow> netlink_rows;
  std::map<uint64_t, PacketRow> packet_rows;
  std::array<std::map<std::string, int64_t>, 2> sockstat;  ///< sockstat, sockstat6
};

/// The rows of `snapshot` that a reader of texts needs.
struct SnapshotFacts {
  int64_t id = 0;
  int64_t recording = 0;
  bool is_keyframe = false;
  std::optional<uint64_t> files_allocated;
  std::optional<uint64_t> files_maximum;
  std::optional<uint64_t> file_max;
  std::optional<uint64_t> nr_open;
  std::optional<uint64_t> uptime_ms;
};

/// Goes through an archive from one snapshot to the next. The rows need not fit together: what a
/// row says that can't be so is passed over.
class ArchiveState {
 public:
  /// Begins before the keyframe that snapshot `first` builds on. `archive` must outlive it.
  ArchiveState(SQLite::Database& archive, int64_t first);
  ~ArchiveState();
  ArchiveState(const ArchiveState&) = delete;
  ArchiveState& operator=(const ArchiveState&) = delete;

  /// The next snapshot, with its changes taken in; false: there is none.
  bool next();

  const SnapshotFacts& snapshot() const { return snapshot_; }
  /// By process.id.
  const std::map<int64_t, ProcessState>& processes() const { return processes_; }
  /// By netns.id.
  const std::map<int64_t, NetnsState>& namespaces() const { return namespaces_; }
  /// The process with this pid; null if there is none.
  const ProcessState* processOf(int64_t pid) const;
  /// The namespace with this inode number, if any of its tables was tried; null if there is none.
  const NetnsState* namespaceOf(uint64_t inode) const;
  /// The inode numbers that lost a row of tcp or tcp6 in this snapshot, with their namespace's.
  const std::set<std::pair<uint64_t, uint64_t>>& goneFromTcp() const { return gone_from_tcp_; }

 private:
  class Rows;
  struct Tables;

  void takeProcesses();
  void takeProcess(const Rows& rows);
  void takeLimits();
  void takeFds();
  void takeFd(const Rows& rows);
  void takePositions();
  void takeWatches();
  void takeStatuses();
  void takeInet();
  void takeInetGone();
  void takeQueues();
  void takeTimeWait();
  void takeUnix();
  void takeNetlink();
  void takePacket();
  void takeSockstat();
  FdState* fdOf(const Rows& rows);
  NetnsState* netnsOf(const Rows& rows);

  std::unique_ptr<Tables> tables_;
  SnapshotFacts snapshot_;
  std::map<int64_t, ProcessState> processes_;
  std::map<int64_t, NetnsState> namespaces_;
  std::set<std::pair<uint64_t, uint64_t>> gone_from_tcp_;
};

}  // namespace fdmortem
