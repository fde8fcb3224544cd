#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <tuple>

#include <fmt/core.h>

#include "analyze/report.h"
#include "schema/printable.h"
#include "schema/sql.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// Rows of evidence that a report carries; the query gives all of them.
constexpr size_t kMaximumEvidenceRows = 200;
/// Points of a process's curve.
constexpr int64_t kMaximumCounts = 500;
/// A forecast further away than this is none.
constexpr double kMaximumForecastHours = 24.0 * 365;

/// The cells of one row, by column name.
class Row {
 public:
  Row(const ResultTable& table, size_t row) : table_(table), cells_(table.rows.at(row)) {}

  int64_t integer(std::string_view name) const { return optionalInteger(name).value_or(0); }
  std::optional<int64_t> optionalInteger(std::string_view name) const {
    const auto* value = std::get_if<int64_t>(&cell(name));
    return value != nullptr ? std::optional(*value) : std::nullopt;
  }
  double real(std::string_view name) const {
    const Value& value = cell(name);
    if (const auto* real = std::get_if<double>(&value)) return *real;
    return static_cast<double>(integer(name));
  }
  std::string text(std::string_view name) const { return optionalText(name).value_or(""); }
  std::optional<std::string> optionalText(std::string_view name) const {
    const auto* value = std::get_if<std::string>(&cell(name));
    return value != nullptr ? std::optional(*value) : std::nullopt;
  }

 private:
  const Value& cell(std::string_view name) const {
    const auto found = std::find(table_.columns.begin(), table_.columns.end(), name);
    return cells_.at(static_cast<size_t>(found - table_.columns.begin()));
  }

  const ResultTable& table_;
  const std::vector<Value>& cells_;
};

template <class Visit>
void forEachRow(const ResultTable& table, Visit visit) {
  for (size_t i = 0; i < table.rows.size(); ++i)
    visit(Row(table, i));
}

DatabaseReport describeDatabase(const Analysis& analysis, Report& report) {
  DatabaseReport database{
      .path = printable(analysis.path()), .sha256 = analysis.sha256(), .doubts = analysis.doubts()};
  ResultTable recordings = analysis.query("SELECT * FROM recording ORDER BY id");
  if (!recordings.rows.empty()) {
    const Row last(recordings, recordings.rows.size() - 1);
    database.host = last.text("host_name");
    database.boot_id = last.optionalText("boot_id");
    database.kernel = last.text("kernel_release");
  }
  report.recording_columns = recordings.columns;
  database.recordings = std::move(recordings.rows);
  return database;
}

Coverage describeCoverage(const Analysis& analysis) {
  Coverage coverage{.database = printable(analysis.path())};
  const ResultTable counts = analysis.query(
      "SELECT count(*) AS snapshots, coalesce(sum(missed_before), 0) AS missed,"
      " coalesce(sum(late_us > 100 * interval_ms), 0) AS late, min(taken_at) AS first_at,"
      " max(taken_at) AS last_at FROM snapshot s JOIN recording r ON r.id = s.recording");
  const Row row(counts, 0);
  coverage.snapshots = row.integer("snapshots");
  coverage.missed = row.integer("missed");
  coverage.late = row.integer("late");
  coverage.first_at = row.optionalText("first_at");
  coverage.last_at = row.optionalText("last_at");
  const ResultTable spans = analysis.query(
      "SELECT (max(boottime_ns) - min(boottime_ns)) / 1e9 AS seconds FROM snapshot s"
      " JOIN recording r ON r.id = s.recording GROUP BY s.recording");
  forEachRow(spans, [&](const Row& span) { coverage.seconds += span.real("seconds"); });
  coverage.unreadable = analysis.query(
      "SELECT operation, subject, pid, errno, detail, count, snapshots, first_snapshot, "
      "last_snapshot"
      " FROM unreadable ORDER BY snapshots DESC, subject, operation, errno, detail");
  return coverage;
}

std::vector<NamedCount> namedCounts(const Analysis& analysis, const std::string& view,
                                    const std::string& name, int64_t process) {
  std::vector<NamedCount> counts;
  const ResultTable rows = analysis.query("SELECT " + name + " AS name, count FROM " + view +
                                              " WHERE process = ? ORDER BY count DESC, name",
                                          {process});
  forEachRow(rows,
             [&](const Row& row) { counts.emplace_back(row.text("name"), row.integer("count")); });
  return counts;
}

