#include "analyze/check/archive_rules.h"

#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "analyze/problem_list.h"
#include "schema/format.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

/// What something belongs to: (process, -1), (process, fd of an epoll) or (netns, net_table).
using Owner = std::pair<int64_t, int64_t>;
constexpr int64_t kNoPart = -1;

/// What is there, and the last snapshot with a row of it.
using Present = std::map<Owner, std::map<std::string, int64_t>>;

enum class Scope { Process, Fd, NetTable, Recording };

/// A table of rows with `change`. Its query gives, in the order in which the rows were added:
///   snapshot, change, owner, part, key (the rest of the identity)
///   oldest, newest     the first and last snapshot that stored a text or address of the row
///   is_filled          the columns that only a row of Gone leaves out are filled, or none of them
///   is
struct ChangeTable {
  const char* name;
  Scope scope;
  const char* query;
};

// The order is that in which one needs the other.
constexpr ChangeTable kChangeTables[] = {
    {"process_change", Scope::Recording,
     "SELECT c.snapshot, change, process, -1, '',"
     " min(coalesce(a.snapshot, c.snapshot), coalesce(b.snapshot, c.snapshot),"
     "   coalesce(d.snapshot, c.snapshot), coalesce(e.snapshot, c.snapshot)),"
     " max(coalesce(a.snapshot, c.snapshot), coalesce(b.snapshot, c.snapshot),"
     "   coalesce(d.snapshot, c.snapshot), coalesce(e.snapshot, c.snapshot)),"
     " (change = 0) = (fd_list_status IS NULL) AND (change <> 0 OR coalesce(parent_pid, comm, exe,"
     "   cmdline, cgroup, real_uid, effective_uid, netns) IS NULL)"
     " FROM process_change c LEFT JOIN text a ON a.id = comm LEFT JOIN text b ON b.id = exe"
     " LEFT JOIN text d ON d.id = cmdline LEFT JOIN text e ON e.id = cgroup ORDER BY c.rowid"},
    {"limit_change", Scope::Process,
     "SELECT c.snapshot, change, process, -1, CAST(a.value AS TEXT),"
     " min(a.snapshot, coalesce(b.snapshot, c.snapshot)),"
     " max(a.snapshot, coalesce(b.snapshot, c.snapshot)),"
     " change <> 0 OR coalesce(soft, hard, unit) IS NULL"
     " FROM limit_change c JOIN text a ON a.id = resource LEFT JOIN text b ON b.id = unit"
     " ORDER BY c.rowid"},
    {"fd_change", Scope::Process,
     "SELECT c.snapshot, change, process, -1, CAST(fd AS TEXT),"
     " min(coalesce(a.snapshot, c.snapshot), coalesce(b.snapshot, c.snapshot),"
     "   coalesce(d.snapshot, c.snapshot)),"
     " max(coalesce(a.snapshot, c.snapshot), coalesce(b.snapshot, c.snapshot),"
     "   coalesce(d.snapshot, c.snapshot)),"
     " (change = 0) = (link_type IS NULL) AND (change <> 0 OR coalesce(link_number, link_text,"
     "   protocol, flags, mount_id, inode, file_type, link_count, detail) IS NULL)"
     " AND (link_type IN (1, 2)) IS (CASE WHEN change <> 0 THEN link_number IS NOT NULL END)"
     " AND (link_type = 3) IS (CASE WHEN change <> 0 THEN link_text IS NOT NULL END)"
     " FROM fd_change c LEFT JOIN text a ON a.id = link_text LEFT JOIN text b ON b.id = protocol"
     " LEFT JOIN text d ON d.id = detail ORDER BY c.rowid"},
    {"epoll_watch_change", Scope::Fd,
     "SELECT snapshot, change, process, fd, printf('fd %d, inode %s, device %s', watched_fd,"
     "   coalesce(inode, 'unknown'), coalesce(device, 'unknown')), snapshot, snapshot,"
     " (change = 0) = (events IS NULL) AND (change = 0) = (data IS NULL)"
     " FROM epoll_watch_change ORDER BY rowid"},
    {"inet_change", Scope::NetTable,
     "SELECT c.snapshot, change, netns, net_table, printf('inode %d, %s:%d to %s:%d', inode,"
     "   hex(a.value), local_port, hex(b.value), remote_port), min(a.snapshot, b.snapshot),"
     " max(a.snapshot, b.snapshot), (change = 0) = (state IS NULL) AND (change = 0) = (uid IS NULL)"
     " FROM inet_change c JOIN address a ON a.id = local_address"
     " JOIN address b ON b.id = remote_address ORDER BY c.rowid"},
    {"unix_change", Scope::NetTable,
     "SELECT c.snapshot, change, netns, 11, printf('inode %d, type %d, state %d, ', inode, type,"
     "   state) || CAST(a.value AS TEXT), a.snapshot, a.snapshot, (change = 0) = (flags IS NULL)"
     " AND (change = 0) = (reference_count IS NULL) AND (change = 0) = (row_count IS NULL)"
     " FROM unix_change c JOIN text a ON a.id = path ORDER BY c.rowid"},
    {"netlink_change", Scope::NetTable,
     "SELECT snapshot, change, netns, 12, printf('inode %d, protocol %d, port id %d', inode,"
     "   protocol, port_id), snapshot, snapshot, (change = 0) = (groups IS NULL)"
     " AND (change = 0) = (rx_queue IS NULL) AND (change = 0) = (tx_queue IS NULL)"
     " AND (change = 0) = (drops IS NULL) FROM netlink_change ORDER BY rowid"},
    {"packet_change", Scope::NetTable,
     "SELECT snapshot, change, netns, 13, printf('inode %d', inode), snapshot, snapshot,"
     " (change = 0) = (type IS NULL) AND (change = 0) = (protocol IS NULL)"
     " AND (change = 0) = (interface IS NULL) AND (change = 0) = (running IS NULL)"
     " AND (change = 0) = (rx_queue IS NULL) AND (change = 0) = (uid IS NULL)"
     " FROM packet_change ORDER BY rowid"},
    {"sockstat_change", Scope::NetTable,
     "SELECT snapshot, change, netns, net_table, name, snapshot, snapshot,"
     " (change = 0) = (value IS NULL) FROM sockstat_change ORDER BY rowid"}};

