#include "analyze/report/process.h"

#include <algorithm>
#include <map>
#include <string>

#include "analyze/report/row.h"
#include "analyze/report/words.h"
#include "analyze/shorten.h"
#include "schema/printable.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// Points of a process's curve.
constexpr int64_t kMaximumCounts = 500;
/// Paths and addresses of the kinds that grow.
constexpr int64_t kMaximumTargets = 20;
/// Rows of the chart of lifetimes.
constexpr int64_t kMaximumLifetimes = 40;
/// Stretches of the histogram of last data, all of the same length.
constexpr int64_t kLastDataBuckets = 12;
constexpr int64_t kSecondNs = 1'000'000'000;

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

/// The soft limits below which no number was free, in the order of time.
std::vector<int64_t> reachedLimits(const Analysis& analysis, int64_t process) {
  std::vector<int64_t> limits;
  const ResultTable rows = analysis.query(
      "SELECT soft_limit FROM limit_use WHERE process = ? AND used >= soft_limit"
      " GROUP BY soft_limit ORDER BY min(snapshot)",
      {process});
  forEachRow(rows, [&](const Row& row) { limits.push_back(row.integer("soft_limit")); });
  return limits;
}

/// The one number that the query gives for the process.
int64_t numberOf(const Analysis& analysis, const char* query, int64_t process) {
  return std::get<int64_t>(analysis.query(query, {process}).rows.at(0).at(0));
}

/// Connections at a listening port of which nothing tells whether the peers are still there; none
/// where they are a few.
constexpr const char* kSilentConnections =
    "SELECT iif(total(i.fds) >= (SELECT few_fds FROM threshold), sum(i.fds), 0)"
    " FROM idle_at_end i JOIN process_fds l USING (process)"
    " JOIN snapshot a ON a.id = i.first_snapshot JOIN snapshot z ON z.id = l.last_snapshot"
    " JOIN setting g ON g.name = 'grace_ms'"
    " WHERE i.process = ? AND z.boottime_ns - a.boottime_ns > 1000000 * g.value";

/// How many fds there are beyond one for each ESTABLISHED connection.
constexpr const char* kDuplicateFds =
    "SELECT count(*) FROM _duplicate d JOIN _socket s USING (id) WHERE d.process = ? AND d.is_spare"
    " AND s.open_at_end AND s.verdict = 'connected' AND s.last_state = 'ESTABLISHED'";

constexpr const char* kUnixWithoutPeer =
    "SELECT count(DISTINCT inode) FROM unix_without_peer WHERE process = ?";

void describeTargets(const Analysis& analysis, int64_t id, ProcessReport& process) {
  // Most processes have nothing that grows, and all of their fds to go through.
  const ResultTable growing = analysis.query(
      "SELECT 1 FROM growing_group WHERE process = ? AND class IN ('kind', 'socket') LIMIT 1",
      {id});
  if (growing.rows.empty()) return;
  const ResultTable rows = analysis.query(
      "SELECT name, target, fds, first_seen, count(*) OVER () AS total FROM target_group"
      " WHERE process = ?1 AND name IN (SELECT name FROM growing_group WHERE process = ?1"
      "   AND class IN ('kind', 'socket'))"
      " ORDER BY fds DESC, name, target LIMIT ?2",
      {id, kMaximumTargets});
  forEachRow(rows, [&](const Row& row) {
    process.targets_total = row.integer("total");
    process.targets.push_back({.name = row.text("name"),
                               .target = shortened(row.text("target")),
                               .fds = row.integer("fds"),
                               .first_seen = row.text("first_seen")});
  });
}

std::vector<LastDataBucket> lastData(const Analysis& analysis, int64_t process) {
  const ResultTable rows = analysis.query(
      "SELECT last_data_ns FROM last_data WHERE process = ? ORDER BY last_data_ns", {process});
  std::vector<int64_t> times;
  forEachRow(rows, [&](const Row& row) { times.push_back(row.integer("last_data_ns")); });
  if (times.empty()) return {};
  // Whole seconds: finer than that the ages are not worth to be told.
  const int64_t first = times.front() / kSecondNs * kSecondNs;
  const int64_t width = ((times.back() - first) / kLastDataBuckets / kSecondNs + 1) * kSecondNs;
  std::vector<LastDataBucket> buckets;
  for (const int64_t time : times) {
    const auto place =
        static_cast<size_t>(std::clamp<int64_t>((time - first) / width, 0, kLastDataBuckets));
    while (buckets.size() <= place) {
      const int64_t from = first + static_cast<int64_t>(buckets.size()) * width;
      buckets.push_back({.from = formatTime(from),
                         .to = formatTime(from + width),
                         .from_ns = from,
                         .to_ns = from + width});
    }
    ++buckets[place].count;
  }
  return buckets;
}

