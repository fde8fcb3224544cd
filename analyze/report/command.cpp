#include "analyze/report/command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fmt/core.h>

#include "analyze/archives.h"
#include "analyze/output.h"
#include "analyze/report/render.h"
#include "analyze/report/words.h"
#include "schema/archive_file.h"
#include "schema/command_line/exit_status.h"
#include "schema/printable.h"

namespace fdmortem {

namespace {

/// What the terminal takes, if it is one.
TextStyle styleOf(const ReportOptions& options) {
  TextStyle style;
  if (!options.output.empty() || ::isatty(STDOUT_FILENO) == 0) return style;
  constexpr size_t kNarrowest = 60;
  constexpr size_t kWidest = 140;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = std::clamp<size_t>(size.ws_col, kNarrowest, kWidest);
  }
  // https://no-color.org: set and not empty.
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  style.has_colour = (no_color == nullptr || *no_color == '\0') && !is_dumb;
  return style;
}

/// A slip in the order of arguments must not cost the evidence.
void refuseEvidence(const std::string& output, const std::vector<std::string>& logs) {
  if (output.empty()) return;
  if (readArchiveHeader(output)) {
    throw UsageError(fmt::format("{}: is an archive; the report would take its place", output));
  }
  for (const std::string& log : logs) {
    std::error_code ignored;
    const std::string file = log.substr(log.find('=') + 1);  // of HOST=FILE; else all of it
    if (std::filesystem::equivalent(output, log, ignored) ||
        std::filesystem::equivalent(output, file, ignored)) {
      throw UsageError(fmt::format("{}: is the log; the report would take its place", output));
    }
  }
}

/// What the logs of an archive leave open, one line each.
std::vector<std::string> notesOnLogs(const Analysis& analysis, const MarkOptions& marks) {
  const ResultTable logs =
      analysis.query("SELECT path, without_time, without_zone, matched FROM log ORDER BY path");
  std::vector<std::string> notes;
  for (const auto& row : logs.rows) {
    const auto number = [&](size_t column) { return std::get<int64_t>(row.at(column)); };
    const std::string& path = std::get<std::string>(row.at(0));
    if (number(3) == 0)
      notes.push_back(fmt::format("{}: no line tells of EMFILE, ENFILE or accept", path));
    if (number(1) > 0) {
      notes.push_back(fmt::format(
          "{}: {} no date or time that is known, so that nothing can say when that was", path,
          plural(number(1), "line that tells of it has", "lines that tell of it have")));
    }
    if (number(2) > 0 && !marks.has_log_zone) {
      notes.push_back(
          fmt::format("{}: {} taken for UTC (--log-timezone)", path,
                      plural(number(2), "time without a zone was", "times without a zone were")));
    }
  }
  return notes;
}

/// Nothing that was asked could be read from them: returns 3 if there are any, else 0.
int sayOfEmptyArchives(const Report& report) {
  int status = 0;
  for (const Coverage& coverage : report.coverage) {
    if (coverage.snapshots > 0) continue;
    status = kPartlyRead;
    fmt::print(stderr, "fdanalyze: {}: there is no snapshot in it\n", coverage.database);
    for (const DatabaseReport& database : report.databases) {
      if (database.path != coverage.database) continue;
      for (const std::string& doubt : database.doubts)
        fmt::print(stderr, "fdanalyze: {}: {}\n", database.path, doubt);
    }
  }
  return status;
}

void refuseLogsWithoutHost(const MarkOptions& marks) {
  if (!marks.needs_host) return;
  for (const std::string& log : marks.logs) {
    if (log.find('=') == std::string::npos) {
      throw UsageError(fmt::format(
          "--log {}: of several archives, say of which host it is: --log HOST=FILE", log));
    }
  }
}

void refuseLogsOfNobody(const MarkOptions& marks, const Report& report) {
  for (const std::string& log : marks.logs) {
    const bool is_known = std::any_of(
        report.databases.begin(), report.databases.end(), [&](const DatabaseReport& database) {
          return logFileOf(log, {database.path, database.host}, marks.needs_host).has_value();
        });
    if (!is_known)
      throw UsageError(fmt::format("--log {}: no archive is of that host; there are {}", log,
                                   hostNames(report)));
  }
}

std::string render(const Report& report, const ReportOptions& options) {
  switch (options.format) {
    case ReportFormat::Json:
      return renderReportJson(report);
    case ReportFormat::Markdown:
      return renderReportMarkdown(report);
    case ReportFormat::Html:
      return renderReportHtml(report);
    case ReportFormat::Text:
      break;
  }
  return renderReportText(report, styleOf(options));
}

}  // namespace

int runReport(const ReportOptions& options) {
  refuseEvidence(options.output, options.analysis.marks.logs);
  AnalysisOptions analysis_options = options.analysis;
  // A log is one host's, and so is an archive.
  analysis_options.marks.needs_host = options.databases.size() > 1;
  refuseLogsWithoutHost(analysis_options.marks);
  Report report;
  report.from = options.from;
  report.to = options.to;
  const auto add = [&](const Analysis& analysis) {
    for (std::string& note : notesOnLogs(analysis, analysis_options.marks)) {
      fmt::print(stderr, "fdanalyze: {}\n", note);
      report.log_notes.push_back(std::move(note));
    }
    report.is_salvaged = report.is_salvaged || analysis.isDamaged();
    ProgressLine progress(analysis.path(), writeToTerminal());
    addToReport(analysis, options.processes, report,
                [&](std::string_view stage, int percent) { progress.show(stage, percent); });
  };
  const auto add_unread = [&](const std::string& path, const std::string& reason) {
    report.unread.push_back({.path = printable(path), .reason = reason});
  };
  const int status =
      std::max(forEachArchive(options.databases, analysis_options, false, add, add_unread),
               sayOfEmptyArchives(report));
  refuseLogsOfNobody(analysis_options.marks, report);
  sortReport(report);
  const std::string text = render(report, options);
  if (options.output.empty()) {
    writeToStdout(text);
  } else {
    writeToFile(options.output, text);
  }
  return status;
}

}  // namespace fdmortem
