// The digest of what a snapshot stored: of its rows in all tables, as schema/README.md ("The hash
// chain") writes them as bytes.
#pragma once

#include <endian.h>

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "schema/evidence/digest.h"

namespace fdmortem {

/// The tables whose rows belong to a snapshot, in the order in which their digests are put
/// together.
enum class HashedTable : uint8_t {
  Snapshot,
  Delay,
  Text,
  Address,
  Failure,
  ProcessChange,
  LimitChange,
  FdChange,
  FdPositionChange,
  EpollWatchChange,
  SecondLook,
  Autopsy,
  NetTableChange,
  InetChange,
  InetGone,
  InetQueueChange,
  TimeWaitChange,
  UnixChange,
  NetlinkChange,
  PacketChange,
  SockstatChange,
  Verbatim,
};

/// The names of HashedTable, at its values.
inline constexpr std::array<std::string_view, 22> kHashedTableNames = {"snapshot",
                                                                       "delay",
                                                                       "text",
                                                                       "address",
                                                                       "failure",
                                                                       "process_change",
                                                                       "limit_change",
                                                                       "fd_change",
                                                                       "fd_position_change",
                                                                       "epoll_watch_change",
                                                                       "second_look",
                                                                       "autopsy",
                                                                       "net_table_change",
                                                                       "inet_change",
                                                                       "inet_gone",
                                                                       "inet_queue_change",
                                                                       "time_wait_change",
                                                                       "unix_change",
                                                                       "netlink_change",
                                                                       "packet_change",
                                                                       "sockstat_change",
                                                                       "verbatim"};

/// A row as bytes: of each value a byte that tells its type and length, then its bytes.
class RowBytes {
 public:
  void addNull() { bytes_.push_back('\0'); }
  /// In two's complement, little-endian, in as few bytes as hold it with its sign.
  void addInteger(int64_t value) {
    const auto bits = static_cast<uint64_t>(value);
    // All bits that are not the sign's, and one for the sign.
    const int used = 65 - std::countl_zero(value < 0 ? ~bits : bits);
    const int length = (used + 7) / 8;
    std::array<char, 9> bytes;
    bytes[0] = static_cast<char>(length);
    const uint64_t little_endian = htole64(bits);
    memcpy(&bytes[1], &little_endian, sizeof little_endian);
    bytes_.append(bytes.data(), static_cast<size_t>(length) + 1);
  }
  /// Of a TEXT or a BLOB.
  void addBytes(std::string_view value) {
    bytes_.push_back('\11');  // 9
    addInteger(static_cast<int64_t>(value.size()));
    bytes_.append(value);
  }

  void append(const RowBytes& more) { bytes_.append(more.bytes_); }
  void clear() { bytes_.clear(); }
  std::string_view view() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Takes the rows of one snapshot, in each table in the order in which they are stored, and gives
/// their digest.
class RowDigest {
 public:
  void add(HashedTable table, const RowBytes& row) {
    Table& hashed = tables_.at(static_cast<size_t>(table));
    hashed.hasher.add(row.view());
    ++hashed.row_count;
  }

  /// Of all rows since the last call.
  Digest finish();

  /// Forgets the rows since the last call.
  void reset();

 private:
  struct Table {
    Hasher hasher;
    uint64_t row_count = 0;
  };

  std::array<Table, kHashedTableNames.size()> tables_;
};

}  // namespace fdmortem
