#include "analyze/report/summary.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "analyze/report/cause.h"
#include "analyze/report/statements.h"
#include "analyze/report/words.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

using Basis = Statement::Basis;

constexpr size_t kMaximumOthers = 5;
constexpr size_t kMaximumRestarts = 2;
/// Names of processes at or near their limits.
constexpr size_t kMaximumPressed = 20;

/// The part of an explanation that begins with such a word, without it.
std::string partOf(const Finding& finding, std::string_view word) {
  for (const std::string& paragraph : paragraphs(finding.explanation)) {
    if (paragraph.starts_with(word)) return paragraph.substr(word.size());
  }
  return {};
}

bool isHostFinding(const Finding& finding) {
  return !finding.pid && finding.severity != "info";
}

/// Lines of its logs that complain more than a minute before its first snapshot or after its last:
/// a recording begins before its first one and ends after its last, and zones differ by more.
int64_t linesOutside(const Report& report, const DatabaseReport& database) {
  constexpr int64_t kMinuteNs = 60'000'000'000;
  int64_t lines = 0;
  for (const Coverage& coverage : report.coverage) {
    if (coverage.database != database.path || !coverage.first_at || !coverage.last_at) continue;
    const std::string from = formatTime(coverage.first_ns - kMinuteNs);
    const std::string to = formatTime(coverage.last_ns + kMinuteNs);
    for (const MarkReport& mark : report.marks) {
      if (mark.kind == "restart" || mark.source.empty() || mark.database != database.path) continue;
      // Times of one form are in the order of their texts.
      const std::string& last_at = mark.last_at.empty() ? mark.at : mark.last_at;
      if (last_at < from || mark.at > to) lines += mark.count;
    }
  }
  return lines;
}

/// ", 2 of them outside the recording".
std::string outsideClause(int64_t outside, int64_t count) {
  if (outside == 0) return {};
  return outside == count ? ", all of them outside the recording"
                          : fmt::format(", {} of them outside the recording", outside);
}

/// What logs say of an archive's program; notes by hand are on the time axis.
void addLog(const Report& report, const DatabaseReport& database,
            std::vector<Statement>& statements) {
  const MarkReport* first = nullptr;
  const MarkReport* last = nullptr;
  int64_t count = 0;
  for (const MarkReport& mark : report.marks) {
    if (mark.kind == "restart" || mark.source.empty() || mark.database != database.path) continue;
    if (first == nullptr) first = &mark;
    last = &mark;
    count += mark.count;
  }
  if (first == nullptr) return;
  const std::string log =
      report.databases.size() > 1 ? "log of " + hostOf(report, database.path) : "log";
  const int64_t outside = linesOutside(report, database);
  std::string text;
  if (count == 1) {
    text = fmt::format("The {} complains at {}{}: {}", log, shortTime(first->at),
                       outside > 0 ? ", outside the recording" : "", first->text);
  } else {
    text = fmt::format("The {} complains {} times from {} to {}{}, first: {}", log, count,
                       shortTime(first->at), shortTime(last->at), outsideClause(outside, count),
                       first->text);
  }
  statements.push_back({Basis::Observed, std::move(text)});
}

/// The sum of such a column of an archive's logs.
int64_t sumOfLogs(const Report& report, const DatabaseReport& database, std::string_view name) {
  int64_t lines = 0;
  for (const Logs& logs : report.logs) {
    if (logs.database != database.path) continue;
    const auto& columns = logs.logs.columns;
    const auto column =
        static_cast<size_t>(std::find(columns.begin(), columns.end(), name) - columns.begin());
    for (const auto& row : logs.logs.rows) {
      const auto* count = column < row.size() ? std::get_if<int64_t>(&row[column]) : nullptr;
      if (count != nullptr) lines += *count;
    }
  }
  return lines;
}

