#include "analyze/listings.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "analyze/archives.h"
#include "analyze/output.h"
#include "analyze/snapshot_name.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

using What = ListingOptions::What;

/// Columns of `sockets` and `outlived`, in the order in which README.md names them.
constexpr const char* kSocketColumns =
    "pid, start_ticks, comm, fd, inode, netns, netns_source, protocol, verdict, proof, local, "
    "remote, "
    "last_state, "
    "fd_first_seen, fd_last_seen, connection_first_seen, connection_last_seen, outlived_since, "
    "last_data_at, outlived_seconds, open_at_end, bytes_received, bytes_acked, watched_by, leak";
/// What of it fits a terminal.
constexpr const char* kShortSocketColumns =
    "pid, comm, fd, inode, protocol, verdict, proof, local, remote, last_state, "
    "connection_last_seen, outlived_seconds, open_at_end, leak";

/// A query that grows by conditions.
class Query {
 public:
  explicit Query(std::string select, bool has_where = false)
      : sql_(std::move(select)), has_where_(has_where) {}

  void require(const std::string& condition, std::vector<Value> values) {
    sql_ += (has_where_ ? " AND " : " WHERE ") + condition;
    has_where_ = true;
    for (Value& value : values)
      values_.push_back(std::move(value));
  }

  void require(const Condition& condition) { require(condition.sql, condition.values); }

  ResultTable run(const Analysis& analysis, const std::string& order) const {
    return analysis.query(sql_ + order, values_);
  }

 private:
  std::string sql_;
  bool has_where_;
  std::vector<Value> values_;
};

void requireTimes(Query& query, const Filter& filter) {
  if (filter.from_ns) query.require("s.wall_ns >= ?", {*filter.from_ns});
  if (filter.to_ns) query.require("s.wall_ns <= ?", {*filter.to_ns});
}

/// The snapshots with some of the processes, with the numbers of these.
std::string snapshotsOf(const std::vector<int64_t>& processes) {
  return fmt::format(
      "SELECT v.* FROM (SELECT s.recording, s.id AS snapshot, s.taken_at,"
      " (SELECT count(*) FROM process_span p WHERE s.id BETWEEN p.first_snapshot AND"
      "    p.last_snapshot AND p.process IN ({0})) AS processes,"
      " (SELECT sum((SELECT c.fds FROM fd_count c WHERE c.process = r.process AND c.snapshot <= "
      "s.id"
      "    ORDER BY c.snapshot DESC LIMIT 1)) FROM _fd_read_span r WHERE s.id BETWEEN"
      "    r.first_snapshot AND r.last_snapshot AND r.process IN ({0})) AS fds,"
      " (SELECT coalesce(sum(count), 0) FROM failure f WHERE f.snapshot = s.id AND f.pid IN"
      "    (SELECT pid FROM processes WHERE process IN ({0}))) AS failures FROM snapshot s) v"
      " JOIN snapshot s ON s.id = v.snapshot WHERE v.processes > 0",
      fmt::join(processes, ","));
}

ResultTable listSnapshots(const Analysis& analysis, const Filter& filter) {
  const bool is_narrow = !filter.processes.isOpen();
  Query query(is_narrow ? snapshotsOf(processesOf(analysis, filter.processes))
                        : "SELECT v.* FROM snapshots v JOIN snapshot s ON s.id = v.snapshot",
              is_narrow);
  requireTimes(query, filter);
  return query.run(analysis, " ORDER BY v.snapshot");
}

ResultTable listSockets(const Analysis& analysis, const ListingOptions& options) {
  const Filter& filter = options.filter;
  const bool is_short = options.format == ListingFormat::Table;
  const bool is_outlived = options.what == What::Outlived;
  Query query(fmt::format("SELECT {} FROM {}", is_short ? kShortSocketColumns : kSocketColumns,
                          is_outlived ? "outlived" : "sockets"));
  query.require(conditionOf(filter.processes));
  query.require(oneOf("verdict", {filter.verdicts.begin(), filter.verdicts.end()}));
  if (filter.from_ns) {
    query.require("last_snapshot >= (SELECT min(id) FROM snapshot WHERE wall_ns >= ?)",
                  {*filter.from_ns});
  }
  if (filter.to_ns) {
    query.require("first_snapshot <= (SELECT max(id) FROM snapshot WHERE wall_ns <= ?)",
                  {*filter.to_ns});
  }
  return query.run(analysis, " ORDER BY pid, start_ticks, fd, first_snapshot");
}

