// The digest of what a snapshot stored: of its rows in all tables, as schema/README.md ("The hash
// chain") writes them as bytes.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
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
  InetQueueChange,
  TimeWaitChange,
  UnixChange,
  NetlinkChange,
  PacketChange,
  SockstatChange,
  Verbatim,
};

/// The names of HashedTable, at its values.
inline constexpr std::array<std::string_view, 21> kHashedTableNames = {"snapshot",
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
                                                                       "inet_queue_change",
                                                                       "time_wait_change",
                                                                       "unix_change",
                                                                       "netlink_change",
                                                                       "packet_change",
                                                                       "sockstat_change",
                                                                       "verbatim"};

/// A row as bytes: of each value a byte that tells its type, then its bytes.
class RowBytes {
 public:
  void addNull() { bytes_.push_back('\0'); }
  void addInteger(int64_t value) {
    bytes_.push_back('\1');
    append(static_cast<uint64_t>(value));
  }
  /// Of a TEXT or a BLOB.
  void addBytes(std::string_view value) {
    bytes_.push_back('\2');
    append(value.size());
    bytes_.append(value);
  }

  void append(const RowBytes& more) { bytes_.append(more.bytes_); }
  void clear() { bytes_.clear(); }
  std::string_view view() const { return bytes_; }

 private:
  void append(uint64_t value) {
    std::array<char, 8> bytes;
    for (char& byte : bytes) {
      byte = static_cast<char>(value & 0xFF);
      value >>= 8;
    }
    bytes_.append(bytes.data(), bytes.size());
  }

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