/// A table whose rows tell more of what is there. The columns are those of ChangeTable up to `key`,
/// without meaning where none is needed.
struct AddedTable {
  const char* name;
  Scope scope;
  const char* query;
};

constexpr AddedTable kAddedTables[] = {
    {"fd_position_change", Scope::Fd,
     "SELECT snapshot, 3, process, fd, '' FROM fd_position_change ORDER BY rowid"},
    {"second_look", Scope::Fd,
     "SELECT snapshot, 3, process, fd, '' FROM second_look ORDER BY rowid"},
    {"autopsy", Scope::Fd, "SELECT snapshot, 3, process, fd, '' FROM autopsy ORDER BY rowid"},
    {"inet_queue_change", Scope::NetTable,
     "SELECT snapshot, 3, netns, net_table, printf('inode %d,', inode) FROM inet_queue_change"
     " ORDER BY rowid"},
    {"time_wait_change", Scope::NetTable,
     "SELECT snapshot, 3, netns, net_table, '' FROM time_wait_change ORDER BY rowid"},
    {"delay", Scope::Recording, "SELECT snapshot, 3, 0, -1, '' FROM delay ORDER BY rowid"},
    {"failure", Scope::Recording, "SELECT snapshot, 3, 0, -1, '' FROM failure ORDER BY rowid"}};

/// The rows of a query, snapshot after snapshot.
class Cursor {
 public:
  /// Begins at the first row that is not left of a snapshot before `first`, which was dropped.
  Cursor(SQLite::Database& archive, const char* query, int64_t first) : query_(archive, query) {
    do {
      next();
    } while (!is_done_ && snapshot_ < first);
  }

  bool isAt(int64_t snapshot) const { return !is_done_ && snapshot_ <= snapshot; }
  void next() {
    is_done_ = !query_.executeStep();
    ++row_;
    if (!is_done_) snapshot_ = integer(0);
  }
  int64_t row() const { return row_; }
  int64_t snapshot() const { return snapshot_; }
  int64_t integer(int column) const { return query_.getColumn(column).getInt64(); }
  std::string text(int column) const { return query_.getColumn(column).getString(); }
  Owner owner() const { return {integer(2), integer(3)}; }

 private:
  mutable SQLite::Statement query_;  // hands out columns of a non-const statement only
  int64_t row_ = 0;
  int64_t snapshot_ = 0;
  bool is_done_ = false;
};

class Replay {
 public:
  explicit Replay(SQLite::Database& archive) : archive_(archive) {}

