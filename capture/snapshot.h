// One snapshot: what was read, before it is compared with the snapshot before.
//
// Every list is sorted by the key that its comment names, without doubles, so that two snapshots
// can be compared in one pass.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/format.h"
#include "schema/records.h"

namespace fdmortem {

/// A read that failed, or several alike.
struct Failure {
  std::string operation;            ///< the call: "open", "read", "list", "readlink", "parse", ...
  std::string subject;              ///< what it was for, below the proc root: "4711/fd"
  std::optional<int32_t> pid;       ///< of the process it concerns
  std::optional<int> error_number;  ///< errno; empty where the text was read and not understood
  std::string detail;               ///< what more there is to say; may be empty
  uint64_t count = 1;               ///< how many alike, `subject` being the first
};

/// A file descriptor of a process.
struct FdRecord {
  int32_t fd = 0;
  FdLink link;
  std::string protocol;                ///< of a socket, the kernel's name; empty: not told
  std::optional<FdInfo> info;          ///< empty: fdinfo could not be read
  std::optional<uint8_t> file_type;    ///< S_IFMT >> 12, of links to paths
  std::optional<uint64_t> link_count;  ///< of links to paths; 0: deleted

  /// The same open file as `other` had under this number, as far as the kernel tells.
  bool isSameFile(const FdRecord& other) const;
};

/// A selected process.
struct ProcessRecord {
  ProcessIdentity identity;
  std::optional<int32_t> parent_pid;
  std::optional<std::string> comm;
  std::optional<std::string> exe;      ///< empty: none (kernel thread), or unreadable
  std::optional<std::string> cmdline;  ///< arguments, each ended by NUL
  std::optional<std::string> cgroup;
  std::optional<ProcessStatus> status;
  std::optional<uint64_t> netns;             ///< inode number of its network namespace
  std::optional<std::vector<Limit>> limits;  ///< by resource
  ReadStatus fd_list_status = ReadStatus::NotTried;
  std::vector<FdRecord> fds;  ///< by fd
};

/// TIME_WAIT rows of one table: nobody owns them, so only their number is kept.
struct TimeWaitCount {
  std::optional<uint16_t>
      local_port;  ///< a port that the table also has in LISTEN; empty: all others
  uint64_t count = 0;

  auto operator<=>(const TimeWaitCount&) const = default;
};

/// A row of the unix table, with the number of rows that are just like it.
struct UnixRecord {
  UnixRow row;
  uint64_t row_count = 1;  ///< rows alike: connections that nobody accepted yet have inode 0
};

/// The socket tables of a network namespace.
struct NetnsRecord {
  uint64_t inode = 0;
  std::array<ReadStatus, kNetTableNames.size()> status{};  ///< by NetTable - 1
  std::array<std::vector<InetRow>, 10>
      inet;  ///< by NetTable - 1; by (inode, local, remote), no TIME_WAIT
  std::array<std::vector<TimeWaitCount>, 10> time_wait;  ///< by NetTable - 1; by local port
  std::vector<UnixRecord> unix_rows;                     ///< by (inode, path, type, state)
  std::vector<NetlinkRow> netlink_rows;                  ///< by (inode, protocol, port id)
  std::vector<PacketRow> packet_rows;                    ///< by inode
  std::array<std::vector<SockstatValue>, 2> sockstat;    ///< sockstat, sockstat6; by name
};

/// A socket fd that no table lists, read again after the tables. One that was still the same socket
/// and was looked up in one reading of the tables has no record.
struct SecondLookRecord {
  ProcessIdentity process;
  int32_t fd = 0;
  SecondLook outcome = SecondLook::Same;
  int table_reads = 1;   ///< how often the TCP tables were read without finding it
  int error_number = 0;  ///< of SecondLook::Failed
};

struct Clocks {
  int64_t wall_ns = 0;       ///< CLOCK_REALTIME
  int64_t monotonic_ns = 0;  ///< CLOCK_MONOTONIC
  int64_t boottime_ns = 0;   ///< CLOCK_BOOTTIME: goes on in suspend
};

/// How long the parts of a snapshot took, in microseconds.
struct PhaseTimes {
  int64_t processes_us = 0;
  int64_t fds_us = 0;
  int64_t tables_us = 0;
  int64_t second_look_us = 0;
};

struct Snapshot {
  Clocks clocks;  ///< at its start
  PhaseTimes times;
  std::vector<ProcessRecord> processes;        ///< by identity
  std::vector<NetnsRecord> namespaces;         ///< by inode
  std::vector<SecondLookRecord> second_looks;  ///< by (process, fd)
  std::optional<FileNr> file_nr;
  std::optional<uint64_t> nr_open;
  std::optional<uint64_t> file_max;
  std::optional<uint64_t> uptime_ms;
  std::vector<Failure> failures;
};

}  // namespace fdmortem