std::vector<PeerGroup> peerGroups(const Analysis& analysis, int64_t process) {
  std::vector<PeerGroup> groups;
  const ResultTable rows = analysis.query(
      "SELECT * FROM peer_group WHERE process = ? ORDER BY verdict = 'outlived' DESC,"
      " verdict = 'peer-closed' DESC, verdict, count DESC, peer, local_port, last_state, proof",
      {process});
  forEachRow(rows, [&](const Row& row) {
    groups.push_back({.verdict = row.text("verdict"),
                      .proof = row.optionalText("proof"),
                      .last_state = row.optionalText("last_state"),
                      .direction = row.optionalText("direction"),
                      .local_port = row.optionalInteger("local_port"),
                      .peer = row.optionalText("peer"),
                      .count = row.integer("count"),
                      .leaks = row.integer("leaks"),
                      .first_lost = row.optionalText("first_lost"),
                      .last_lost = row.optionalText("last_lost"),
                      .first_data = row.optionalText("first_data"),
                      .last_data = row.optionalText("last_data")});
  });
  return groups;
}

/// At most this many stretches, all of the same length.
constexpr int64_t kLastDataBuckets = 12;

std::vector<LastDataBucket> lastData(const Analysis& analysis, int64_t process) {
  const ResultTable rows = analysis.query(
      "SELECT last_data_ns FROM last_data WHERE process = ? ORDER BY last_data_ns", {process});
  std::vector<int64_t> times;
  forEachRow(rows, [&](const Row& row) { times.push_back(row.integer("last_data_ns")); });
  if (times.empty()) return {};
  // Whole seconds: finer than that the ages are not worth to be told.
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t first = times.front() / kSecond * kSecond;
  const int64_t width = ((times.back() - first) / kLastDataBuckets / kSecond + 1) * kSecond;
  std::vector<LastDataBucket> buckets;
  for (const int64_t time : times) {
    const auto place =
        static_cast<size_t>(std::clamp<int64_t>((time - first) / width, 0, kLastDataBuckets));
    while (buckets.size() <= place) {
      const int64_t from = first + static_cast<int64_t>(buckets.size()) * width;
      buckets.push_back({.from = formatTime(from), .to = formatTime(from + width)});
    }
    ++buckets[place].count;
  }
  return buckets;
}

struct Sample {
  CountAt at;
  double seconds;
  int64_t wall_ns;
};

/// The number of fds at evenly spread snapshots in which they could be read.
std::vector<Sample> sampleCounts(const Analysis& analysis, int64_t process) {
  const ResultTable rows = analysis.query(
      "WITH read AS (SELECT s.id, s.taken_at, s.wall_ns, s.boottime_ns,"
      "   row_number() OVER (ORDER BY s.id) - 1 AS place, count(*) OVER () AS total"
      "   FROM _fd_read_span r JOIN snapshot s ON s.id BETWEEN r.first_snapshot AND r.last_snapshot"
      "   WHERE r.process = ?1)"
      " SELECT id, taken_at, wall_ns, boottime_ns / 1e9 AS seconds,"
      "   (SELECT fds FROM fd_count c WHERE c.process = ?1 AND c.snapshot <= id"
      "    ORDER BY c.snapshot DESC LIMIT 1) AS fds,"
      "   (SELECT soft_limit FROM fd_count c WHERE c.process = ?1 AND c.snapshot <= id"
      "    ORDER BY c.snapshot DESC LIMIT 1) AS soft_limit"
      " FROM read WHERE total <= ?2 OR place = total - 1 OR place % ((total + ?2 - 1) / ?2) = 0"
      " ORDER BY id",
      {process, kMaximumCounts});
  std::vector<Sample> samples;
  forEachRow(rows, [&](const Row& row) {
    samples.push_back({.at = {.snapshot = row.integer("id"),
                              .taken_at = row.text("taken_at"),
                              .fds = row.integer("fds"),
                              .soft_limit = row.optionalInteger("soft_limit")},
                       .seconds = row.real("seconds"),
                       .wall_ns = row.integer("wall_ns")});
  });
  return samples;
}

