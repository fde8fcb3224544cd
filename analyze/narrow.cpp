#include "analyze/narrow.h"

#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// What ends a row of a table without a row of its own; see schema/README.md.
enum class Owner { None, Process, Fd, NetTable };

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
    {"autopsy", "inode", "1", Owner::Fd},
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
constexpr const char* kMoments[] = {"second_look", "failure", "delay"};

/// Of a row `t`: something ended it before or in the first snapshot that is kept.
std::string endedBy(const Table& table, int64_t first) {
  const std::string_view name = table.name;
  const auto exists = [&](std::string_view what) {
    return fmt::format("EXISTS (SELECT 1 FROM {} AND e.snapshot > t.snapshot AND e.snapshot <= {})",
                       what, first);
  };
  std::string process_ended =
      exists("process_change e WHERE e.process = t.process AND e.change = 0");
  switch (table.owner) {
    case Owner::Process:
      return process_ended;
    case Owner::Fd:
      return process_ended + " OR " +
             exists(
                 "fd_change e WHERE e.process = t.process AND e.fd = t.fd AND e.change IN (0, 1)");
    case Owner::NetTable: {
      const std::string net_table = name == "unix_change"      ? "11"
                                    : name == "netlink_change" ? "12"
                                    : name == "packet_change"  ? "13"
                                                               : "t.net_table";
      std::string ended =
          exists(fmt::format("net_table_change e WHERE e.netns = t.netns AND e.net_table = {}"
                             " AND e.status = 0",
                             net_table));
      if (name == "inet_queue_change") {
        ended += " OR " + exists(
                              "inet_change e WHERE e.netns = t.netns AND e.net_table ="
                              " t.net_table AND e.inode = t.inode AND e.change = 0");
      }
      return ended;
    }
    case Owner::None:
      break;
  }
  return "0";
}

bool hasChange(const Table& table) {
  const std::string_view is_there = table.is_there;
  return is_there == "change <> 0";
}

/// Makes `first` the keyframe with which everything begins. `keyframe` is the last one up to it.
void cutBefore(int64_t first, int64_t keyframe, SQLite::Database& analysis) {
  for (const Table& table : kTables) {
    analysis.exec(fmt::format("DELETE FROM {} WHERE snapshot < {}", table.name, keyframe));
    // Rows keep their place, for their order is that of time.
    analysis.exec(fmt::format(
        "DELETE FROM {0} AS t WHERE snapshot < {1} AND (NOT ({2}) OR {3} OR rowid NOT IN"
        " (SELECT max(rowid) FROM {0} WHERE snapshot <= {1} GROUP BY {4}))",
        table.name, first, table.is_there, endedBy(table, first), table.identity));
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
    throw std::runtime_error("there is no snapshot in that time");
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
  cutAfter(last, analysis);
  cutBefore(first, keyframe, analysis);
  analysis.exec("DELETE FROM recording WHERE id NOT IN (SELECT recording FROM snapshot)");
  forgetEventsOutside(range, analysis);
  analysis.exec(
      "UPDATE recording SET (first_snapshot, last_snapshot) = "
      "(SELECT min(id), max(id) FROM snapshot WHERE recording = recording.id)");
  analysis.exec("DELETE FROM process WHERE id NOT IN (SELECT process FROM process_change)");
  analysis.exec("DROP INDEX _narrow_by_fd");
  transaction.commit();
  return fmt::format("only snapshots {} to {} were looked at, as was asked", first, last);
}

}  // namespace fdmortem
