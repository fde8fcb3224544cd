#include "analyze/growth_table.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/growth.h"
#include "analyze/import/limits.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr double kNsPerHour = 3600e9;
/// Of a time in words.
constexpr size_t kToSeconds = 19;

constexpr const char* kStuck = "it stands still with hardly a number free below the limit";
constexpr const char* kLimitChanged =
    "the limit was changed while it was recorded, and there are fewer than {} snapshots since";

struct Counted {
  int64_t process = 0;
  bool reached_limit = false;  ///< and none was set since
  bool is_stuck = false;       ///< with hardly a number free, though none of the snapshots has none
  bool is_near_limit = false;  ///< at the end
  std::optional<int64_t> until;  ///< snapshot: where the limit ended the growth
  std::optional<int64_t> since;  ///< snapshot: since when the limit is that of the end
  Filling filling;
};

std::vector<Counted> countedProcesses(SQLite::Database& database) {
  SQLite::Statement query(
      database,
      "SELECT f.process, f.growth_until, f.limit_used, f.soft_limit, s.wall_ns, f.limit_since,"
      " p.ended_by IS NOT NULL,"
      " f.is_full OR (f.limit_reached IS NOT NULL AND NOT f.limit_changed),"
      " f.growth_until IS NOT NULL AND f.limit_reached IS NULL,"
      " coalesce(f.limit_used * 100 >= f.soft_limit * t.near_limit_percent, 0)"
      " FROM process_fds f JOIN threshold t JOIN processes p USING (process)"
      " JOIN snapshot s ON s.id = f.last_snapshot ORDER BY f.process");
  std::vector<Counted> result;
  while (query.executeStep()) {
    Counted& counted = result.emplace_back();
    counted.process = query.getColumn(0).getInt64();
    if (!query.getColumn(1).isNull()) counted.until = query.getColumn(1).getInt64();
    counted.filling.count = static_cast<double>(query.getColumn(2).getInt64());
    if (!query.getColumn(3).isNull()) counted.filling.limit = query.getColumn(3).getInt64();
    counted.filling.now_ns = query.getColumn(4).getInt64();
    if (!query.getColumn(5).isNull()) counted.since = query.getColumn(5).getInt64();
    counted.filling.has_ended = query.getColumn(6).getInt() != 0;
    counted.reached_limit = query.getColumn(7).getInt() != 0;
    counted.is_stuck = query.getColumn(8).getInt() != 0;
    counted.is_near_limit = query.getColumn(9).getInt() != 0;
  }
  return result;
}

/// The number of fds at evenly spread snapshots in which they were read. At the limit it stands
/// still, which is no sign that the growth has ended: what comes after is left out.
std::vector<CountPoint> pointsOf(SQLite::Statement& query, const Counted& counted, int64_t since) {
  query.reset();
  query.bind(1, counted.process);
  const bool is_before = counted.until && *counted.until < since;
  query.bind(2, is_before ? INT64_MAX : counted.until.value_or(INT64_MAX));
  // Evenly spread; estimateGrowth() takes no more.
  query.bind(3, static_cast<int64_t>(kMaximumGrowthPoints));
  query.bind(4, since);
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

/// The growth of a process, and what is to be known of it besides.
struct Judged {
  Growth growth;
  Forecast forecast;
  std::optional<int64_t> since;           ///< snapshot: the first that it is of, if not of all
  std::optional<std::string> stopped_at;  ///< UTC
};

/// UTC of the last snapshot that is not after a time of the boot clock.
std::string timeAt(SQLite::Database& database, int64_t process, double boottime_seconds) {
  SQLite::Statement query(
      database,
      "SELECT s.taken_at FROM _fd_read_span r JOIN snapshot s ON s.id BETWEEN r.first_snapshot AND"
      " r.last_snapshot WHERE r.process = ?1 AND s.boottime_ns / 1e9 <= ?2 ORDER BY s.id DESC"
      " LIMIT 1");
  query.bind(1, process);
  query.bind(2, boottime_seconds);
  return query.executeStep() ? query.getColumn(0).getString() : std::string();
}

/// What went before a change of the limit is of another time, if there is enough since.
Judged judge(SQLite::Database& database, SQLite::Statement& points, const Counted& counted) {
  Judged judged;
  std::vector<CountPoint> taken = pointsOf(points, counted, 0);
  if (counted.since) {
    std::vector<CountPoint> later = pointsOf(points, counted, *counted.since);
    if (later.size() >= kMinimumForecastPoints) {
      taken = std::move(later);
      judged.since = counted.since;
    }
  }
  judged.growth = estimateGrowth(taken);
  Growth& growth = judged.growth;
  if (!growth.per_hour && counted.until)
    growth.reason += counted.is_stuck ? " until hardly a number below the limit was free"
                                      : " until the limit was reached";
  Filling filling = counted.filling;
  // What stands still near the limit may do so because of it.
  if (counted.is_near_limit) growth.stopped_seconds.reset();
  if (growth.stopped_seconds) {
    judged.stopped_at = timeAt(database, counted.process, *growth.stopped_seconds);
    filling.stopped_at = judged.stopped_at->substr(0, kToSeconds) + "Z";
  }
  if (counted.reached_limit) {
    judged.forecast.reason = "it was reached";
  } else if (counted.is_stuck && !filling.has_ended) {
    judged.forecast.reason = kStuck;
  } else if (counted.since && !judged.since && !filling.has_ended) {
    judged.forecast.reason = fmt::format(kLimitChanged, kMinimumForecastPoints);
  } else {
    judged.forecast = forecastExhaustion(growth, filling);
  }
  return judged;
}

void store(SQLite::Statement& insert, const Counted& counted, const Judged& judged) {
  const auto& [growth, forecast, since, stopped_at] = judged;
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
  if (since) insert.bind(13, *since);
  if (stopped_at) insert.bind(14, *stopped_at);
  insert.exec();
}

}  // namespace

void fillGrowth(SQLite::Database& database, const LimitGuard* limits) {
  SQLite::Statement points(
      database,
      "WITH read AS (SELECT s.id, s.boottime_ns, row_number() OVER (ORDER BY s.id) - 1 AS place,"
      "   count(*) OVER () AS total"
      "   FROM _fd_read_span r JOIN snapshot s ON s.id BETWEEN r.first_snapshot AND r.last_snapshot"
      "   WHERE r.process = ?1 AND s.id BETWEEN ?4 AND ?2)"
      " SELECT boottime_ns / 1e9, (SELECT fds FROM fd_count c WHERE c.process = ?1"
      "   AND c.snapshot <= id ORDER BY c.snapshot DESC LIMIT 1)"
      " FROM read WHERE total <= ?3 OR place = total - 1 OR place % ((total + ?3 - 1) / ?3) = 0"
      " ORDER BY id");
  SQLite::Statement insert(database,
                           "INSERT INTO growth VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
                           " ?11, ?12, ?13, ?14)");
  for (const Counted& counted : countedProcesses(database)) {
    if (limits != nullptr) limits->check();
    store(insert, counted, judge(database, points, counted));
  }
  if (limits != nullptr) limits->check();
  // Once: findings and reports ask for it again and again.
  database.exec("INSERT INTO growing_group SELECT * FROM _growing_group");
}

}  // namespace fdmortem