void describeGrowth(const std::vector<Sample>& samples, std::optional<int64_t> limit_reached,
                    ProcessReport& process) {
  std::vector<CountPoint> points;
  for (const Sample& sample : samples) {
    process.counts.push_back(sample.at);
    // At the limit the number stands still: that is no sign that the growth has ended.
    if (limit_reached && sample.at.snapshot > *limit_reached) continue;
    points.push_back({.seconds = sample.seconds, .count = static_cast<double>(sample.at.fds)});
  }
  process.growth = estimateGrowth(points);
  if (process.limit_reached_at) {
    process.exhaustion_at = process.limit_reached_at;
    return;
  }
  // One step, or a number that goes up and down, is no growth to carry on.
  if (!process.growth.per_hour || !process.growth.is_steady || !process.soft_limit ||
      process.limit_changed || process.has_ended || samples.empty()) {
    return;
  }
  const double hours =
      static_cast<double>(*process.soft_limit - process.fds_last) / *process.growth.per_hour;
  if (hours < 0 || hours > kMaximumForecastHours) return;
  const auto ahead_ns = static_cast<int64_t>(std::llround(hours * 3600e9));
  process.exhaustion_at = formatTime(samples.back().wall_ns + ahead_ns);
}

ProcessReport describeProcess(const Analysis& analysis, const Row& row) {
  const int64_t id = row.integer("process");
  ProcessReport process{.database = printable(analysis.path()),
                        .pid = row.integer("pid"),
                        .start_ticks = row.integer("start_ticks"),
                        .comm = row.text("comm"),
                        .exe = row.optionalText("exe"),
                        .cmdline = row.optionalText("cmdline"),
                        .first_seen = row.text("first_seen"),
                        .last_seen = row.text("last_seen"),
                        .has_ended = row.optionalInteger("ended_by").has_value(),
                        .unread_snapshots = row.integer("unread_snapshots"),
                        .has_fds = row.optionalInteger("fds_last").has_value()};
  if (!process.has_fds) return process;
  process.fds_first = row.integer("fds_first");
  process.fds_last = row.integer("fds_last");
  process.fds_peak = row.integer("fds_peak");
  process.peak_at = row.text("peak_at");
  process.soft_limit = row.optionalInteger("soft_limit");
  process.hard_limit = row.optionalInteger("hard_limit");
  process.limit_changed = row.integer("limit_changed") != 0;
  process.limit_reached_at = row.optionalText("limit_reached_at");
  describeGrowth(sampleCounts(analysis, id), row.optionalInteger("limit_reached"), process);
  process.kinds = namedCounts(analysis, "kind_at_end", "kind", id);
  process.verdicts = namedCounts(analysis, "verdict_at_end", "verdict", id);
  process.peers = peerGroups(analysis, id);
  process.last_data = lastData(analysis, id);
  return process;
}

std::vector<ProcessReport> describeProcesses(const Analysis& analysis,
                                             const std::vector<int64_t>& wanted) {
  const ResultTable rows = analysis.query(
      "SELECT p.*, f.*, first.taken_at AS first_seen, last.taken_at AS last_seen,"
      "   peak.taken_at AS peak_at, reached.taken_at AS limit_reached_at"
      " FROM processes p LEFT JOIN process_fds f USING (process)"
      " JOIN snapshot first ON first.id = p.first_snapshot"
      " JOIN snapshot last ON last.id = p.last_snapshot"
      " LEFT JOIN snapshot peak ON peak.id = f.peak_snapshot"
      " LEFT JOIN snapshot reached ON reached.id = f.limit_reached"
      " ORDER BY p.pid, p.start_ticks");
  std::vector<ProcessReport> processes;
  forEachRow(rows, [&](const Row& row) {
    const int64_t process = row.integer("process");
    if (std::binary_search(wanted.begin(), wanted.end(), process)) {
      processes.push_back(describeProcess(analysis, row));
    }
  });
  return processes;
}

/// A finding that is of no process is the host's.
bool isWanted(const Analysis& analysis, const Row& finding, const std::vector<int64_t>& wanted) {
  if (!finding.optionalInteger("pid")) return true;
  const ResultTable processes =
      analysis.query("SELECT process FROM processes WHERE pid = ? AND start_ticks = ?",
                     {finding.integer("pid"), finding.integer("start_ticks")});
  return std::any_of(processes.rows.begin(), processes.rows.end(), [&](const auto& row) {
    return std::binary_search(wanted.begin(), wanted.end(), std::get<int64_t>(row.at(0)));
  });
}