void addLinesWithoutTime(const Report& report, const DatabaseReport& database,
                         std::vector<Statement>& statements) {
  const std::string log = report.databases.size() > 1 ? " of " + hostOf(report, database.path) : "";
  if (const int64_t lines = sumOfLogs(report, database, "without_time"); lines > 0) {
    statements.push_back(
        {Basis::NotKnown,
         fmt::format("When {} of the log{} complained: {} no date or time that is known.",
                     plural(lines, "line", "lines"), log, lines == 1 ? "it has" : "they have")});
  }
  const int64_t lines = sumOfLogs(report, database, "without_zone");
  if (lines == 0 || linesOutside(report, database) == 0) return;
  statements.push_back(
      {Basis::NotKnown,
       fmt::format("Whether the times of the log{} are right: {} of them {} no zone, and lines lie "
                   "outside the recording (--log-timezone gives the zone).",
                   log, lines, lines == 1 ? "has" : "have")});
}

/// Whether a restart has to do with what the report is about: of the process of the verdict, of one
/// of its name, or of one with a finding of its own.
bool isRelevant(const Report& report, const Finding& restart) {
  for (const ProcessReport& process : report.processes) {
    if (process.database != restart.database || process.pid != restart.pid ||
        process.start_ticks != restart.start_ticks) {
      continue;
    }
    const auto findings = findingsOf(report, process);
    return process.comm == report.processes.front().comm || findings.front()->severity != "info";
  }
  return false;
}

/// What restarts there were, and what they cured.
void addRestarts(const Report& report, std::vector<Statement>& statements) {
  size_t shown = 0;
  int64_t left_out = 0;
  for (const Finding& finding : report.findings) {
    if (finding.id != "restarted") continue;
    if (shown == kMaximumRestarts || !isRelevant(report, finding)) {
      ++left_out;
      continue;
    }
    ++shown;
    const std::string host =
        report.databases.size() > 1 ? " on " + hostOf(report, finding.database) : std::string();
    statements.push_back({Basis::Observed, fmt::format("Restart{}: {} (it was pid {}).", host,
                                                       finding.title, finding.pid.value_or(0))});
    const std::string inferred = partOf(finding, "Inferred: ");
    if (!inferred.empty()) statements.push_back({Basis::Inferred, capitalized(inferred)});
  }
  if (left_out > 0) {
    statements.push_back({Basis::Observed, fmt::format("{} of other processes, below.",
                                                       plural(left_out, "restart", "restarts"))});
  }
}

/// What there is to say of the other processes, shortly.
void addOthers(const Report& report, std::vector<Statement>& statements) {
  size_t shown = 0;
  size_t left_out = 0;
  std::string pressed;
  size_t pressed_count = 0;
  for (size_t i = 1; i < report.processes.size(); ++i) {
    const ProcessReport& process = report.processes[i];
    const auto findings = findingsOf(report, process);
    std::string text;
    for (const Finding* finding : findings) {
      if (finding->severity != "info" || finding->judgement == "undecided")
        text += (text.empty() ? "" : "; ") + finding->title;
    }
    if (text.empty()) continue;
    if (shown == kMaximumOthers) {
      ++left_out;
      // Nobody may have to look for these.
      if (!process.pressure.empty() && ++pressed_count <= kMaximumPressed)
        pressed += fmt::format("{}{}", pressed.empty() ? "" : ", ", nameOf(process));
      continue;
    }
    ++shown;
    statements.push_back({Basis::Observed, fmt::format("Also {} on {}: {}.", nameOf(process),
                                                       hostOf(report, process), text)});
  }
  if (pressed_count > kMaximumPressed)
    pressed += fmt::format(" and {} more", pressed_count - kMaximumPressed);
  if (left_out > 0) {
    statements.push_back(
        {Basis::Observed,
         fmt::format("And {} with findings of their own, below{}.",
                     plural(static_cast<int64_t>(left_out), "process more", "processes more"),
                     pressed.empty()
                         ? ""
                         : "; at their limits, near them, or there within a day: " + pressed)});
  }
}