  std::vector<std::string> run() {
    readOwners();
    const int64_t first =
        archive_.execAndGet("SELECT coalesce(min(id), 0) FROM snapshot").getInt64();
    for (const ChangeTable& table : kChangeTables)
      change_cursors_.push_back(std::make_unique<Cursor>(archive_, table.query, first));
    for (const AddedTable& table : kAddedTables)
      added_cursors_.push_back(std::make_unique<Cursor>(archive_, table.query, first));
    statuses_cursor_ = std::make_unique<Cursor>(
        archive_,
        "SELECT snapshot, 3, netns, net_table, '', status FROM net_table_change ORDER BY rowid",
        first);
    gone_cursor_ = std::make_unique<Cursor>(
        archive_,
        "SELECT snapshot, 0, 0, -1, printf('inode %d,', inode) FROM inet_gone ORDER BY rowid",
        first);
    SQLite::Statement snapshots(
        archive_, "SELECT id, recording, keyframe, monotonic_ns, boottime_ns FROM snapshot");
    while (snapshots.executeStep()) {
      const auto at = [&](int column) { return snapshots.getColumn(column).getInt64(); };
      begin(at(0), at(1), at(2) == 1);
      clocks(at(3), at(4));
      replay();
    }
    return problems_.lines();
  }

 private:
  void readOwners() {
    SQLite::Statement processes(archive_, "SELECT id, recording, pid FROM process");
    while (processes.executeStep()) {
      const int64_t id = processes.getColumn(0).getInt64();
      process_recordings_[id] = processes.getColumn(1).getInt64();
      pids_[id] = processes.getColumn(2).getInt64();
    }
    SQLite::Statement namespaces(archive_, "SELECT id, recording FROM netns");
    while (namespaces.executeStep()) {
      netns_recordings_[namespaces.getColumn(0).getInt64()] = namespaces.getColumn(1).getInt64();
    }
  }

  void begin(int64_t snapshot, int64_t recording, bool is_keyframe) {
    is_first_ = snapshot_ == 0;
    gone_.clear();
    starts_ = recording != recording_;
    snapshot_ = snapshot;
    recording_ = recording;
    is_keyframe_ = is_keyframe;
    if (is_keyframe) keyframe_ = snapshot;
    if (!starts_) return;
    for (Present& present : present_)
      present.clear();
    statuses_.clear();
    monotonic_ns_ = boottime_ns_ = 0;
  }

  /// What came before may have been dropped: all that a keyframe says can be so.
  bool isCutOff() const { return is_first_ && snapshot_ > 1; }

  void clocks(int64_t monotonic_ns, int64_t boottime_ns) {
    if (monotonic_ns < monotonic_ns_) problem("snapshot", "its monotonic_ns goes back");
    if (boottime_ns < boottime_ns_) problem("snapshot", "its boottime_ns goes back");
    monotonic_ns_ = monotonic_ns;
    boottime_ns_ = boottime_ns;
  }

  void replay() {
    for (size_t i = 0; i < std::size(kChangeTables); ++i) {
      // The statuses of the tables come before the rows that need them.
      if (kChangeTables[i].scope == Scope::NetTable) statuses();
      Cursor& cursor = *change_cursors_[i];
      for (; cursor.isAt(snapshot_); cursor.next())
        change(kChangeTables[i], cursor, present_[i]);
      if (i == kInet) goneSockets();
      if (is_keyframe_ && !starts_ && !is_first_) lacking(kChangeTables[i], present_[i]);
    }
    for (size_t i = 0; i < std::size(kAddedTables); ++i) {
      Cursor& cursor = *added_cursors_[i];
      for (; cursor.isAt(snapshot_); cursor.next())
        added(kAddedTables[i], cursor);
    }
  }

  void statuses() {
    for (Cursor& cursor = *statuses_cursor_; cursor.isAt(snapshot_); cursor.next()) {
      if (!isInOrder("net_table_change", cursor)) continue;
      if (!isOfRecording("net_table_change", Scope::NetTable, cursor)) continue;
      const auto status = static_cast<ReadStatus>(cursor.integer(5));
      const auto [entry, is_new] = statuses_.try_emplace(cursor.owner(), status, 0);
      if (entry->second.second == snapshot_) {
        problem("net_table_change", "a second row of the same table in one snapshot", &cursor);
      }
      entry->second = {status, snapshot_};
      if (status != ReadStatus::NotTried) continue;
      for (size_t i = 0; i < std::size(kChangeTables); ++i) {
        if (kChangeTables[i].scope == Scope::NetTable) present_[i].erase(cursor.owner());
      }
      statuses_.erase(entry);
    }
  }

