// How many fds there are whose rows were left out: what a report knows of them.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Snapshots are counted from the first of all.
class LeftOutCounts {
 public:
  static constexpr int32_t kOpen = INT32_MAX;  ///< not closed

  /// Connections that are open at the end, as peer_group of schema/views/summary.sql has them.
  struct Peer {
    int32_t process, net_table;
    bool is_in;
    int64_t local_port;  ///< 0 unless is_in
    int64_t remote;
    int64_t remote_port;  ///< 0 if is_in
    auto operator<=>(const Peer&) const = default;
  };
  struct Watched {
    int32_t process, fd;
    int64_t inode;
  };

  /// A number for a kind, verdict or class (`_left_out.what`) of that name.
  uint64_t seriesOf(int32_t process, std::string_view what, std::string_view name);
  void add(uint64_t series, int32_t opened, int32_t closed);
  void addPeer(const Peer& peer) { ++peers_[peer]; }
  /// An epoll watches it at the end.
  void addWatched(const Watched& fd) { watched_.push_back(fd); }

  /// One that was without a live peer for longer than the grace period, and then closed.
  void addClosedLate(int32_t process, std::string_view verdict, int64_t lasted_ns);

  /// Fills the tables `_left_out*` (schema/analysis.sql). `endpoint`: the text of the number of an
  /// address and a port.
  void store(SQLite::Database& analysis, int64_t first_snapshot,
             const std::function<std::string(int64_t, int64_t)>& endpoint) const;

 private:
  struct Count {
    int64_t opened = 0;
    int64_t closed = 0;
    int64_t kept = 0;  ///< of those opened: not closed
  };

  struct ClosedLate {
    int64_t fds = 0;
    int64_t longest_ns = 0;
  };

  void storeClosedLate(SQLite::Database& analysis) const;
  void storeCounts(SQLite::Database& analysis, int64_t first_snapshot) const;

  std::map<std::tuple<int32_t, std::string, std::string>, uint64_t> series_;
  std::unordered_map<uint64_t, Count> counts_;  ///< by series and snapshot
  std::map<Peer, int64_t> peers_;
  std::vector<Watched> watched_;
  std::map<std::pair<int32_t, std::string>, ClosedLate> closed_late_;  ///< by process and verdict
};

}  // namespace fdmortem
