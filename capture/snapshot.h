// One snapshot: what was read, before it is compared with the snapshot before.
//
// Every list is sorted by the key that its comment names, without doubles, so that two snapshots
// can be compared in one pass.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "capture/shared_name.h"
#include "schema/evidence/text_bundle.h"
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

struct AutopsyRecord;

/// A file descriptor of a process.
struct FdRecord {
  int32_t fd = 0;
  FdLink link;
  SharedName protocol;                 ///< of a socket, the kernel's name; empty: not told
  std::optional<FdInfo> info;          ///< empty: fdinfo could not be read
  std::optional<uint32_t> link_count;  ///< of links to paths; 0: deleted
  std::optional<uint8_t> file_type;    ///< S_IFMT >> 12, of links to paths
  /// Of an unlisted TCP socket, what it said when it was asked last; shared by all fds of the
  /// socket.
  std::shared_ptr<const AutopsyRecord> autopsy;

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

  /// RLIMIT_NOFILE; empty: unlimited, or unread.
  std::optional<uint64_t> softFdLimit() const {
    if (!limits) return {};
    for (const Limit& limit : *limits) {
      if (limit.resource == "Max open files") return limit.soft;
    }
    return {};
  }
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

/// What the kernel still says of a TCP socket that no table lists (tcp(7), TCP_INFO,
/// include/uapi/linux/ tcp.h). Empty: this kernel's answer does not have it.
struct AutopsyRecord {
  uint64_t inode = 0;
  ProcessIdentity process;  ///< through which it was asked
  int32_t fd = 0;
  int64_t asked_at_ns = 0;  ///< by the wall clock of the snapshot in which it was asked
  uint8_t state = 0;        ///< TCP_* of include/net/tcp_states.h
  std::optional<Endpoint> local;
  std::optional<Endpoint> remote;  ///< the former peer
  std::optional<int> peer_error;   ///< errno of asking for it; ENOTCONN: it never had one
  std::optional<uint64_t> netns;   ///< inode number of its own namespace; empty: not told
  uint8_t options = 0;             ///< TCPI_OPT_*
  std::optional<uint64_t> rtt_us;
  std::optional<uint64_t> min_rtt_us;
  std::optional<uint64_t> last_data_sent_ms;  ///< ages; without data segments they mean nothing
  std::optional<uint64_t> last_data_received_ms;
  std::optional<uint64_t> last_ack_received_ms;
  std::optional<uint64_t> bytes_acked;  ///< a FIN, and one's own SYN, count as one byte
  std::optional<uint64_t> bytes_received;
  std::optional<uint64_t> segments_out;
  std::optional<uint64_t> segments_in;
  std::optional<uint64_t> data_segments_out;
  std::optional<uint64_t> data_segments_in;
  std::optional<uint64_t> delivered;  ///< segments that the peer acknowledged, the SYN included
  std::optional<uint64_t> retransmits;

  /// It was connected once and is closed: nothing about it will change while its fd is not
  /// connected anew, so it need not be asked again.
  bool isDead() const { return state == 7 && remote && delivered.value_or(0) > 0; }  // TCP_CLOSE

  /// The same apart from when it was asked.
  bool saysTheSameAs(const AutopsyRecord& other) const {
    return std::tie(inode, state, remote, peer_error, local, netns, delivered, segments_in,
                    segments_out) ==
           std::tie(other.inode, other.state, other.remote, other.peer_error, other.local,
                    other.netns, other.delivered, other.segments_in, other.segments_out);
  }
};

/// What was read for a snapshot, as it was (schema/README.md, "The texts as they were read").
struct SnapshotTexts {
  TextBundle first;
  TextBundle again;  ///< the TCP tables that were read again in the second look
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
  /// New ones, and those that say something else than in the snapshot before.
  std::vector<std::shared_ptr<const AutopsyRecord>> autopsies;
  std::optional<FileNr> file_nr;
  std::optional<uint64_t> nr_open;
  std::optional<uint64_t> file_max;
  std::optional<uint64_t> uptime_ms;
  std::vector<Failure> failures;
  std::shared_ptr<SnapshotTexts> texts;  ///< null: they are not kept
};

}  // namespace fdmortem
