// The facts that one snapshot is made of, as the kernel states them.
//
// Records are plain values without behaviour. An optional that is empty means "the kernel does not
// say" or "it could not be read"; it never stands for zero. Names are bytes, not text: comm, paths
// and command lines may hold newlines, escapes and invalid UTF-8.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fdmortem {

/// A process for as long as it lives. A pid is used again, a (pid, start) pair is not within one
/// boot.
struct ProcessIdentity {
  int32_t pid = 0;
  uint64_t start_ticks = 0;  ///< since boot, in clock ticks (sysconf(_SC_CLK_TCK))

  auto operator<=>(const ProcessIdentity&) const = default;
};

/// What is used of /proc/PID/stat (proc_pid_stat(5)).
struct ProcessStat {
  ProcessIdentity identity;
  std::string comm;  ///< raw; at most 15 bytes, of a kernel thread 63
  char state = '?';  ///< R, S, D, Z (zombie), T, t, X, I
  int32_t parent_pid = 0;
  uint32_t flags = 0;  ///< PF_* of include/linux/sched.h
  int32_t thread_count = 0;

  /// A kernel thread: it has no fds, no exe and no cmdline.
  bool isKernelThread() const { return (flags & 0x00200000U) != 0; }  // PF_KTHREAD
  /// The main thread exits or has exited: its list of fds is empty, or on the way to it.
  bool isExiting() const { return state == 'Z' || state == 'X' || (flags & 0x00000004U) != 0; }
  /// The whole process has ended; before that other threads can still hold the fds.
  bool hasEnded() const { return isExiting() && thread_count <= 1; }
};

/// What is used of /proc/PID/status (proc_pid_status(5)).
struct ProcessStatus {
  uint32_t real_uid = 0;
  uint32_t effective_uid = 0;
};

/// One line of /proc/PID/limits (proc_pid_limits(5)).
struct Limit {
  std::string resource;          ///< the kernel's words: "Max open files"
  std::optional<uint64_t> soft;  ///< empty: unlimited
  std::optional<uint64_t> hard;  ///< empty: unlimited
  std::string unit;              ///< "files", "bytes", ...; empty where the kernel gives none

  bool operator==(const Limit&) const = default;
};

/// One `tfd:` line of an epoll's fdinfo: a file that the epoll watches.
struct EpollWatch {
  int32_t watched_fd = 0;  ///< the number it had when it was added; another file may have it now
  uint32_t events = 0;     ///< EPOLL* mask
  uint64_t data = 0;       ///< the program's own epoll_data
  std::optional<int64_t> position;  ///< pos:, since Linux 4.13
  std::optional<uint64_t> inode;    ///< ino: of the watched file, since Linux 4.13
  std::optional<uint64_t> device;   ///< sdev:, since Linux 4.13

  auto operator<=>(const EpollWatch&) const = default;
};

/// /proc/PID/fdinfo/N (proc_pid_fdinfo(5), fs/proc/fd.c).
struct FdInfo {
  std::optional<int64_t> position;  ///< pos:
  std::optional<uint32_t> flags;    ///< flags:, O_* of open(2), with O_CLOEXEC
  std::optional<int32_t> mount_id;  ///< mnt_id:
  std::optional<uint64_t> inode;    ///< ino:, since Linux 5.14
  std::vector<EpollWatch> watches;  ///< in the kernel's order
  std::string
      detail;  ///< every other line as it was, each with its newline: timers, locks, inotify

  bool operator==(const FdInfo&) const = default;
};

enum class LinkType : uint8_t {
  Unreadable = 0,  ///< readlink failed; the fd is there
  Socket = 1,      ///< `socket:[N]`
  Pipe = 2,        ///< `pipe:[N]`
  Text = 3,        ///< a path or `anon_inode:...`
};

/// Where a /proc/PID/fd/N link points.
struct FdLink {
  LinkType type = LinkType::Unreadable;
  uint64_t number = 0;  ///< N of socket:[N] and pipe:[N]
  std::string text;     ///< of LinkType::Text, raw

  bool operator==(const FdLink&) const = default;
};