void describeLifetimes(const Analysis& analysis, int64_t id, ProcessReport& process) {
  const ResultTable rows = analysis.query(
      "SELECT s.fd, s.inode, s.remote, s.proof, a.wall_ns AS first_ns, z.wall_ns AS last_ns,"
      "   c.wall_ns AS connection_last_ns, o.wall_ns AS since_ns, d.last_data_ns, s.leak,"
      "   count(*) OVER () AS total"
      " FROM outlived s"
      " JOIN verdict_span v ON v.id = s.id AND v.last_snapshot = s.last_snapshot"
      "   AND v.verdict = 'outlived'"
      " JOIN snapshot a ON a.id = s.first_snapshot JOIN snapshot z ON z.id = s.last_snapshot"
      " JOIN snapshot o ON o.id = v.outlived_since"
      " LEFT JOIN snapshot c ON c.id = v.connection_last"
      " LEFT JOIN _autopsy_detail d ON d.autopsy = v.autopsy"
      " WHERE s.process = ? AND s.open_at_end"
      " ORDER BY o.id, coalesce(d.last_data_ns, c.wall_ns, 0), s.fd LIMIT ?",
      {id, kMaximumLifetimes});
  forEachRow(rows, [&](const Row& row) {
    process.lifetimes_total = row.integer("total");
    process.lifetimes.push_back({.fd = row.integer("fd"),
                                 .inode = row.integer("inode"),
                                 .remote = row.optionalText("remote"),
                                 .proof = row.text("proof"),
                                 .first_ns = row.integer("first_ns"),
                                 .last_ns = row.integer("last_ns"),
                                 .connection_last_ns = row.optionalInteger("connection_last_ns"),
                                 .since_ns = row.integer("since_ns"),
                                 .last_data_ns = row.optionalInteger("last_data_ns"),
                                 .is_leak = row.integer("leak") != 0});
  });
}

/// The number of fds at evenly spread snapshots in which they could be read.
std::vector<CountAt> sampleCounts(const Analysis& analysis, int64_t process) {
  const ResultTable rows = analysis.query(
      "WITH read AS (SELECT s.id, s.taken_at, s.wall_ns,"
      "   (r.first_snapshot << 20) + s.recording AS stretch,"
      "   row_number() OVER (ORDER BY s.id) - 1 AS place, count(*) OVER () AS total"
      "   FROM _fd_read_span r JOIN snapshot s ON s.id BETWEEN r.first_snapshot AND r.last_snapshot"
      "   WHERE r.process = ?1)"
      " SELECT id, taken_at, wall_ns, stretch,"
      "   (SELECT fds FROM fd_count c WHERE c.process = ?1 AND c.snapshot <= id"
      "    ORDER BY c.snapshot DESC LIMIT 1) AS fds,"
      "   (SELECT soft_limit FROM fd_count c WHERE c.process = ?1 AND c.snapshot <= id"
      "    ORDER BY c.snapshot DESC LIMIT 1) AS soft_limit"
      " FROM read WHERE total <= ?2 OR place = total - 1 OR place % ((total + ?2 - 1) / ?2) = 0"
      " ORDER BY id",
      {process, kMaximumCounts});
  std::vector<CountAt> samples;
  forEachRow(rows, [&](const Row& row) {
    samples.push_back({.snapshot = row.integer("id"),
                       .taken_at = row.text("taken_at"),
                       .wall_ns = row.integer("wall_ns"),
                       .fds = row.integer("fds"),
                       .soft_limit = row.optionalInteger("soft_limit"),
                       .stretch = row.integer("stretch")});
  });
  return samples;
}

/// Sums `change`s of named parts up to each sample; `rows` have name, snapshot and change.
std::vector<PartOverTime> accumulate(const ResultTable& rows, const std::vector<CountAt>& samples) {
  std::map<std::string, std::map<int64_t, int64_t>> changes;
  forEachRow(rows, [&](const Row& row) {
    changes[row.text("name")][row.integer("snapshot")] += row.integer("change");
  });
  std::vector<PartOverTime> parts;
  for (const auto& [name, steps] : changes) {
    PartOverTime part{.name = name};
    auto step = steps.begin();
    int64_t count = 0;
    for (const CountAt& sample : samples) {
      for (; step != steps.end() && step->first <= sample.snapshot; ++step)
        count += step->second;
      part.counts.push_back(count);
    }
    parts.push_back(std::move(part));
  }
  const auto most = [](const PartOverTime& part) {
    return *std::max_element(part.counts.begin(), part.counts.end());
  };
  std::stable_sort(parts.begin(), parts.end(),
                   [&](const PartOverTime& a, const PartOverTime& b) { return most(a) > most(b); });
  return parts;
}

