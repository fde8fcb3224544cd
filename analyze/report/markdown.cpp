#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "analyze/report/custody.h"
#include "analyze/report/markdown_escape.h"
#include "analyze/report/render.h"
#include "analyze/report/summary.h"
#include "analyze/report/tables.h"
#include "analyze/report/words.h"
#include "analyze/shorten.h"

namespace fdmortem {
namespace {

/// A ticket is read, not searched: the commands give the rest.
constexpr size_t kMaximumEvidence = 5;
constexpr size_t kMaximumCounts = 12;
constexpr size_t kMaximumProcesses = 5;
constexpr size_t kMaximumOverview = 30;
constexpr size_t kMaximumMarks = 20;

/// A report in the making.
class MarkdownReport {
 public:
  explicit MarkdownReport(const Report& report) : report_(report) {}

  std::string render() {
    summary();
    overview();
    findings();
    marks();
    for (const size_t place : placesWithSection(report_, kMaximumProcesses))
      processSection(report_.processes[place]);
    for (const WithoutFd& without_fd : report_.without_fd) {
      line("## Connections without an fd on " + markdownText(hostOf(report_, without_fd.database)));
      for (const ReportTable& entry : withoutFdTables(without_fd))
        table(entry, without_fd.database);
    }
    coverage();
    custody();
    return text_;
  }

 private:
  /// A block of its own.
  void line(std::string_view text) { text_ += fmt::format("{}\n\n", text); }

  void proof(const std::string& database, const std::string& query) {
    text_ += markdownCode(sqlCommand(report_, database, query)) + "\n";
  }

  void table(const ReportTable& entry, const std::string& database) {
    line(fmt::format("**{}**", markdownText(entry.title)));
    if (!entry.note.empty()) line(markdownText(entry.note));
    text_ += markdownTable(entry.rows) + "\n";
    if (entry.left_out > 0) {
      line(fmt::format("and {} more: {}", entry.left_out, markdownText(entry.all_rows)));
    }
    proof(database, entry.query);
  }

  void summary() {
    const Summary summary = summarize(report_);
    line("# " + markdownText(summary.verdict));
    for (const Statement& statement : summary.statements) {
      text_ += fmt::format("- **{}:** {}\n", wordOf(statement.basis), markdownText(statement.text));
    }
    text_ += '\n';
  }

  void overview() {
    if (report_.databases.size() > 1) {
      const ReportTable entry = archivesTable(report_);
      line(fmt::format("## {} archives", report_.databases.size()));
      line(fmt::format("**{}**", markdownText(entry.title)));
      text_ += markdownTable(entry.rows) + "\n";
      line(markdownText(entry.note));
    }
    if (report_.processes.size() < 2) return;
    const ReportTable entry = overviewTable(report_, kMaximumOverview);
    line(fmt::format("## {} processes", report_.processes.size()));
    text_ += markdownTable(entry.rows) + "\n";
    if (entry.left_out > 0) line(fmt::format("and {} more", entry.left_out));
  }

  void findings() {
    line("## Findings");
    if (report_.findings.empty()) line("None.");
    for (const Finding& finding : report_.findings) {
      std::string who = finding.pid ? fmt::format("pid {}: ", *finding.pid) : std::string();
      if (report_.databases.size() > 1) {
        who = fmt::format("{}, {}", markdownText(hostOf(report_, finding.database)), who);
      }
      line(fmt::format("### {}: {}{} ({})", finding.severity, who, markdownText(finding.title),
                       markdownText(finding.id)));
      for (const std::string& paragraph : paragraphs(finding.explanation))
        line(markdownText(paragraph));
      line("**What to do:** " + markdownText(finding.advice));
      evidence(finding);
    }
  }

  void evidence(const Finding& finding) {
    ResultTable rows = finding.rows;
    if (rows.rows.size() > kMaximumEvidence) rows.rows.resize(kMaximumEvidence);
    if (!rows.rows.empty()) text_ += markdownTable(rows) + "\n";
    const size_t all = std::max(finding.all_rows, finding.rows.rows.size());
    if (all > rows.rows.size()) line(fmt::format("and {} rows more:", all - rows.rows.size()));
    proof(finding.database, finding.query);
  }

  void marks() {
    if (report_.marks.empty()) return;
    line("## Marks");
    const ReportTable entry = marksTable(report_, kMaximumMarks);
    text_ += markdownTable(entry.rows) + "\n";
    if (entry.left_out > 0) line(fmt::format("and {} more", entry.left_out));
  }

  void processSection(const ProcessReport& process) {
    line(fmt::format("## {} on {}", markdownText(nameOf(process)),
                     markdownText(hostOf(report_, process))));
    ResultTable facts{.columns = {"", ""}, .rows = {}};
    const auto fact = [&](const char* name, std::string value) {
      facts.rows.push_back({std::string(name), std::move(value)});
    };
    if (process.exe) fact("program", *process.exe);
    if (process.cmdline) fact("command", shortened(*process.cmdline));
    for (auto& [name, value] : processFacts(process))
      facts.rows.push_back({name, value});
    text_ += markdownTable(facts) + "\n";
    if (!process.has_fds) return;
    if (process.counts.size() > 1) table(countsTable(process, kMaximumCounts), process.database);
    for (const ReportTable& entry : processTables(process))
      table(entry, process.database);
    const ReportTable last_data = lastDataTable(process);
    if (!last_data.rows.rows.empty()) table(last_data, process.database);
  }

  void coverage() {
    line("## What could not be seen");
    line(coverageLine(report_) + ".");
    for (const std::string& unread : unreadLines(report_))
      line(markdownText(unread));
    for (const std::string& note : report_.log_notes)
      line(markdownText(note));
    for (const DatabaseReport& database : report_.databases) {
      for (const std::string& doubt : database.doubts)
        line(fmt::format("{}: {}", markdownText(database.path), markdownText(doubt)));
    }
    for (const Coverage& entry : report_.coverage) {
      for (const std::string& note : entry.recorder_notes)
        line(markdownText(withPath(report_, entry.database, note)));
      if (!entry.unreadable.rows.empty()) table(unreadableTable(entry), entry.database);
    }
    for (const std::string& note : notesOf(report_))
      line(markdownText(note));
  }

  void custody() {
    line("## Where this comes from");
    for (const DatabaseReport& database : report_.databases) {
      text_ += fmt::format("- {}: SHA-256 `{}`\n", markdownText(database.path), database.sha256);
      for (const std::string& line : custodyOf(report_, database))
        text_ += fmt::format("  - {}\n", markdownText(line));
    }
    text_ += fmt::format("- written by fdanalyze {}\n", FDMORTEM_VERSION);
  }

  const Report& report_;
  std::string text_;
};

}  // namespace

std::string renderReportMarkdown(const Report& report) {
  return MarkdownReport(report).render();
}

}  // namespace fdmortem
