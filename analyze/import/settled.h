// Fds of which nothing is unusual, and that were closed again or are open connections: the report
// counts them and tells nothing else of them, so that their rows need not be derived from.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "analyze/import/connection_groups.h"
#include "analyze/import/flat_map.h"
#include "analyze/import/left_out_counts.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Finds them in the rows of the archive, told table after table in the order of this class, each
/// in the order in which they were added. What is left out is pipes, sockets of other protocols
/// than TCP, connections that were listed as long as their fd was open, and sockets that were dead
/// all that time and say so themselves, each closed before the last look at its process and before
/// that first came near its limit of open files. And connections that are open and ESTABLISHED at
/// the end, of processes that were read to the end and never came near their limit: unless their
/// peers do not answer, an epoll watches another file under that number, their group may only grow,
/// or all connections of the process are in tcp6, for then each is told of. All else is kept: what
/// SQL (schema/views) makes of the rows that are left and of the tables `_left_out*` is, for the
/// queries of a report, what it makes of all.
class SettledFds {
 public:
  static constexpr int64_t kNone = INT64_MIN;  ///< NULL

  /// Processes and namespaces are numbered as in the analysis; addresses and texts that are alike
  /// have the same number.
  struct FdRow {
    int64_t snapshot, process, fd, change, link_type, link_number, protocol, inode;
  };
  struct WatchRow {
    int64_t process, watched_fd, change, inode;
  };
  struct InetRow {
    int64_t snapshot, netns, net_table, change, inode, local, local_port, remote, remote_port,
        state;
  };
  struct AutopsyRow {
    int64_t snapshot, process, fd, inode, state, local, local_port, remote, remote_port;
    bool has_carried;  ///< what the kernel says of it tells that it was connected
  };
  struct QueueRow {
    int64_t snapshot, inode;
    bool is_busy;        ///< something is in a queue, or a timer runs
    bool has_unread;     ///< something came that the program has not read
    bool is_unanswered;  ///< something was sent again, or a probe, without an answer
  };

  /// What the names of what is left out are made of.
  struct Names {
    std::function<std::string(int64_t)> text;               ///< of a text's number
    std::function<std::string(int64_t, int64_t)> endpoint;  ///< of an address and a port
    std::function<int64_t(int64_t)> netns_inode;            ///< of a namespace
    std::map<int64_t, std::string> verdicts;                ///< of tcp_state.state
  };

  /// What becomes of a row.
  enum class Fate {
    Kept,
    LeftOut,
    End  ///< it tells that what was behind the fd before has gone; what it begins is left out
  };

  struct Thresholds {
    /// Fds without a live peer for longer that are closed then are closed late.
    int64_t grace_ns;
    int64_t few_free;  ///< as in schema/threshold.sql
  };

  explicit SettledFds(const Thresholds& thresholds) : thresholds_(thresholds) {}

  /// The next snapshot, the recording that it is of, and when it was taken. Throws nothing: where
  /// numbers have gaps nothing is left out.
  void addSnapshot(int64_t snapshot, int64_t recording, int64_t boottime_ns);
  /// Another table than before begins.
  void beginTable();
  /// Of process_change.
  void addProcess(int64_t snapshot, int64_t process, int64_t change, int64_t fd_list_status);
  /// A soft limit of open files that the process had at any time.
  void addLimit(int64_t process, int64_t soft_limit);
  /// Of net_table_change.
  void addNetTable(int64_t snapshot, int64_t netns, int64_t net_table, int64_t status);
  /// Of epoll_watch_change.
  void addWatch(const WatchRow& row);
  void addFd(const FdRow& row);
  void addInet(const InetRow& row);
  /// Of inet_gone.
  void addGone(int64_t snapshot, int64_t inode);
  void addAutopsy(const AutopsyRow& row);
  void addQueue(const QueueRow& row);
  /// After the last row.
  void decide(const Names& names);

  /// Of the row at `place` (the first is 0) of fd_change, inet_change, inet_gone, autopsy,
  /// inet_queue_change.
  Fate ofFd(size_t place) const;
  Fate ofInet(size_t place) const { return of(inet_owners_, place); }
  Fate ofGone(size_t place) const { return of(gone_owners_, place); }
  Fate ofAutopsy(size_t place) const { return of(autopsy_owners_, place); }
  Fate ofQueue(size_t place) const { return of(queue_owners_, place); }

  /// Fills the tables `_left_out*` (schema/analysis.sql).
  void store(SQLite::Database& analysis, const Names& names) const;

 private:
  /// Index of an episode; kNobody: of none that may be left out.
  using Owner = int32_t;
  static constexpr Owner kNobody = -1;
  static constexpr uint64_t kNoGroup = UINT64_MAX;

  enum class Protocol : uint8_t { Unknown, Tcp, Mptcp, Other };