void describeParts(const Analysis& analysis, int64_t id, ProcessReport& process) {
  if (process.counts.empty()) return;
  process.kinds_over_time = accumulate(
      analysis.query(
          "WITH counted AS MATERIALIZED (SELECT first_snapshot, closed_by, kind,"
          "   count(*) AS count FROM fd_span WHERE process = ?1 GROUP BY 1, 2, 3)"
          " SELECT kind AS name, first_snapshot AS snapshot, count AS change FROM counted"
          " UNION ALL SELECT kind, closed_by, -count FROM counted WHERE closed_by IS NOT NULL"
          " AND closed_by IS NOT (SELECT ended_by FROM processes WHERE process = ?1)"
          " UNION ALL SELECT name, snapshot, opened - closed FROM _left_out"
          " WHERE process = ?1 AND what = 'kind'",
          {id}),
      process.counts);
  process.verdicts_over_time = accumulate(
      analysis.query(
          "WITH counted AS MATERIALIZED (SELECT v.first_snapshot, v.last_snapshot,"
          "   v.verdict, count(*) AS count FROM fd_span f JOIN verdict_span v USING (id)"
          "   WHERE f.process = ?1 GROUP BY 1, 2, 3)"
          " SELECT verdict AS name, first_snapshot AS snapshot, count AS change FROM counted"
          " UNION ALL SELECT verdict, last_snapshot + 1, -count FROM counted"
          " UNION ALL SELECT name, snapshot, opened - closed FROM _left_out"
          " WHERE process = ?1 AND what = 'verdict'",
          {id}),
      process.counts);
}

void describeGrowth(const Row& row, ProcessReport& process) {
  process.growth = {.points = static_cast<size_t>(row.integer("points")),
                    .per_hour = row.optionalReal("per_hour"),
                    .low_per_hour = row.real("low_per_hour"),
                    .high_per_hour = row.real("high_per_hour"),
                    .reason = row.text("reason")};
  process.exhaustion_from = row.optionalText("exhaustion_from");
  process.exhaustion_at = row.optionalText("exhaustion_at");
  process.exhaustion_to = row.optionalText("exhaustion_to");
  process.hours_left = row.optionalReal("hours_left");
  process.forecast_reason = row.text("forecast_reason");
  process.growth_since = row.text("growth_since");
  process.growth_stopped_at = row.text("stopped_at");
  process.pressure = row.text("pressure");
  process.pressure_place = row.integer("pressure_place");
  if (process.limit_reached_at) process.exhaustion_at = process.limit_reached_at;
}

void describeFds(const Analysis& analysis, const Row& row, ProcessReport& process) {
  process.seconds = row.real("seconds");
  process.fds_first = row.integer("fds_first");
  process.fds_last = row.integer("fds_last");
  process.fds_above =
      process.fds_last - row.optionalInteger("limit_used").value_or(process.fds_last);
  process.fds_peak = row.integer("fds_peak");
  process.peak_at = row.text("peak_at");
  process.peak_snapshot = row.integer("peak_snapshot");
  process.soft_limit = row.optionalInteger("soft_limit");
  process.hard_limit = row.optionalInteger("hard_limit");
  process.limit_changed = row.integer("limit_changed") != 0;
  process.limit_reached_at = row.optionalText("limit_reached_at");
  process.limit_reached_snapshot = row.integer("limit_reached");
  process.limit_before_at = row.optionalText("limit_before_at");
  process.reached_limits = reachedLimits(analysis, process.process);
  process.is_full = row.integer("is_full") != 0;
  // What the growth is worked out from begins later, if the limit was changed after that.
  const auto until = row.optionalInteger("growth_until");
  process.is_growth_stopped = until && *until >= row.optionalInteger("since").value_or(*until);
  describeGrowth(row, process);
  process.counts = sampleCounts(analysis, process.process);
  describeParts(analysis, process.process, process);
  process.kinds = namedCounts(analysis, "kind_at_end", "kind", process.process);
  process.verdicts = namedCounts(analysis, "verdict_at_end", "verdict", process.process);
  process.duplicate_fds = numberOf(analysis, kDuplicateFds, process.process);
  process.unix_without_peer = numberOf(analysis, kUnixWithoutPeer, process.process);
  process.silent_connections = numberOf(analysis, kSilentConnections, process.process);
  process.told = namedCounts(
      analysis,
      "(SELECT process, state, count(*) AS count FROM told_socket WHERE open_at_end GROUP BY 1, 2)",
      "state", process.process);
  process.unread_netns = namedCounts(
      analysis,
      "(SELECT s.process, s.netns, count(*) AS count FROM _socket s WHERE s.open_at_end AND s.id IN"
      " (SELECT id FROM _of_unread_netns UNION SELECT id FROM told_socket WHERE netns_unread)"
      " GROUP BY 1, 2)",
      "CAST(netns AS TEXT)", process.process);
  process.peers = peerGroups(analysis, process.process);
  describeTargets(analysis, process.process, process);
  process.last_data = lastData(analysis, process.process);
  describeLifetimes(analysis, process.process, process);
}

