#include "analyze/narrow.h"

#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// What ends a row of a table without a row of its own; see schema/README.md.
enum class Owner { None, Process, Fd, Socket, NetTable };

/// A table with the columns that tell what a row is of.
struct Table {
  const char* name;
  const char* identity;
  const char* is_there;  ///< what a row says if that is there
  Owner owner;
};

// fd_change and net_table_change are asked for what ends the rows of others: they come last.
constexpr Table kTables[] = {
    {"limit_change", "process, resource", "change <> 0", Owner::Process},
    {"fd_position_change", "process, fd", "1", Owner::Fd},
    {"epoll_watch_change", "process, fd, watched_fd, inode, device", "change <> 0", Owner::Fd},
    {"autopsy", "process, fd, inode", "1", Owner::Socket},
    {"inet_queue_change", "netns, net_table, inode", "1", Owner::NetTable},
    {"inet_change", "netns, net_table, inode, local, remote", "change <> 0", Owner::NetTable},
    {"time_wait_change", "netns, net_table, local_port", "count > 0", Owner::NetTable},
    {"unix_change", "netns, inode, path, type, state", "change <> 0", Owner::NetTable},
    {"netlink_change", "netns, inode, protocol, port_id", "change <> 0", Owner::NetTable},
    {"packet_change", "netns, inode", "change <> 0", Owner::NetTable},
    {"sockstat_change", "netns, net_table, name", "change <> 0", Owner::NetTable},
    {"fd_change", "process, fd", "change <> 0", Owner::Process},
    {"process_change", "process", "change <> 0", Owner::None},
    {"net_table_change", "netns, net_table", "status <> 0", Owner::None}};

/// Tables whose rows are of one snapshot only.
constexpr const char* kMoments[] = {"second_look", "failure", "delay", "inet_gone"};

/// What is done to a table: its rows up to the snapshot `first` become those of `first`; `keyframe`
/// is the last one up to it.
struct Cut {
  int64_t first;
  int64_t keyframe;
};

/// There is an `e` after a row up to the cut; `what` is a table and a condition.
std::string follows(std::string_view row, const std::string& what, const Cut& cut) {
  return fmt::format("EXISTS (SELECT 1 FROM {} AND e.snapshot > {}.snapshot AND e.snapshot <= {})",
                     what, row, cut.first);
}

std::string processEnds(std::string_view row, const Cut& cut) {
  return follows(
      row, fmt::format("process_change e WHERE e.process = {}.process AND e.change = 0", row), cut);
}

std::string fdEnds(std::string_view row, const Cut& cut) {
  return processEnds(row, cut) + " OR " +
         follows(row,
                 fmt::format("fd_change e WHERE e.process = {0}.process AND e.fd = {0}.fd AND"
                             " e.change IN (0, 1)",
                             row),
                 cut);
}

/// An autopsy is of all fds of its socket. One that held it then and still does joins the two: the
/// number alone could be another socket's by now.
std::string socketEnds(const Cut& cut) {
  return fmt::format(
      "NOT EXISTS (SELECT 1 FROM fd_change h WHERE h.link_type = 1 AND h.link_number = t.inode"
      " AND h.snapshot BETWEEN {} AND t.snapshot AND NOT ({}))",
      cut.keyframe, fdEnds("h", cut));
}

std::string netTableEnds(std::string_view table, const Cut& cut) {
  const std::string net_table = table == "unix_change"      ? "11"
                                : table == "netlink_change" ? "12"
                                : table == "packet_change"  ? "13"
                                                            : "t.net_table";
  std::string ended =
      follows("t",
              fmt::format("net_table_change e WHERE e.netns = t.netns AND e.net_table = {}"
                          " AND e.status = 0",
                          net_table),
              cut);
  if (table == "inet_queue_change") {
    ended += " OR " + follows("t",
                              "inet_change e WHERE e.netns = t.netns AND e.net_table ="
                              " t.net_table AND e.inode = t.inode AND e.change = 0",
                              cut);
  }
  if (table == "inet_queue_change" || table == "inet_change")
    ended += " OR " + follows("t", "inet_gone e WHERE e.inode = t.inode", cut);
  return ended;
}

/// Of a row `t`: something ended it before or in the first snapshot that is kept.
std::string endedBy(const Table& table, const Cut& cut) {
  switch (table.owner) {
    case Owner::Process:
      return processEnds("t", cut);
    case Owner::Fd:
      return fdEnds("t", cut);
    case Owner::Socket:
      return socketEnds(cut);
    case Owner::NetTable:
      return netTableEnds(table.name, cut);
    case Owner::None:
      break;
  }
  return "0";
}

bool hasChange(const Table& table) {
  const std::string_view is_there = table.is_there;
  return is_there == "change <> 0";
}