int64_t snapshotIn(const Analysis& analysis, const std::string& name) {
  return snapshotNumber(
      name, analysis.path(), [&](const std::string& sql, std::optional<int64_t> value) {
        std::vector<Value> parameters;
        if (value) parameters.emplace_back(*value);
        const ResultTable result = analysis.query(sql, parameters);
        const auto* cell =
            result.rows.empty() ? nullptr : std::get_if<int64_t>(&result.rows[0].at(0));
        return cell != nullptr ? std::optional(*cell) : std::nullopt;
      });
}

/// What differs between two snapshots, in the order of its view.
ResultTable listDiff(const Analysis& analysis, const Filter& filter, int64_t a, int64_t b) {
  Query query("SELECT change, pid, fd, before, after FROM diff");
  query.require("snapshot_a = ? AND snapshot_b = ?", {a, b});
  query.require(conditionOf(filter.processes));
  return query.run(analysis, " ORDER BY pid, fd, change");
}

/// How many do, by columns of fd_group.
ResultTable countDiff(const Analysis& analysis, const ListingOptions& options, int64_t a,
                      int64_t b) {
  const std::string group =
      options.by == "kind" ? "pid, comm, kind" : "pid, comm, direction, " + options.by;
  // What was replaced is one closed and one opened.
  Query query(
      fmt::format("WITH d AS MATERIALIZED (SELECT * FROM _diff WHERE snapshot_a = {} AND"
                  " snapshot_b = {}),"
                  " side AS (SELECT pid, comm, id_before AS id, 'closed' AS change FROM d"
                  "  WHERE change IN ('closed', 'replaced')"
                  "  UNION ALL SELECT pid, comm, id_after, 'opened' FROM d"
                  "  WHERE change IN ('opened', 'replaced')"
                  "  UNION ALL SELECT pid, comm, id_after, 'changed' FROM d WHERE change ="
                  "  'changed')"
                  " SELECT {}, sum(change = 'opened') AS opened, sum(change = 'closed') AS closed,"
                  " sum(change = 'changed') AS changed FROM side JOIN fd_group USING (id)",
                  a, b, group));
  query.require(conditionOf(options.filter.processes));
  return query.run(analysis, fmt::format(" GROUP BY {0} ORDER BY count(*) DESC, {0}", group));
}

ResultTable listDiff(const Analysis& analysis, const ListingOptions& options) {
  const int64_t a = snapshotIn(analysis, options.snapshot_a);
  const int64_t b = snapshotIn(analysis, options.snapshot_b);
  if (a > b) {
    throw UsageError(fmt::format("snapshot {} is later than {}: give the earlier one first", a, b));
  }
  return options.by.empty() ? listDiff(analysis, options.filter, a, b)
                            : countDiff(analysis, options, a, b);
}

/// The fds that the history is asked of: fd_span.id.
std::vector<int64_t> historyOf(const Analysis& analysis, const HistorySubject& subject) {
  const ResultTable rows =
      subject.inode ? analysis.query("SELECT id FROM fd_span WHERE socket_inode = ? ORDER BY id",
                                     {*subject.inode})
                    : analysis.query(
                          "SELECT f.id FROM fd_span f JOIN processes p USING (process)"
                          " WHERE p.pid = ? AND f.fd = ? ORDER BY f.id",
                          {*subject.pid, *subject.fd});
  std::vector<int64_t> ids;
  for (const auto& row : rows.rows)
    ids.push_back(std::get<int64_t>(row.at(0)));
  return ids;
}

/// The events of these fds, and of a socket also while no recorded fd holds it.
ResultTable listEvents(const Analysis& analysis, const ListingOptions& options,
                       const std::vector<int64_t>& ids) {
  Query of_fds(
      fmt::format("SELECT e.id, e.pid, e.start_ticks, e.comm, e.fd, e.inode, e.target,"
                  " a.taken_at AS first_seen, z.taken_at AS last_seen, e.at, e.snapshot, e.kind,"
                  " e.event FROM fd_event e JOIN snapshot s ON s.id = e.snapshot"
                  " JOIN fd_span f ON f.id = e.id JOIN snapshot a ON a.id = f.first_snapshot"
                  " JOIN snapshot z ON z.id = f.last_snapshot WHERE e.id IN ({})",
                  fmt::join(ids, ",")),
      true);
  requireTimes(of_fds, options.filter);
  ResultTable events = of_fds.run(analysis, " ORDER BY e.id, e.snapshot, e.place, e.event");
  if (!options.history.inode) return events;
  Query of_rows(
      "SELECT -e.netns AS id, NULL AS pid, NULL AS start_ticks, NULL AS comm, NULL AS fd, e.inode,"
      " NULL AS target, e.first_seen, e.last_seen, e.at, e.snapshot, e.kind, e.event"
      " FROM inode_event e JOIN snapshot s ON s.id = e.snapshot");
  of_rows.require("e.inode = ?", {*options.history.inode});
  requireTimes(of_rows, options.filter);
  ResultTable more = of_rows.run(analysis, " ORDER BY e.netns, e.snapshot, e.place, e.event");
  std::move(more.rows.begin(), more.rows.end(), std::back_inserter(events.rows));
  return events;
}

