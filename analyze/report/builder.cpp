#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <tuple>

#include <fmt/core.h>

#include "analyze/report/process.h"
#include "analyze/report/report.h"
#include "analyze/report/row.h"
#include "schema/printable.h"
#include "schema/sql.h"

namespace fdmortem {
namespace {

/// Rows of evidence that a report carries; the query gives all of them.
constexpr size_t kMaximumEvidenceRows = 200;
/// Restarts of an archive that are marks of their own; the view gives all of them.
constexpr size_t kMaximumRestarts = 100;

DatabaseReport describeDatabase(const Analysis& analysis, Report& report) {
  DatabaseReport database{.path = printable(analysis.path()),
                          .sha256 = analysis.sha256(),
                          .doubts = analysis.doubts(),
                          .loss = analysis.loss()};
  ResultTable recordings = analysis.query("SELECT * FROM recording ORDER BY id");
  if (!recordings.rows.empty()) {
    const Row last(recordings, recordings.rows.size() - 1);
    database.host = last.text("host_name");
    database.boot_id = last.optionalText("boot_id");
    database.kernel = last.text("kernel_release");
    for (const char letter : last.optionalText("redacted").value_or(""))
      database.redacted += letter == ',' ? std::string(", ") : std::string(1, letter);
  }
  const ResultTable head = analysis.query("SELECT value FROM chain_head");
  if (!head.rows.empty()) database.head = Row(head, 0).optionalText("value");
  report.recording_columns = recordings.columns;
  database.recordings = std::move(recordings.rows);
  return database;
}

Coverage describeCoverage(const Analysis& analysis) {
  Coverage coverage{.database = printable(analysis.path())};
  const ResultTable counts = analysis.query(
      "SELECT count(*) AS snapshots,"
      " (SELECT count(*) FROM late_snapshot) AS late, min(taken_at) AS first_at,"
      " max(taken_at) AS last_at, min(wall_ns) AS first_ns, max(wall_ns) AS last_ns"
      " FROM snapshot s JOIN recording r ON r.id = s.recording");
  const Row row(counts, 0);
  coverage.snapshots = row.integer("snapshots");
  coverage.late = row.integer("late");
  coverage.first_at = row.optionalText("first_at");
  coverage.last_at = row.optionalText("last_at");
  coverage.first_ns = row.integer("first_ns");
  coverage.last_ns = row.integer("last_ns");
  const ResultTable missed = analysis.query(
      "SELECT coalesce(sum(missed_between + coalesce(missed_at_end, 0)), 0) AS missed,"
      " coalesce(max(is_estimate), 0) AS is_estimate FROM recording_coverage");
  coverage.missed = Row(missed, 0).integer("missed");
  coverage.is_missed_estimate = Row(missed, 0).integer("is_estimate") != 0;
  const ResultTable spans = analysis.query(
      "SELECT (max(boottime_ns) - min(boottime_ns)) / 1e9 AS seconds FROM snapshot s"
      " JOIN recording r ON r.id = s.recording GROUP BY s.recording");
  forEachRow(spans, [&](const Row& span) { coverage.seconds += span.real("seconds"); });
  coverage.unreadable = analysis.query(
      "SELECT operation, file, subject, pid, errno, reason, detail, count, snapshots,"
      " first_snapshot, last_snapshot"
      " FROM unreadable ORDER BY snapshots DESC, file, operation, errno, detail");
  const ResultTable notes = analysis.query("SELECT text FROM recorder_note ORDER BY place");
  forEachRow(notes, [&](const Row& note) { coverage.recorder_notes.push_back(note.text("text")); });
  return coverage;
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

/// Of the rule of a finding: the less the sooner it is told.
int64_t placeOf(const Analysis& analysis, const std::string& id) {
  const ResultTable place = analysis.query("SELECT place FROM rule WHERE id = ?", {id});
  return place.rows.empty() ? INT64_MAX : Row(place, 0).integer("place");
}

/// Of these processes, and of the host.
std::vector<Finding> findAll(const Analysis& analysis, const std::vector<int64_t>& wanted,
                             const OnProgress& on_progress) {
  std::vector<Finding> findings;
  const auto rules = sql::findings();
  int done = 0;
  for (const sql::SqlFile& rule : rules) {
    if (on_progress)
      on_progress("looking for findings", 100 * done++ / static_cast<int>(rules.size()));
    const ResultTable rows = analysis.query(std::string(rule.text));
    const auto has = [&](std::string_view column) {
      return std::find(rows.columns.begin(), rows.columns.end(), column) != rows.columns.end();
    };
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
      if (has("held_by")) finding.held_by = row.optionalInteger("held_by");
      if (has("judgement")) finding.judgement = row.text("judgement");
      if (has("trend")) finding.trend = row.optionalText("trend").value_or("");
      if (has("to_be_sure")) finding.to_be_sure = row.optionalText("to_be_sure").value_or("");
      if (has("are_accepted")) finding.are_accepted = row.integer("are_accepted") != 0;
      finding.place = placeOf(analysis, finding.id);
      findings.push_back(std::move(finding));
    });
  }
  return findings;
}

/// "gateway (pid 7), worker (pid 9) and 3 more"; empty: none.
std::string recordedIn(const Analysis& analysis) {
  constexpr size_t kMaximum = 5;
  const ResultTable rows = analysis.query(
      "SELECT pid, name FROM processes LEFT JOIN process_fds USING (process)"
      " ORDER BY fds_peak DESC, process");
  std::string text;
  forEachRow(rows, [&, shown = size_t{0}](const Row& row) mutable {
    if (shown++ >= kMaximum) return;
    text += fmt::format("{}{} (pid {})", text.empty() ? "" : ", ",
                        row.optionalText("name").value_or("?"), row.integer("pid"));
  });
  const size_t all = rows.rows.size();
  if (all > kMaximum) text += fmt::format(" and {} more", all - kMaximum);
  return text;
}

/// "7, 8 and 9 more"
std::string pidsInWords(const std::vector<int64_t>& pids) {
  constexpr size_t kMaximumPids = 10;
  std::string text;
  for (size_t i = 0; i < std::min(pids.size(), kMaximumPids); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", pids[i]);
  if (pids.size() > kMaximumPids) text += fmt::format(" and {} more", pids.size() - kMaximumPids);
  return text;
}

/// "3 other processes (pid 7, 8, 9) hold some of these sockets too: ... 2 more held some until they
/// ended."
std::string alsoInWords(const Finding& finding) {
  const size_t holders = finding.holders.size();
  const size_t ended = finding.also.size() - holders;
  std::string text;
  if (holders > 0) {
    text = fmt::format(
        " {} other process{} (pid {}) {} some of these sockets too: a socket is closed only when "
        "each of them has closed it.",
        holders, holders == 1 ? "" : "es", pidsInWords(finding.holders),
        holders == 1 ? "holds" : "hold");
  }
  if (ended > 0) {
    text += fmt::format(" {} {} held some of them until {} ended.", ended,
                        holders > 0  ? "more"
                        : ended == 1 ? "other process"
                                     : "other processes",
                        ended == 1 ? "it" : "they");
  }
  return text;
}

/// Whether it was there when it was last looked at.
bool isAlive(const Analysis& analysis, const std::pair<int64_t, int64_t>& process) {
  return !analysis
              .query(
                  "SELECT 1 FROM processes WHERE pid = ? AND start_ticks = ? AND ended_by IS NULL",
                  {process.first, process.second})
              .rows.empty();
}

/// The rule that takes the place of all on sockets that its holders have from the one process.
constexpr std::string_view kInherited = "inherited-sockets";

using Findings = std::vector<Finding>;

/// The finding of such a rule on a process (process.id); end() if there is none.
Findings::iterator findingOn(const Analysis& analysis, int64_t process, std::string_view id,
                             Findings& findings) {
  const ResultTable rows =
      analysis.query("SELECT pid, start_ticks FROM processes WHERE process = ?", {process});
  if (rows.rows.empty()) return findings.end();
  const Row row(rows, 0);
  const auto pid = row.optionalInteger("pid");
  const auto start_ticks = row.optionalInteger("start_ticks");
  return std::find_if(findings.begin(), findings.end(), [&](const Finding& other) {
    return other.id == id && other.pid == pid && other.start_ticks == start_ticks;
  });
}

/// Whether a process has sockets from another one, which has closed them itself (or not).
bool hasInherited(const Analysis& analysis, const Finding& finding, bool origin_holds) {
  return !analysis
              .query(
                  "SELECT 1 FROM inherited_socket WHERE pid = ? AND start_ticks = ?"
                  " AND origin_holds = ? LIMIT 1",
                  {finding.pid.value_or(0), finding.start_ticks.value_or(0), int64_t{origin_holds}})
              .rows.empty();
}

/// Adds the process of a finding to those that tell of it. False: none does.
bool isToldElsewhere(const Analysis& analysis, const Finding& finding, Findings& findings) {
  if (!finding.held_by) return false;
  const std::pair process(finding.pid.value_or(0), finding.start_ticks.value_or(0));
  const auto inherited = hasInherited(analysis, finding, false)
                             ? findingOn(analysis, *finding.held_by, kInherited, findings)
                             : findings.end();
  if (inherited != findings.end()) {
    inherited->also.push_back(process);
    // Who is near its limit has to know why.
    if (finding.severity == "critical") return false;
    if (!hasInherited(analysis, finding, true)) return true;
  }
  const auto same = findingOn(analysis, *finding.held_by, finding.id, findings);
  if (same != findings.end()) same->also.push_back(process);
  return inherited != findings.end() || same != findings.end();
}

/// Processes that hold the same sockets, as after a fork, are told of in one finding.
void groupHolders(const Analysis& analysis, Findings& findings) {
  std::vector<bool> are_told;
  are_told.reserve(findings.size());
  for (const Finding& finding : findings)
    are_told.push_back(isToldElsewhere(analysis, finding, findings));
  std::vector<Finding> kept;
  for (size_t i = 0; i < findings.size(); ++i) {
    if (are_told[i]) continue;
    Finding& finding = kept.emplace_back(std::move(findings[i]));
    if (finding.also.empty()) continue;
    std::sort(finding.also.begin(), finding.also.end());
    finding.also.erase(std::unique(finding.also.begin(), finding.also.end()), finding.also.end());
    for (const auto& process : finding.also)
      if (isAlive(analysis, process)) finding.holders.push_back(process.first);
    if (finding.id == kInherited) continue;  // it names them itself
    finding.explanation.insert(
        std::min(finding.explanation.find(" Inferred: "), finding.explanation.size()),
        alsoInWords(finding));
  }
  findings = std::move(kept);
}

/// What proves them; only of those that are told, for it can be many rows.
void addEvidence(const Analysis& analysis, Findings& findings) {
  for (Finding& finding : findings) {
    finding.rows = analysis.query(finding.query);
    finding.all_rows = finding.rows.rows.size();
    if (finding.all_rows > kMaximumEvidenceRows) finding.rows.rows.resize(kMaximumEvidenceRows);
  }
}

void addWithoutFd(const Analysis& analysis, Report& report) {
  WithoutFd without_fd{.database = printable(analysis.path())};
  without_fd.rows = analysis.query(
      "SELECT netns, local_port, state, holder, sum(count) AS count FROM connection_without_fd"
      " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4");
  if (without_fd.rows.rows.empty()) return;
  // Of the rows above those in an accept queue.
  without_fd.waiting = analysis.query(
      "SELECT w.netns, w.local_port, w.peer, count(*) AS waiting FROM waiting_connection w"
      " WHERE w.is_at_end AND (w.netns, w.local_port) IN"
      "   (SELECT netns, local_port FROM connection_without_fd WHERE holder = 'nobody')"
      " GROUP BY 1, 2, 3 ORDER BY waiting DESC, 1, 2, 3");
  report.without_fd.push_back(std::move(without_fd));
}

/// The newest of each program first, up to so many in all. What is left out is one mark.
void addRestartMarks(const Analysis& analysis, Report& report) {
  const std::string database = printable(analysis.path());
  const ResultTable restarts = analysis.query(
      "SELECT s.id, s.taken_at, s.wall_ns, b.pid, b.name FROM restart r"
      " JOIN snapshot s ON s.id = r.snapshot JOIN processes b ON b.process = r.new ORDER BY"
      " row_number() OVER (PARTITION BY b.comm, b.exe ORDER BY s.id DESC, b.pid DESC), s.id DESC,"
      " b.pid");
  MarkReport oldest{.database = database, .at_ns = INT64_MAX, .kind = "restart"};
  int64_t left_out = 0;
  forEachRow(restarts, [&, shown = size_t{0}](const Row& row) mutable {
    const int64_t at_ns = row.integer("wall_ns");
    if (shown++ >= kMaximumRestarts) {
      ++left_out;
      if (at_ns >= oldest.at_ns) return;
      oldest.at_ns = at_ns;
      oldest.at = oldest.last_at = row.text("taken_at");
      oldest.snapshot = row.integer("id");
      return;
    }
    report.marks.push_back(
        {.database = database,
         .at = row.text("taken_at"),
         .at_ns = at_ns,
         .kind = "restart",
         .text = row.text("name") + " started again as pid " + std::to_string(row.integer("pid")),
         .last_at = row.text("taken_at"),
         .snapshot = row.integer("id")});
  });
  if (left_out == 0) return;
  oldest.text =
      fmt::format("the first of {} more that are not listed (SELECT * FROM restart)", left_out);
  report.marks.push_back(std::move(oldest));
}

void addMarks(const Analysis& analysis, Report& report) {
  const std::string database = printable(analysis.path());
  const ResultTable marks = analysis.query("SELECT * FROM mark ORDER BY at_ns, id");
  forEachRow(marks, [&](const Row& row) {
    report.marks.push_back({.database = database,
                            .at = row.text("at"),
                            .at_ns = row.integer("at_ns"),
                            .kind = row.text("kind"),
                            .source = row.text("source"),
                            .count = row.optionalInteger("count").value_or(1),
                            .text = row.text("text"),
                            .last_at = row.text("last_at"),
                            .snapshot = row.optionalInteger("snapshot")});
  });
  ResultTable logs = analysis.query("SELECT * FROM log ORDER BY path");
  if (!logs.rows.empty()) report.logs.push_back({.database = database, .logs = std::move(logs)});
}

int rank(const std::string& severity) {
  return severity == "critical" ? 0 : severity == "warning" ? 1 : 2;
}

/// Of what kind its worst is, how near its limit is, and how large it is. Where several are told of
/// in one finding, the process that it is on comes first.
auto orderOf(const Report& report, const ProcessReport& process) {
  std::tuple<int, int64_t, bool> worst{3, 0, false};
  const std::pair<int64_t, int64_t> id{process.pid, process.start_ticks};
  for (const Finding& finding : report.findings) {
    if (finding.database != process.database) continue;
    const bool is_own = finding.pid == process.pid && finding.start_ticks == process.start_ticks;
    if (is_own || std::find(finding.also.begin(), finding.also.end(), id) != finding.also.end())
      worst = std::min(worst, {rank(finding.severity), finding.place, !is_own});
  }
  const auto& [severity, place, is_elsewhere] = worst;
  const double hours_left = process.pressure == "soon" ? process.hours_left.value_or(0) : 0;
  return std::tuple(severity, process.pressure_place, hours_left, place, is_elsewhere,
                    -process.fds_peak, process.database, process.pid, process.start_ticks);
}

void sortProcesses(Report& report) {
  std::vector<std::pair<decltype(orderOf(report, {})), size_t>> order;
  for (size_t i = 0; i < report.processes.size(); ++i)
    order.emplace_back(orderOf(report, report.processes[i]), i);
  std::sort(order.begin(), order.end());
  std::vector<ProcessReport> sorted;
  sorted.reserve(order.size());
  for (const auto& [key, place] : order)
    sorted.push_back(std::move(report.processes[place]));
  report.processes = std::move(sorted);
}

/// By severity, then those of the first process first.
void sortFindings(Report& report) {
  std::map<std::tuple<std::string, int64_t, int64_t>, size_t> places;
  for (const ProcessReport& process : report.processes)
    places.emplace(std::tuple(process.database, process.pid, process.start_ticks), places.size());
  const auto place_of = [&](const Finding& finding) {
    const auto found =
        places.find({finding.database, finding.pid.value_or(-1), finding.start_ticks.value_or(-1)});
    return found == places.end() ? places.size() : found->second;
  };
  const auto key = [&](const Finding& finding) {
    return std::tuple(rank(finding.severity), place_of(finding), finding.place, finding.id,
                      finding.database, finding.title);
  };
  std::stable_sort(report.findings.begin(), report.findings.end(),
                   [&](const Finding& a, const Finding& b) { return key(a) < key(b); });
}

}  // namespace

void addToReport(const Analysis& analysis, const ProcessFilter& filter, Report& report,
                 const OnProgress& on_progress) {
  const ResultTable grace = analysis.query("SELECT value FROM setting WHERE name = 'grace_ms'");
  report.grace_ms = Row(grace, 0).integer("value");
  report.databases.push_back(describeDatabase(analysis, report));
  report.coverage.push_back(describeCoverage(analysis));
  addWithoutFd(analysis, report);
  const auto processes = processesOf(analysis, filter);
  if (!filter.isOpen()) {
    report.is_filtered = true;
    report.databases.back().doubts.push_back(
        fmt::format("only {} of the recorded processes {} looked at, as was asked",
                    processes.size(), processes.size() == 1 ? "was" : "were"));
    if (processes.empty()) report.databases.back().recorded = recordedIn(analysis);
  }
  for (auto& process : describeProcesses(analysis, processes, on_progress))
    report.processes.push_back(std::move(process));
  auto findings = findAll(analysis, processes, on_progress);
  groupHolders(analysis, findings);
  addEvidence(analysis, findings);
  for (auto& finding : findings)
    report.findings.push_back(std::move(finding));
  addRestartMarks(analysis, report);
  addMarks(analysis, report);
}

void sortReport(Report& report) {
  sortProcesses(report);
  sortFindings(report);
  std::stable_sort(
      report.marks.begin(), report.marks.end(), [](const MarkReport& a, const MarkReport& b) {
        return std::tie(a.at_ns, a.database, a.text) < std::tie(b.at_ns, b.database, b.text);
      });
}

}  // namespace fdmortem