/// Makes the first snapshot the keyframe with which everything begins.
void cutBefore(const Cut& cut, SQLite::Database& analysis) {
  const int64_t first = cut.first;
  for (const Table& table : kTables) {
    analysis.exec(fmt::format("DELETE FROM {} WHERE snapshot < {}", table.name, cut.keyframe));
    // Rows keep their place, for their order is that of time.
    analysis.exec(fmt::format(
        "DELETE FROM {0} AS t WHERE snapshot < {1} AND (NOT ({2}) OR {3} OR rowid NOT IN"
        " (SELECT max(rowid) FROM {0} WHERE snapshot <= {1} GROUP BY {4}))",
        table.name, first, table.is_there, endedBy(table, cut), table.identity));
  }
  for (const Table& table : kTables) {
    analysis.exec(fmt::format("UPDATE {} SET snapshot = {}{} WHERE snapshot < {}", table.name,
                              first, hasChange(table) ? ", change = 3" : "", first));
  }
  for (const char* table : kMoments) {
    analysis.exec(fmt::format("DELETE FROM {} WHERE snapshot < {}", table, first));
  }
  analysis.exec(fmt::format("DELETE FROM snapshot WHERE id < {}", first));
  analysis.exec(fmt::format("UPDATE snapshot SET keyframe = 1 WHERE id = {}", first));
}

void cutAfter(int64_t last, SQLite::Database& analysis) {
  for (const Table& table : kTables)
    analysis.exec(fmt::format("DELETE FROM {} WHERE snapshot > {}", table.name, last));
  for (const char* table : kMoments) {
    analysis.exec(fmt::format("DELETE FROM {} WHERE snapshot > {}", table, last));
  }
  analysis.exec(fmt::format("DELETE FROM snapshot WHERE id > {}", last));
}

/// The first and last snapshot of a range.
std::pair<int64_t, int64_t> snapshotsIn(const TimeRange& range, SQLite::Database& analysis) {
  SQLite::Statement query(analysis,
                          "SELECT min(id), max(id) FROM snapshot"
                          " WHERE wall_ns BETWEEN ifnull(?, -9223372036854775808)"
                          " AND ifnull(?, 9223372036854775807)");
  if (range.from_ns) query.bind(1, *range.from_ns);
  if (range.to_ns) query.bind(2, *range.to_ns);
  query.executeStep();
  if (query.isColumnNull(0)) {
    SQLite::Statement all(analysis, "SELECT min(wall_ns), max(wall_ns) FROM snapshot");
    all.executeStep();
    throw std::runtime_error(
        all.isColumnNull(0)
            ? std::string("there is no snapshot")
            : fmt::format("there is no snapshot in that time; they are from {} to {}",
                          formatTime(all.getColumn(0).getInt64()),
                          formatTime(all.getColumn(1).getInt64())));
  }
  return {query.getColumn(0).getInt64(), query.getColumn(1).getInt64()};
}

/// Leaves what the recorder tells of itself meanwhile.
void forgetEventsOutside(const TimeRange& range, SQLite::Database& analysis) {
  SQLite::Statement forget(
      analysis,
      "DELETE FROM recorder_event WHERE recording NOT IN (SELECT id FROM recording)"
      " OR wall_ns < ?1 OR wall_ns > ?2");
  if (range.from_ns) forget.bind(1, *range.from_ns);
  if (range.to_ns) forget.bind(2, *range.to_ns);
  forget.exec();
  if (!range.to_ns) return;
  // What came after it was not looked at, and so not missed.
  SQLite::Statement setting(analysis, "INSERT INTO setting VALUES ('range_to', ?)");
  setting.bind(1, formatTime(*range.to_ns));
  setting.exec();
}

}  // namespace

std::string narrow(const TimeRange& range, SQLite::Database& analysis) {
  if (!range.from_ns && !range.to_ns) return {};
  const auto [first, last] = snapshotsIn(range, analysis);
  const std::string last_keyframe =
      fmt::format("SELECT max(id) FROM snapshot WHERE keyframe = 1 AND id <= {}", first);
  const int64_t keyframe = analysis.execAndGet(last_keyframe).getInt64();
  SQLite::Transaction transaction(analysis);
  analysis.exec("CREATE INDEX _narrow_by_fd ON fd_change (process, fd, snapshot)");
  analysis.exec("CREATE INDEX _narrow_by_socket ON fd_change (link_number) WHERE link_type = 1");
  cutAfter(last, analysis);
  cutBefore({.first = first, .keyframe = keyframe}, analysis);
  analysis.exec("DELETE FROM recording WHERE id NOT IN (SELECT recording FROM snapshot)");
  forgetEventsOutside(range, analysis);
  analysis.exec(
      "UPDATE recording SET (first_snapshot, last_snapshot) = "
      "(SELECT min(id), max(id) FROM snapshot WHERE recording = recording.id)");
  analysis.exec("DELETE FROM process WHERE id NOT IN (SELECT process FROM process_change)");
  analysis.exec("DROP INDEX _narrow_by_fd");
  analysis.exec("DROP INDEX _narrow_by_socket");
  transaction.commit();
  return fmt::format("only snapshots {} to {} were looked at, as was asked", first, last);
}

}  // namespace fdmortem
