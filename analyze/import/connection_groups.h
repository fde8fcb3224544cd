// Groups of connections through time, for which the report asks whether they only grow.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "analyze/import/flat_map.h"

namespace fdmortem {

/// Where a group only grows (group_growth of schema/views/growth.sql) each connection of it is
/// evidence, and its row is needed. This says beforehand of which groups that can't be.
class ConnectionGroups {
 public:
  /// The first and last snapshot in which the fds of a process were read.
  struct Span {
    int32_t first, last;
  };

  /// An fd of a group; `closed` is LeftOutCounts::kOpen where it was not.
  void add(uint64_t group, Span process, int32_t opened, int32_t closed);
  /// One that is of any group with this peer or port, or of none.
  void addUnknown(int64_t remote, int64_t remote_port, int64_t local_port);

  bool hasUnknownWith(int64_t remote, int64_t remote_port) {
    return unknown_peers_.find(peerKey(remote, remote_port)) != nullptr;
  }
  bool hasUnknownAt(int64_t local_port) const {
    return unknown_ports_[static_cast<size_t>(local_port)];
  }
  /// Of a group without unknown ones: false only where it does not.
  bool mayOnlyGrow(uint64_t group) const;

 private:
  static constexpr size_t kMarks = 5;
  /// As in group_growth.
  struct Counts {
    std::array<int64_t, kMarks> open{};      ///< at five times, evenly spread
    std::array<int64_t, kMarks - 1> kept{};  ///< opened in a quarter, and open at the end
  };

  static uint64_t peerKey(int64_t remote, int64_t remote_port) {
    return static_cast<uint64_t>(remote) << 16U | static_cast<uint64_t>(remote_port);
  }

  std::unordered_map<uint64_t, Counts> groups_;
  FlatMap<bool> unknown_peers_;
  std::bitset<65536> unknown_ports_;
};

}  // namespace fdmortem
