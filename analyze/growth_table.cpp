#include "analyze/growth_table.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "analyze/growth.h"
#include "analyze/import/limits.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// So many snapshots of each process, evenly spread; estimateGrowth() takes no more.
constexpr int64_t kMaximumPoints = 500;
constexpr double kNsPerHour = 3600e9;

struct Counted {
  int64_t process = 0;
  bool reached_limit = false;    ///< and none was set since
  std::optional<int64_t> until;  ///< snapshot: where the limit ended the growth
  Filling filling;
};

std::vector<Counted> countedProcesses(SQLite::Database& database) {
  SQLite::Statement query(
      database,
      "SELECT f.process, f.growth_until, f.limit_used, f.soft_limit, s.wall_ns, f.limit_changed,"
      " p.ended_by IS NOT NULL,"
      " f.is_full OR (f.limit_reached IS NOT NULL AND NOT f.limit_changed) FROM process_fds f JOIN "
      "processes p USING (process)"
      " JOIN snapshot s ON s.id = f.last_snapshot ORDER BY f.process");
  std::vector<Counted> result;
  while (query.executeStep()) {
    Counted& counted = result.emplace_back();
    counted.process = query.getColumn(0).getInt64();
    if (!query.getColumn(1).isNull()) counted.until = query.getColumn(1).getInt64();
    counted.filling.count = static_cast<double>(query.getColumn(2).getInt64());
    if (!query.getColumn(3).isNull()) counted.filling.limit = query.getColumn(3).getInt64();
    counted.filling.now_ns = query.getColumn(4).getInt64();
    counted.filling.limit_changed = query.getColumn(5).getInt() != 0;
    counted.filling.has_ended = query.getColumn(6).getInt() != 0;
    counted.reached_limit = query.getColumn(7).getInt() != 0;
  }
  return result;
}

/// The number of fds at evenly spread snapshots in which they were read. At the limit it stands
/// still, which is no sign that the growth has ended: what comes after is left out.
std::vector<CountPoint> pointsOf(SQLite::Statement& query, const Counted& counted) {
  query.reset();
  query.bind(1, counted.process);
  query.bind(2, counted.until.value_or(INT64_MAX));
  query.bind(3, kMaximumPoints);
  std::vector<CountPoint> points;
  while (query.executeStep()) {
    points.push_back(
        {.seconds = query.getColumn(0).getDouble(), .count = query.getColumn(1).getDouble()});
  }
  return points;
}

void bindTime(SQLite::Statement& insert, int index, const Forecast& forecast, int64_t time_ns) {
  if (forecast.at_ns) {
    insert.bind(index, formatTime(time_ns));
  } else {
    insert.bind(index);
  }
}

void bindReason(SQLite::Statement& insert, int index, const std::string& reason) {
  if (reason.empty()) {
    insert.bind(index);
  } else {
    insert.bind(index, reason);
  }
}

void store(SQLite::Statement& insert, const Counted& counted, const Growth& growth,
           const Forecast& forecast) {
  insert.reset();
  insert.clearBindings();
  insert.bind(1, counted.process);
  insert.bind(2, static_cast<int64_t>(growth.points));
  if (growth.per_hour) {
    insert.bind(3, *growth.per_hour);
    insert.bind(4, growth.low_per_hour);
    insert.bind(5, growth.high_per_hour);
    insert.bind(6, rateInWords(growth));
  }
  bindReason(insert, 7, growth.reason);
  bindTime(insert, 8, forecast, forecast.from_ns);
  bindTime(insert, 9, forecast, forecast.at_ns.value_or(0));
  bindTime(insert, 10, forecast, forecast.to_ns);
  if (forecast.at_ns) {
    insert.bind(11, static_cast<double>(forecast.from_ns - counted.filling.now_ns) / kNsPerHour);
  }
  bindReason(insert, 12, forecast.reason);
  insert.exec();
}

}  // namespace

void fillGrowth(SQLite::Database& database, const LimitGuard* limits) {
  SQLite::Statement points(
      database,
      "WITH read AS (SELECT s.id, s.boottime_ns, row_number() OVER (ORDER BY s.id) - 1 AS place,"
      "   count(*) OVER () AS total"
      "   FROM _fd_read_span r JOIN snapshot s ON s.id BETWEEN r.first_snapshot AND r.last_snapshot"
      "   WHERE r.process = ?1 AND s.id <= ?2)"
      " SELECT boottime_ns / 1e9, (SELECT fds FROM fd_count c WHERE c.process = ?1"
      "   AND c.snapshot <= id ORDER BY c.snapshot DESC LIMIT 1)"
      " FROM read WHERE total <= ?3 OR place = total - 1 OR place % ((total + ?3 - 1) / ?3) = 0"
      " ORDER BY id");
  SQLite::Statement insert(database,
                           "INSERT INTO growth VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                           " ?11, ?12)");
  for (const Counted& counted : countedProcesses(database)) {
    if (limits != nullptr) limits->check();
    Growth growth = estimateGrowth(pointsOf(points, counted));
    if (!growth.per_hour && counted.until) growth.reason += " until the limit was reached";
    const Forecast forecast = counted.reached_limit ? Forecast{.reason = "it was reached"}
                                                    : forecastExhaustion(growth, counted.filling);
    store(insert, counted, growth, forecast);
  }
}

}  // namespace fdmortem