/// What an archive may lack, or holds as pseudonyms only, so that no finding can tell of it.
void addLosses(const Report& report, std::vector<Statement>& statements) {
  for (const DatabaseReport& database : report.databases) {
    if (!database.redacted.empty()) {
      statements.push_back(
          {Basis::NotKnown,
           fmt::format("The real {}{}: those here are pseudonyms (--redact).", database.redacted,
                       report.databases.size() > 1 ? " of " + hostOf(report, database.path) : "")});
    }
    if (database.loss.empty()) continue;
    statements.push_back({Basis::NotKnown, fmt::format("Whether all of {} is there: {}.",
                                                       database.path, database.loss)});
  }
}

/// What is not of one process: the host's own findings, and what the recorder left out.
void addHosts(const Report& report, std::vector<Statement>& statements) {
  for (const Finding& finding : report.findings) {
    const std::string host = hostOf(report, finding.database);
    if (isHostFinding(finding)) {
      statements.push_back({Basis::Observed, fmt::format("Of {}: {}.", host, finding.title)});
    } else if (finding.id == "recording-gaps") {
      statements.push_back(
          {Basis::NotKnown, fmt::format("What happened while no snapshot was taken{}: {}.",
                                        report.databases.size() > 1 ? " on " + host : std::string(),
                                        finding.title)});
    }
  }
}

/// How the archives stand, of several.
void addArchives(const Report& report, std::vector<Statement>& statements) {
  if (report.databases.size() < 2) return;
  size_t critical = 0;
  size_t warning = 0;
  std::vector<std::string> hosts;
  for (const DatabaseReport& database : report.databases) {
    if (std::find(hosts.begin(), hosts.end(), database.host) == hosts.end())
      hosts.push_back(database.host);
    const Finding* worst = worstFindingOf(report, database);
    if (worst == nullptr) continue;
    critical += worst->severity == "critical" ? 1 : 0;
    warning += worst->severity == "warning" ? 1 : 0;
  }
  const size_t rest = report.databases.size() - critical - warning;
  statements.push_back(
      {Basis::Observed,
       fmt::format("{} archives of {}: {} with critical findings, {} with warnings only, {} with "
                   "neither.",
                   report.databases.size(),
                   plural(static_cast<int64_t>(hosts.size()), "host", "hosts"), critical, warning,
                   rest)});
}

/// A report that is handed on must not look as if these archives had not been given.
void addUnread(const Report& report, std::vector<Statement>& statements) {
  for (const UnreadDatabase& unread : report.unread) {
    statements.push_back({Basis::NotKnown, fmt::format("What {} holds: it could not be read ({}).",
                                                       unread.path, unread.reason)});
  }
}

/// Whether the worst finding is the host's, and none of a process is as bad.
bool isWorseOfHost(const Report& report) {
  const auto worst = [&](bool is_host, std::string_view severity) {
    return std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& finding) {
      return isHostFinding(finding) == is_host && finding.severity == severity;
    });
  };
  return worst(true, "critical") && !worst(false, "critical");
}