/// Of these processes, and of the host.
std::vector<Finding> findAll(const Analysis& analysis, const std::vector<int64_t>& wanted) {
  std::vector<Finding> findings;
  for (const sql::SqlFile& rule : sql::findings()) {
    const ResultTable rows = analysis.query(std::string(rule.text));
    forEachRow(rows, [&](const Row& row) {
      if (!isWanted(analysis, row, wanted)) return;
      Finding finding{.database = printable(analysis.path()),
                      .id = std::string(rule.name),
                      .severity = row.text("severity"),
                      .title = row.text("title"),
                      .pid = row.optionalInteger("pid"),
                      .start_ticks = row.optionalInteger("start_ticks"),
                      .explanation = row.text("explanation"),
                      .advice = row.text("advice"),
                      .query = row.text("evidence")};
      finding.rows = analysis.query(finding.query);
      if (finding.rows.rows.size() > kMaximumEvidenceRows) {
        finding.rows.rows.resize(kMaximumEvidenceRows);
      }
      findings.push_back(std::move(finding));
    });
  }
  return findings;
}

int rank(const std::string& severity) {
  return severity == "critical" ? 0 : severity == "warning" ? 1 : 2;
}

}  // namespace

void addToReport(const Analysis& analysis, const ProcessFilter& filter, Report& report) {
  report.databases.push_back(describeDatabase(analysis, report));
  report.coverage.push_back(describeCoverage(analysis));
  ResultTable without_fd = analysis.query(
      "SELECT netns, local_port, state, holder, sum(count) AS count FROM connection_without_fd"
      " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4");
  if (!without_fd.rows.empty()) {
    report.without_fd.push_back({printable(analysis.path()), std::move(without_fd)});
  }
  Marks marks{.database = printable(analysis.path()),
              .marks = analysis.query("SELECT at, last_at, kind, source, count, text, snapshot"
                                      " FROM mark ORDER BY id"),
              .logs = analysis.query("SELECT * FROM log ORDER BY path")};
  if (!marks.marks.rows.empty() || !marks.logs.rows.empty()) {
    report.marks.push_back(std::move(marks));
  }
  const auto processes = processesOf(analysis, filter);
  if (!filter.isOpen()) {
    report.databases.back().doubts.push_back(fmt::format(
        "only {} of the recorded processes were looked at, as was asked", processes.size()));
  }
  for (auto& process : describeProcesses(analysis, processes))
    report.processes.push_back(std::move(process));
  for (auto& finding : findAll(analysis, processes))
    report.findings.push_back(std::move(finding));
}

void sortReport(Report& report) {
  // What is wrong before what follows from it, and both before what may explain it.
  static const std::map<std::string, int> kOrder = {
      {"outlived-connections", 0}, {"close-wait", 1}, {"limit-reached", 2}, {"accept-queue", 3}};
  const auto order = [](const Finding& finding) {
    const auto found = kOrder.find(finding.id);
    return found != kOrder.end() ? found->second : 9;
  };
  const auto key = [&](const Finding& finding) {
    return std::tuple(rank(finding.severity), order(finding), finding.id, finding.database,
                      finding.pid, finding.start_ticks);
  };
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [&](const Finding& a, const Finding& b) { return key(a) < key(b); });
  const auto worst = [&](const ProcessReport& process) {
    int result = 3;
    for (const Finding& finding : report.findings) {
      if (finding.database == process.database && finding.pid == process.pid &&
          finding.start_ticks == process.start_ticks) {
        result = std::min(result, rank(finding.severity));
      }
    }
    return result;
  };
  std::stable_sort(report.processes.begin(), report.processes.end(),
                   [&](const ProcessReport& a, const ProcessReport& b) {
                     return std::tuple(worst(a), -a.fds_peak, a.database, a.pid, a.start_ticks) <
                            std::tuple(worst(b), -b.fds_peak, b.database, b.pid, b.start_ticks);
                   });
}

}  // namespace fdmortem
