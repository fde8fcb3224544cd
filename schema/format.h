// The archive format's fixed numbers. schema/README.md is the specification; this is its C++ side.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fdmortem {

/// In the file's header at byte 68, big-endian: "fdmo".
inline constexpr int32_t kApplicationId = 0x66646d6f;
/// In the header at byte 60, big-endian. A change of tables.sql is a new version.
inline constexpr int32_t kFormatVersion = 3;

/// Column `change` of the change tables.
enum class Change : uint8_t {
  Gone = 0,      ///< closed, ended, vanished from its table
  Appeared = 1,  ///< was not there in the snapshot before; of an fd also: points elsewhere now
  Changed = 2,   ///< was there and is another way now
  Present = 3,   ///< as it is in a keyframe; it may be as old as its process
};

/// Column `net_table`: which file under /proc/PID/net.
enum class NetTable : uint8_t {
  Tcp = 1,
  Tcp6 = 2,
  Udp = 3,
  Udp6 = 4,
  Udplite = 5,
  Udplite6 = 6,
  Raw = 7,
  Raw6 = 8,
  Icmp = 9,
  Icmp6 = 10,
  Unix = 11,
  Netlink = 12,
  Packet = 13,
  Sockstat = 14,
  Sockstat6 = 15,
};

/// The file names of NetTable, at index value - 1.
inline constexpr std::array<std::string_view, 15> kNetTableNames = {
    "tcp",  "tcp6",  "udp",  "udp6",    "udplite", "udplite6", "raw",      "raw6",
    "icmp", "icmp6", "unix", "netlink", "packet",  "sockstat", "sockstat6"};

constexpr std::string_view netTableName(NetTable table) {
  return kNetTableNames.at(static_cast<size_t>(table) - 1);
}

constexpr bool isInetTable(NetTable table) {
  return table <= NetTable::Icmp6;
}

/// Columns `status` of net_table_change and `fd_list_status` of process_change: how a listing was
/// read.
enum class ReadStatus : uint8_t {
  NotTried = 0,    ///< nobody is left through whom it could be read
  Whole = 1,       ///< what it does not list was not there
  Absent = 2,      ///< this kernel or namespace has no such file: nothing of the kind can exist
  Failed = 3,      ///< see failure; nothing is known
  Incomplete = 4,  ///< read in part; what it lists is there, what it does not list is not known
};

/// Column `outcome` of second_look: a socket fd read again after the tables.
enum class SecondLook : uint8_t {
  Same = 1,      ///< still the same socket
  Closed = 2,    ///< closed since the fds were listed
  Replaced = 3,  ///< the number belongs to something else since the fds were listed
  Failed = 4,    ///< could not be read: see the errno
};

}  // namespace fdmortem
