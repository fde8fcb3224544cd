#include "analyze/listings.h"

#include <charconv>
#include <cstdio>
#include <iterator>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>

#include "analyze/archives.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

using What = ListingOptions::What;

/// Columns of `sockets` and `outlived`, in the order in which README.md names them.
constexpr const char* kSocketColumns =
    "pid, start_ticks, comm, fd, inode, netns, protocol, verdict, proof, local, remote, "
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
  explicit Query(std::string select) : sql_(std::move(select)) {}

  void require(const std::string& condition, std::vector<Value> values) {
    sql_ += (values_.empty() && !has_where_ ? " WHERE " : " AND ") + condition;
    has_where_ = true;
    for (Value& value : values)
      values_.push_back(std::move(value));
  }

  template <class Item>
  void requireOneOf(const std::string& column, const std::vector<Item>& items) {
    if (items.empty()) return;
    std::string places;
    std::vector<Value> values;
    for (const Item& item : items) {
      places += places.empty() ? "?" : ", ?";
      values.emplace_back(item);
    }
    require(fmt::format("{} IN ({})", column, places), std::move(values));
  }

  ResultTable run(const Analysis& analysis, const std::string& order) const {
    return analysis.query(sql_ + order, values_);
  }

 private:
  std::string sql_;
  bool has_where_ = false;
  std::vector<Value> values_;
};

ResultTable listSnapshots(const Analysis& analysis, const Filter& filter) {
  Query query("SELECT v.* FROM snapshots v JOIN snapshot s ON s.id = v.snapshot");
  if (filter.from_ns) query.require("s.wall_ns >= ?", {*filter.from_ns});
  if (filter.to_ns) query.require("s.wall_ns <= ?", {*filter.to_ns});
  return query.run(analysis, " ORDER BY v.snapshot");
}

ResultTable listSockets(const Analysis& analysis, const ListingOptions& options) {
  const Filter& filter = options.filter;
  const bool is_short = options.format == ListingFormat::Table;
  const bool is_outlived = options.what == What::Outlived;
  Query query(fmt::format("SELECT {} FROM {}", is_short ? kShortSocketColumns : kSocketColumns,
                          is_outlived ? "outlived" : "sockets"));
  query.requireOneOf("pid", filter.pids);
  query.requireOneOf("comm", filter.comms);
  query.requireOneOf("verdict", filter.verdicts);
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

int64_t snapshotNumber(const Analysis& analysis, const std::string& name) {
  if (name == "first" || name == "last") {
    const auto result = analysis.query(name == "first" ? "SELECT min(id) FROM snapshot"
                                                       : "SELECT max(id) FROM snapshot");
    if (const auto* id = std::get_if<int64_t>(&result.rows.at(0).at(0))) return *id;
    throw std::runtime_error(fmt::format("{}: there is no snapshot in it", analysis.path()));
  }
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) {
    throw UsageError(fmt::format("not a snapshot's number, 'first' or 'last': {}", name));
  }
  if (analysis.query("SELECT 1 FROM snapshot WHERE id = ?", {number}).rows.empty()) {
    throw std::runtime_error(fmt::format("{}: there is no snapshot {}", analysis.path(), number));
  }
  return number;
}

ResultTable listDiff(const Analysis& analysis, const ListingOptions& options) {
  const int64_t a = snapshotNumber(analysis, options.snapshot_a);
  const int64_t b = snapshotNumber(analysis, options.snapshot_b);
  if (a > b) {
    throw UsageError(fmt::format("snapshot {} is later than {}: give the earlier one first", a, b));
  }
  Query query("SELECT change, pid, fd, before, after FROM diff");
  query.require("snapshot_a = ? AND snapshot_b = ?", {a, b});
  query.requireOneOf("pid", options.filter.pids);
  query.requireOneOf("comm", options.filter.comms);
  return query.run(analysis, " ORDER BY pid, fd, change");
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
  fmt::print("{}", renderListing(all, options.format));
  return status;
}

}  // namespace fdmortem