  /// One file behind one number.
  struct Episode {
    int64_t link_number = 0;
    int64_t protocol = kNone;
    int32_t process = 0;
    int32_t fd = 0;
    int32_t opened = 0;      ///< the first snapshot with it, counted from the first of all
    int32_t last_row = 0;    ///< the last that has a row of it
    int32_t closed = -1;     ///< the first without it; -1: none
    Owner before = kNobody;  ///< of the same number
    int32_t first_row = 0;   ///< its place in fd_change
    int32_t connection = -1;
    int32_t autopsy = -1;
    int8_t link_type = 0;
    bool is_plain = true;        ///< nothing unusual so far
    bool has_own_inode = true;   ///< fdinfo tells none but that of its link
    bool is_replaced = false;    ///< what ended it is the first row of the next
    bool is_listed = false;      ///< as long as it was open
    bool has_other_row = false;  ///< a table that is not TCP's lists it
    bool is_busy = false;
    bool had_unread = false;     ///< at any time
    bool is_unanswered = false;  ///< at last
    Protocol kind_of_protocol = Protocol::Unknown;
  };
  struct Connection {
    int64_t local, remote;
    int32_t netns, local_port, remote_port;
    int32_t listed, last_row, gone = -1;
    int32_t last_state;  ///< index of states_
    int8_t net_table;
    bool is_grouped = false;
    uint64_t group = kNoGroup;  ///< if is_grouped
  };
  /// A state of a connection, from a snapshot on.
  struct State {
    int32_t before;  ///< index; -1: none
    int32_t from;
    int8_t state;
  };
  struct Autopsy {
    int64_t local, remote;
    int32_t local_port, remote_port, first;
  };
  /// What epolls watch under a number. Of a snapshot the rows of what came may be before those of
  /// what went.
  struct Watches {
    int64_t files = 0;
    uint64_t inodes = 0;  ///< their sum: of one file it is its own
    bool is_plain = true;

    bool isOne(int64_t inode) const { return files == 1 && inodes == static_cast<uint64_t>(inode); }
  };
  /// The first stretch of a recording in which a process or table was read whole.
  struct Stretch {
    int32_t from = 0;
    int32_t until = INT32_MAX;  ///< the first snapshot that is not of it
  };
  /// By what was read and the recording.
  using Stretches = std::map<std::tuple<int64_t, int64_t, int64_t>, Stretch>;

  Fate of(const std::vector<Owner>& owners, size_t place) const;
  std::optional<int32_t> indexOf(int64_t snapshot);
  void noteRead(Stretches& stretches, int64_t what, int64_t which, int32_t at, bool is_whole);
  bool covers(const Stretches& stretches, int64_t what, int64_t which, int32_t from,
              int32_t to) const;
  int32_t lastSnapshot() const { return static_cast<int32_t>(recordings_.size()) - 1; }
  bool isInOneRecording(int32_t a, int32_t b) const;
  Episode* plainEpisodeOf(int64_t inode);
  static void noteInode(Episode& episode, const FdRow& row);
  Owner begin(const FdRow& row, int32_t at, Owner before);
  Owner takeFd(const FdRow& row, int32_t at);
  void beginConnection(Episode& episode, const InetRow& row, int32_t at);
  bool extendConnection(Connection& connection, const InetRow& row, int32_t at);
  void noteListener(const InetRow& row, int32_t at);
  void nameListeners(const Names& names);
  bool isListedThroughout(const Episode& episode, const Names& names) const;
  bool isDeadThroughout(const Episode& episode) const;
  Protocol protocolOf(const Episode& episode, const Names& names);
  bool wasReadThroughout(const Episode& episode) const;
  void findFull();
  bool isBeforeFull(const Episode& episode) const;
  bool canBeLeftOut(const Episode& episode) const;
  void count(const Episode& episode, const Names& names);
  void countConnection(const Episode& episode, const Names& names);
  void countLost(const Episode& episode, std::string_view verdict, int32_t since);
  void countPeer(const Episode& episode, const Names& names);
  void countAs(int32_t process, std::string_view what, std::string_view name, int32_t opened,
               int32_t closed);
  int8_t lastStateOf(const Episode& episode) const;
  bool isIn(const Connection& connection, const Names& names) const;
  std::optional<uint64_t> groupOf(const Episode& episode, const Names& names);
  uint64_t findGroup(const Episode& episode, const Connection& connection, const Names& names);
  void findSteady();
  void noteUnknown(const Episode& episode);
  bool isWatchedPlainly(const Episode& episode);
  bool canOnlyBeCounted(const Episode& episode, const Names& names);
  void decideOpen(const Names& names);

  Thresholds thresholds_;
  bool is_off_ = false;  ///< nothing is left out
  int64_t first_snapshot_ = 0;
  std::vector<int64_t> recordings_;  ///< by index of a snapshot
  std::vector<int64_t> boottimes_;   ///< likewise, in ns
  int32_t last_at_ = 0;              ///< of the table that is being told
  Stretches processes_;
  std::map<int64_t, int32_t> ended_;          ///< by process: the first snapshot without it
  std::map<int64_t, int64_t> lowest_limits_;  ///< by process
  /// By process: the first snapshot in which nearly all numbers below its lowest limit may be
  /// taken.
  std::map<int32_t, int32_t> full_;
  /// Those that never came so far, and were read from their first to the last snapshot of all.
  std::map<int32_t, ConnectionGroups::Span> steady_;
  FlatMap<Watches> watches_;  ///< by process and fd
  ConnectionGroups groups_;
  Stretches tables_;  ///< by namespace and table
  std::vector<Episode> episodes_;
  std::vector<uint8_t> left_out_;  ///< of each episode whether it is
  FlatMap<Owner> by_number_;       ///< by process and fd: the last
  FlatMap<Owner> by_inode_;
  std::vector<Connection> connections_;
  std::vector<State> states_;
  std::vector<Autopsy> autopsies_;
  /// Where somebody listens, and where perhaps: by namespace (after nameListeners by its inode
  /// number) and port.
  std::set<std::pair<int64_t, int64_t>> listeners_;
  std::set<std::pair<int64_t, int64_t>> perhaps_listeners_;
  std::map<int64_t, Protocol> protocols_;  ///< by text
  std::vector<Owner> fd_owners_, inet_owners_, gone_owners_, autopsy_owners_, queue_owners_;
  LeftOutCounts counts_;
};

}  // namespace fdmortem