/// Columns of listEvents: those of the fd come first, but for the id; then those of the event.
constexpr size_t kFdColumns = 9;

/// One row for each fd, with its events as a JSON array.
ResultTable foldEvents(const ResultTable& events) {
  ResultTable table;
  table.columns.assign(events.columns.begin() + 1, events.columns.begin() + kFdColumns);
  table.columns.emplace_back("events");
  const auto& rows = events.rows;
  for (size_t first = 0, end = 0; first < rows.size(); first = end) {
    auto array = nlohmann::ordered_json::array();
    for (; end < rows.size() && rows[end][0] == rows[first][0]; ++end) {
      array.push_back({{"at", std::get<std::string>(rows[end][kFdColumns])},
                       {"event", std::get<std::string>(rows[end][kFdColumns + 3])},
                       {"snapshot", std::get<int64_t>(rows[end][kFdColumns + 1])},
                       {"kind", std::get<std::string>(rows[end][kFdColumns + 2])}});
    }
    std::vector<Value> row(rows[first].begin() + 1, rows[first].begin() + kFdColumns);
    row.emplace_back(array.dump());
    table.rows.push_back(std::move(row));
  }
  return table;
}

ResultTable onlyColumns(const ResultTable& table, const std::vector<std::string>& names) {
  ResultTable result{.columns = names, .rows = {}};
  std::vector<size_t> places;
  for (const std::string& name : names) {
    const auto found = std::find(table.columns.begin(), table.columns.end(), name);
    places.push_back(static_cast<size_t>(found - table.columns.begin()));
  }
  for (const auto& row : table.rows) {
    auto& line = result.rows.emplace_back();
    for (const size_t place : places)
      line.push_back(row.at(place));
  }
  return result;
}

ResultTable listHistory(const Analysis& analysis, const ListingOptions& options) {
  const HistorySubject& subject = options.history;
  const std::vector<int64_t> ids = historyOf(analysis, subject);
  const bool is_known =
      !ids.empty() ||
      (subject.inode &&
       !analysis.query("SELECT 1 FROM inode_event WHERE inode = ? LIMIT 1", {*subject.inode})
            .rows.empty());
  if (!is_known) {
    const std::string what = subject.inode
                                 ? fmt::format("socket with inode {}", *subject.inode)
                                 : fmt::format("fd {} of a process {}", *subject.fd, *subject.pid);
    throw std::runtime_error(fmt::format("{}: there is no {} in it", analysis.path(), what));
  }
  const ResultTable events = listEvents(analysis, options, ids);
  switch (options.format) {
    case ListingFormat::Json:
    case ListingFormat::Ndjson:
      return foldEvents(events);
    case ListingFormat::Csv:
      return onlyColumns(events, {events.columns.begin() + 1, events.columns.end()});
    case ListingFormat::Table:
      break;
  }
  return onlyColumns(events, {"snapshot", "at", "pid", "fd", "event"});
}

ResultTable list(const Analysis& analysis, const ListingOptions& options) {
  switch (options.what) {
    case What::Snapshots:
      return listSnapshots(analysis, options.filter);
    case What::Sockets:
    case What::Outlived:
      return listSockets(analysis, options);
    case What::Diff:
      return listDiff(analysis, options);
    case What::History:
      return listHistory(analysis, options);
    case What::Sql:
      break;
  }
  return analysis.query(options.sql);
}

}  // namespace

int runListing(const ListingOptions& options) {
  ResultTable all;
  const auto add = [&](const Analysis& analysis) {
    ResultTable table = list(analysis, options);
    if (options.databases.size() > 1) {
      table.columns.insert(table.columns.begin(), "database");
      for (auto& row : table.rows)
        row.insert(row.begin(), printable(analysis.path()));
    }
    all.columns = std::move(table.columns);
    std::move(table.rows.begin(), table.rows.end(), std::back_inserter(all.rows));
  };
  const int status = forEachArchive(options.databases, options.analysis, true, add);
  writeToStdout(renderListing(all, options.format));
  return status;
}

}  // namespace fdmortem