/// Where no cause is known: the host's worst, the worst finding, or that there is none.
std::string verdictWithoutCause(const Report& report) {
  const auto of_host = std::find_if(report.findings.begin(), report.findings.end(), isHostFinding);
  if (of_host != report.findings.end()) return of_host->title;
  const ProcessReport& process = report.processes.front();
  if (!process.has_fds) {
    return fmt::format("nothing is known: the fds of {} could not be read{}", nameOf(process),
                       whyUnread(process));
  }
  // Another process can have a worse number of the same kind: only its own is said of it.
  const auto findings = findingsOf(report, process);
  const int64_t unread = unreadFdsOf(process);
  if (unread > 0 && (findings.empty() || findings.front()->id == "unread" ||
                     findings.front()->severity == "info")) {
    return unread == process.fds_last
               ? fmt::format("nothing is known: {} of {} could not be read{}",
                             plural(unread, "fd", "fds"), nameOf(process), whyUnread(process))
               : fmt::format("of {} of the {} fds of {} nothing is known: they could not be read{}",
                             unread, process.fds_last, nameOf(process), whyUnread(process));
  }
  if (!findings.empty() && findings.front()->severity != "info")
    return nameOf(process) + ": " + findings.front()->title;
  if (const int64_t unknown = unknownSocketsOf(process); unknown * 2 > process.fds_last) {
    return fmt::format(
        "what {} of the {} fds of {} are is not known: no table lists these sockets, and nothing "
        "tells whether they ever had a connection",
        unknown, process.fds_last, nameOf(process));
  }
  std::string loss;
  for (const DatabaseReport& database : report.databases) {
    if (loss.empty() && !database.loss.empty())
      loss = fmt::format(" as far as {} tells: {}", database.path, database.loss);
  }
  if (process.exhaustion_from && !process.limit_reached_at) {
    return fmt::format(
        "nothing was found that is wrong, but {} grows: its limit of {} is reached {} if that goes "
        "on{}",
        nameOf(process), limitOf(process), exhaustionRange(process), loss);
  }
  return "nothing was found that needs attention" + loss;
}

}  // namespace

std::string wordOf(Statement::Basis basis) {
  switch (basis) {
    case Basis::Observed:
      return "Observed";
    case Basis::Inferred:
      return "Inferred";
    case Basis::NotKnown:
      return "Not known";
    case Basis::ToDo:
      break;
  }
  return "To do";
}

namespace {

/// What there is to say where no process is in the report.
Summary summarizeNothing(const Report& report) {
  Summary summary;
  const bool has_snapshots =
      report.coverage.empty() ||
      std::any_of(report.coverage.begin(), report.coverage.end(),
                  [](const Coverage& coverage) { return coverage.snapshots > 0; });
  if (!has_snapshots) {
    summary.verdict = "there is no snapshot, so nothing can be judged";
  } else if (report.is_filtered) {
    summary.verdict = "no recorded process is one that was asked for, so nothing is judged";
  } else {
    summary.verdict = "no process was recorded, so there is nothing to judge";
  }
  for (const DatabaseReport& database : report.databases) {
    if (!database.recorded.empty()) {
      summary.statements.push_back(
          {Basis::Observed, fmt::format("{}Recorded are {}.",
                                        report.databases.size() > 1 ? database.path + ": " : "",
                                        database.recorded)});
    }
    if (has_snapshots) continue;
    // That is why.
    for (const std::string& doubt : database.doubts)
      summary.statements.push_back({Basis::NotKnown, capitalized(doubt) + "."});
  }
  addUnread(report, summary.statements);
  return summary;
}

}  // namespace

Summary summarize(const Report& report) {
  if (report.processes.empty()) return summarizeNothing(report);
  Summary summary;
  const ProcessReport& process = report.processes.front();
  summary.verdict = verdictOf(report, process);
  addArchives(report, summary.statements);
  for (Statement& statement : statementsOn(report, process))
    summary.statements.push_back(std::move(statement));
  for (const DatabaseReport& database : report.databases) {
    addLog(report, database, summary.statements);
    addLinesWithoutTime(report, database, summary.statements);
  }
  addRestarts(report, summary.statements);
  addOthers(report, summary.statements);
  addHosts(report, summary.statements);
  addLosses(report, summary.statements);
  addUnread(report, summary.statements);
  std::stable_sort(summary.statements.begin(), summary.statements.end(),
                   [](const Statement& a, const Statement& b) { return a.basis < b.basis; });
  if (summary.verdict.empty() || isWorseOfHost(report))
    summary.verdict = verdictWithoutCause(report);
  return summary;
}

}  // namespace fdmortem