/// An IPv4 or IPv6 address. A value without allocation: a table has tens of thousands of them.
struct IpAddress {
  std::array<uint8_t, 16> bytes = {};  ///< in network order; 0 after the first `length`
  uint8_t length = 0;                  ///< 4 or 16; 0: none

  auto operator<=>(const IpAddress&) const = default;

  /// The bytes that count; valid as long as this address.
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), length}; }
};

/// An Internet address and port as a socket table prints them.
struct Endpoint {
  IpAddress address;
  uint16_t port =
      0;  ///< for raw and icmp sockets the protocol or identifier the kernel prints there

  auto operator<=>(const Endpoint&) const = default;
};

/// A line of the tcp, udp, udplite, raw or icmp table, IPv4 or IPv6 (net/ipv4/tcp_ipv4.c and udp.c,
/// get_tcp4_sock and udp4_format_sock). Its members are ordered by size: there are tens of
/// thousands.
struct InetRow {
  Endpoint local;
  Endpoint remote;
  uint8_t state = 0;  ///< TCP_* of include/net/tcp_states.h, for every protocol
  uint8_t timer =
      0;  ///< tr: 0 none, 1 retransmit, 2 keepalive or other, 3 TIME_WAIT, 4 window probe
  uint32_t tx_queue = 0;     ///< bytes not yet acknowledged
  uint32_t rx_queue = 0;     ///< bytes unread; of a LISTEN row connections in the accept queue
  uint32_t retransmits = 0;  ///< unrecovered RTO timeouts
  uint32_t uid = 0;
  uint32_t probes = 0;  ///< unanswered zero-window probes ("timeout" in the header)
  uint64_t inode = 0;   ///< 0: no process owns it (TIME_WAIT, SYN_RECV, in the accept queue)
  std::optional<uint64_t> drops;  ///< udp, udplite, raw and icmp only

  bool operator==(const InetRow&) const = default;
};

/// A line of /proc/PID/net/unix (net/unix/af_unix.c, unix_seq_show).
struct UnixRow {
  uint64_t inode = 0;
  uint32_t reference_count = 0;
  uint32_t flags = 0;  ///< 0x10000: listening
  uint16_t type = 0;   ///< SOCK_*: 1 stream, 2 datagram, 5 seqpacket
  uint8_t state =
      0;             ///< SS_* of include/uapi/linux/net.h: 1 unconnected, 2 connecting, 3 connected
  std::string path;  ///< raw; empty where unnamed; '@' first where abstract

  bool operator==(const UnixRow&) const = default;
};

/// A line of /proc/PID/net/netlink (net/netlink/af_netlink.c).
struct NetlinkRow {
  uint64_t inode = 0;
  uint32_t protocol = 0;  ///< NETLINK_* of include/uapi/linux/netlink.h
  uint32_t port_id = 0;   ///< mostly the pid of who opened it
  uint32_t groups = 0;
  int64_t rx_queue = 0;  ///< Rmem, bytes
  int64_t tx_queue = 0;  ///< Wmem, bytes
  uint64_t drops = 0;

  bool operator==(const NetlinkRow&) const = default;
};

/// A line of /proc/PID/net/packet (net/packet/af_packet.c).
struct PacketRow {
  uint64_t inode = 0;
  uint16_t type = 0;      ///< SOCK_RAW 3, SOCK_DGRAM 2
  uint16_t protocol = 0;  ///< ETH_P_* of include/uapi/linux/if_ether.h
  int32_t interface = 0;  ///< index; 0: all
  bool running = false;
  int64_t rx_queue = 0;  ///< Rmem, bytes
  uint32_t uid = 0;

  bool operator==(const PacketRow&) const = default;
};

/// One number of /proc/PID/net/sockstat or sockstat6: `TCP: inuse 3` is {"TCP.inuse", 3}.
struct SockstatValue {
  std::string name;
  int64_t value = 0;

  auto operator<=>(const SockstatValue&) const = default;
};

/// /proc/sys/fs/file-nr (proc_sys_fs(5)).
struct FileNr {
  uint64_t allocated = 0;
  uint64_t free = 0;  ///< always 0 since Linux 2.6
  uint64_t maximum = 0;
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

}  // namespace fdmortem