ProcessReport describeProcess(const Analysis& analysis, const Row& row) {
  ProcessReport process{.database = printable(analysis.path()),
                        .host = row.text("host_name"),
                        .process = row.integer("process"),
                        .pid = row.integer("pid"),
                        .start_ticks = row.integer("start_ticks"),
                        .comm = row.text("comm"),
                        .name = row.text("name"),
                        .exe = row.optionalText("exe"),
                        .cmdline = row.optionalText("cmdline"),
                        .first_seen = row.text("first_seen"),
                        .last_seen = row.text("last_seen"),
                        .first_snapshot = row.integer("first_seen_in"),
                        .last_snapshot = row.integer("last_seen_in"),
                        .netns = row.optionalInteger("netns"),
                        .has_ended = row.optionalInteger("ended_by").has_value(),
                        .unread_snapshots = row.integer("unread_snapshots"),
                        .unread_reason = row.text("unread_reason"),
                        .is_refused = row.integer("is_refused") != 0,
                        .has_fds = row.optionalInteger("fds_last").has_value(),
                        .is_tcp6_only = row.integer("is_tcp6_only") != 0};
  if (process.has_fds) describeFds(analysis, row, process);
  // A file beside its fds may have failed too.
  if (process.unread_snapshots == 0 && unreadFdsOf(process) == 0) process.unread_reason.clear();
  return process;
}

}  // namespace

std::vector<ProcessReport> describeProcesses(const Analysis& analysis,
                                             const std::vector<int64_t>& wanted,
                                             const OnProgress& on_progress) {
  const ResultTable rows = analysis.query(
      "SELECT p.*, f.*, g.*, p.process AS process, first.taken_at AS first_seen,"
      "   last.taken_at AS last_seen, p.first_snapshot AS first_seen_in,"
      "   p.last_snapshot AS last_seen_in, peak.taken_at AS peak_at,"
      "   (z.boottime_ns - a.boottime_ns) / 1e9 AS seconds, reached.taken_at AS limit_reached_at,"
      "   since.taken_at AS growth_since, l.pressure, l.place AS pressure_place,"
      "   before.taken_at AS limit_before_at, u.reason AS unread_reason, u.is_refused,"
      "   i.tcp = 0 AND i.tcp6 > 0 AS is_tcp6_only, r.host_name"
      " FROM processes p LEFT JOIN process_fds f USING (process) LEFT JOIN growth g USING (process)"
      " LEFT JOIN unread_reason u USING (process) LEFT JOIN listed_in i USING (process)"
      " JOIN snapshot first ON first.id = p.first_snapshot"
      " JOIN snapshot last ON last.id = p.last_snapshot JOIN recording r ON r.id = last.recording"
      " LEFT JOIN snapshot a ON a.id = f.first_snapshot LEFT JOIN snapshot z ON z.id ="
      " f.last_snapshot LEFT JOIN snapshot peak ON peak.id = f.peak_snapshot"
      " LEFT JOIN snapshot reached ON reached.id = f.limit_reached"
      " LEFT JOIN snapshot before ON before.id = f.limit_before"
      " LEFT JOIN snapshot since ON since.id = g.since"
      " LEFT JOIN limit_pressure l ON l.process = p.process"
      " ORDER BY p.pid, p.start_ticks");
  std::vector<ProcessReport> processes;
  forEachRow(rows, [&](const Row& row) {
    if (std::binary_search(wanted.begin(), wanted.end(), row.integer("process"))) {
      if (on_progress) {
        on_progress("describing processes",
                    static_cast<int>(100 * processes.size() / std::max<size_t>(wanted.size(), 1)));
      }
      processes.push_back(describeProcess(analysis, row));
    }
  });
  return processes;
}

}  // namespace fdmortem