  /// Of each all rows have gone, in whichever table.
  void goneSockets() {
    for (Cursor& cursor = *gone_cursor_; cursor.isAt(snapshot_); cursor.next()) {
      if (!isInOrder("inet_gone", cursor)) continue;
      const std::string socket = cursor.text(4);
      bool was_there = isCutOff(), is_listed = false;
      for (auto& [owner, things] : present_.at(kInet)) {
        auto row = things.lower_bound(socket);
        for (; row != things.end() && row->first.starts_with(socket); row = things.erase(row)) {
          was_there = true;
          is_listed = is_listed || row->second == snapshot_;
        }
      }
      const std::string name = socket.substr(0, socket.size() - 1);
      if (!was_there) problem("inet_gone", "Gone, and it was not there", &cursor, name);
      if (is_listed) problem("inet_gone", "Gone, and a table lists it", &cursor, name);
    }
  }

  void change(const ChangeTable& table, const Cursor& cursor, Present& present) {
    if (!isInOrder(table.name, cursor)) return;
    if (!isOfRecording(table.name, table.scope, cursor)) return;
    const auto change = static_cast<Change>(cursor.integer(1));
    const auto complain = [&](std::string_view what) {
      problem(table.name, what, &cursor, describe(table.scope, cursor.owner(), cursor.text(4)));
    };
    if (cursor.integer(7) == 0) complain("columns are filled or empty that must not be");
    if (cursor.integer(5) < keyframe_ || cursor.integer(6) > snapshot_) {
      complain("its text or address is not one of those stored since the last keyframe");
    }
    auto& things = present[cursor.owner()];
    const auto thing = things.find(cursor.text(4));
    const bool is_there = thing != things.end();
    if ((is_there && thing->second == snapshot_) ||
        gone_.contains({&table, cursor.owner(), cursor.text(4)})) {
      return complain("a second row in one snapshot");
    }
    if (starts_ && !isCutOff()) {
      if (change != Change::Present) complain("a change in the first snapshot of a recording");
    } else if (!isCutOff()) {
      fits(table, change, is_there, complain);
    }
    if (change != Change::Gone && !hasOwner(table.scope, cursor.owner())) {
      complain(table.scope == Scope::NetTable ? "its table is not read"
                                              : "what it belongs to is not there");
    }
    take(table, change, cursor, things);
  }

  template <class Complain>
  void fits(const ChangeTable& table, Change change, bool is_there, Complain complain) const {
    const bool is_fd = std::string_view(table.name) == "fd_change";
    if (change == Change::Gone && !is_there) complain("Gone, and it was not there");
    if (change == Change::Changed && !is_there) complain("Changed, and it was not there");
    // The number of an fd can belong to another file at once.
    if (change == Change::Appeared && is_there && !is_fd) {
      complain("Appeared, and it was there already");
    }
    if (change == Change::Present && is_there && !is_keyframe_) {
      complain("Present, outside a keyframe, and it was there already");
    }
  }

  void take(const ChangeTable& table, Change change, const Cursor& cursor,
            std::map<std::string, int64_t>& things) {
    const bool ends = change == Change::Gone;
    if (ends) {
      things.erase(cursor.text(4));
      gone_.emplace(&table, cursor.owner(), cursor.text(4));
    } else {
      things[cursor.text(4)] = snapshot_;
    }
    // A process takes its fds and limits with it, an fd its watches.
    const std::string_view name = table.name;
    if (name == "process_change" && ends) {
      for (const size_t i : {kLimits, kFds, kWatches}) {
        present_.at(i).erase(present_.at(i).lower_bound({cursor.integer(2), kNoPart}),
                             present_.at(i).upper_bound({cursor.integer(2), kAnyPart}));
      }
    }
    if (name == "fd_change" && (ends || change == Change::Appeared)) {
      present_.at(kWatches).erase({cursor.integer(2), std::stoll(cursor.text(4))});
    }
  }

  void lacking(const ChangeTable& table, Present& present) {
    for (auto& [owner, things] : present) {
      for (auto thing = things.begin(); thing != things.end();) {
        if (thing->second == snapshot_) {
          ++thing;
          continue;
        }
        problem(table.name, "the keyframe lacks what was there", nullptr,
                describe(table.scope, owner, thing->first));
        thing = things.erase(thing);  // said once
      }
    }
  }

  void added(const AddedTable& table, const Cursor& cursor) {
    if (!isInOrder(table.name, cursor)) return;
    if (!isOfRecording(table.name, table.scope, cursor)) return;
    const auto [owner, part] = cursor.owner();
    bool is_there = hasOwner(table.scope, cursor.owner());
    if (is_there && std::string_view(table.name) == "inet_queue_change") {
      const auto& rows = present_.at(kInet)[cursor.owner()];
      const auto row = rows.lower_bound(cursor.text(4));
      is_there = row != rows.end() && row->first.starts_with(cursor.text(4));
    }
    if (is_there) return;
    problem(table.name, "what it belongs to is not there", &cursor,
            describe(table.scope, {owner, part}, cursor.text(4)));
  }

  bool hasOwner(Scope scope, const Owner& owner) const {
    switch (scope) {
      case Scope::Process:
        return present_.at(kProcesses).contains({owner.first, kNoPart}) &&
               !present_.at(kProcesses).at({owner.first, kNoPart}).empty();
      case Scope::Fd: {
        const auto fds = present_.at(kFds).find({owner.first, kNoPart});
        return fds != present_.at(kFds).end() && fds->second.contains(std::to_string(owner.second));
      }
      case Scope::NetTable:
        return statuses_.contains(owner);
      case Scope::Recording:
        break;
    }
    return true;
  }

  /// Rows are only added: the snapshots of a table's rows never go back.
  bool isInOrder(const char* table, const Cursor& cursor) {
    if (cursor.snapshot() == snapshot_) return true;
    problem(table, fmt::format("it comes after rows of snapshot {}", snapshot_), &cursor);
    return false;
  }

  bool isOfRecording(const char* table, Scope scope, const Cursor& cursor) {
    const bool is_netns = scope == Scope::NetTable;
    if (scope == Scope::Recording && std::string_view(table) != "process_change") return true;
    const auto& recordings = is_netns ? netns_recordings_ : process_recordings_;
    const auto found = recordings.find(cursor.integer(2));
    if (found != recordings.end() && found->second == recording_) return true;
    problem(table,
            fmt::format("its {} is not one of recording {}", is_netns ? "netns" : "process",
                        recording_),
            &cursor);
    return false;
  }

  std::string describe(Scope scope, const Owner& owner, const std::string& key) const {
    std::string thing;
    if (scope == Scope::NetTable) {
      const auto table = static_cast<size_t>(owner.second) - 1;
      thing = fmt::format("{} of netns {}", kNetTableNames.at(table), owner.first);
    } else if (scope != Scope::Recording || pids_.contains(owner.first)) {
      const auto pid = pids_.find(owner.first);
      thing = fmt::format("pid {}", pid != pids_.end() ? pid->second : 0);
      if (scope == Scope::Fd) thing += fmt::format(", fd {}", owner.second);
    }
    return key.empty() ? thing : thing + ", " + printable(key);
  }

  void problem(const char* table, std::string_view what, const Cursor* cursor = nullptr,
               const std::string& thing = {}) {
    std::string where;
    if (cursor != nullptr) where += fmt::format(", row {}", cursor->row());
    where += fmt::format(", snapshot {}", cursor != nullptr ? cursor->snapshot() : snapshot_);
    if (!thing.empty()) where += " (" + thing + ")";
    problems_.add(table, std::string(what), where);
  }

  // Places in kChangeTables.
  static constexpr size_t kProcesses = 0, kLimits = 1, kFds = 2, kWatches = 3, kInet = 4;
  static constexpr int64_t kAnyPart = std::numeric_limits<int64_t>::max();

  SQLite::Database& archive_;
  std::vector<std::unique_ptr<Cursor>> change_cursors_;
  std::vector<std::unique_ptr<Cursor>> added_cursors_;
  std::unique_ptr<Cursor> statuses_cursor_;
  std::unique_ptr<Cursor> gone_cursor_;
  std::map<int64_t, int64_t> process_recordings_;
  std::map<int64_t, int64_t> netns_recordings_;
  std::map<int64_t, int64_t> pids_;
  std::vector<Present> present_{std::size(kChangeTables)};
  std::set<std::tuple<const ChangeTable*, Owner, std::string>> gone_;  ///< in this snapshot
  std::map<Owner, std::pair<ReadStatus, int64_t>> statuses_;  ///< and the snapshot of its row
  int64_t snapshot_ = 0;
  int64_t recording_ = 0;
  int64_t keyframe_ = 0;
  int64_t monotonic_ns_ = 0;
  int64_t boottime_ns_ = 0;
  bool is_keyframe_ = false;
  bool is_first_ = false;
  bool starts_ = false;
  ProblemList problems_;
};

}  // namespace

std::vector<std::string> brokenRules(SQLite::Database& archive) {
  return Replay(archive).run();
}

}  // namespace fdmortem
