#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "analyze/report/custody.h"
#include "analyze/report/render.h"
#include "analyze/report/summary.h"
#include "analyze/report/tables.h"
#include "analyze/report/text_process.h"
#include "analyze/report/text_writer.h"
#include "analyze/report/words.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

constexpr size_t kLabelColumn = 11;
constexpr size_t kMaximumOverview = 30;
/// Processes without a finding get one line each, and no more of them than this.
constexpr size_t kMaximumQuietProcesses = 20;
/// Sections of processes with findings.
constexpr size_t kMaximumSections = 20;

Colour colourOf(Statement::Basis basis) {
  return basis == Statement::Basis::ToDo ? Colour::Bold : Colour::Dim;
}

Colour colourOf(std::string_view severity) {
  if (severity == "critical") return Colour::Red;
  return severity == "warning" ? Colour::Yellow : Colour::Cyan;
}

/// A report in the making.
class TextReport {
 public:
  TextReport(const Report& report, const TextStyle& style) : report_(report), writer_(style) {}

  std::string render() {
    summary();
    overview();
    findings();
    processes();
    withoutFd();
    coverage();
    notes();
    custody();
    return writer_.text();
  }

 private:
  void summary() {
    const Summary summary = summarize(report_);
    writer_.labelled("Verdict", summary.verdict + ".", kLabelColumn, 0, Colour::Bold);
    for (const Statement& statement : summary.statements) {
      writer_.labelled(wordOf(statement.basis), statement.text, kLabelColumn, 0,
                       colourOf(statement.basis));
    }
  }

  void overview() {
    if (report_.databases.size() > 1) {
      const ReportTable table = archivesTable(report_);
      writer_.heading(plural(static_cast<int64_t>(table.rows.rows.size()), "archive", "archives"));
      writer_.line(table.title, 2);
      writer_.rows(table.rows);
      writer_.paragraph(table.note, 2);
    }
    if (report_.processes.size() < 2) return;
    ReportTable table = overviewTable(report_, kMaximumOverview);
    writer_.heading(plural(static_cast<int64_t>(report_.processes.size()), "process", "processes"));
    writer_.rows(table.rows);
    if (table.left_out > 0) writer_.line(fmt::format("and {} more", table.left_out), 2);
  }

  void findings() {
    writer_.heading("Findings");
    if (report_.findings.empty()) {
      writer_.line("None.");
      return;
    }
    bool is_first = true;
    for (const Finding& finding : report_.findings) {
      if (!is_first) writer_.blank();
      is_first = false;
      findingSection(finding);
    }
  }

  void findingSection(const Finding& finding) {
    std::string who = finding.pid ? fmt::format("pid {}: ", *finding.pid) : std::string();
    if (report_.databases.size() > 1) {
      who = fmt::format("{}{}", hostOf(report_, finding.database), who.empty() ? ": " : " " + who);
    }
    writer_.labelled(fmt::format("[{}]", finding.severity),
                     fmt::format("{}{} ({})", who, finding.title, finding.id),
                     finding.severity.size() + 3, 0, colourOf(finding.severity));
    for (const std::string& paragraph : paragraphs(finding.explanation))
      writer_.paragraph(paragraph, 4);
    writer_.paragraph("What to do: " + finding.advice, 4);
    writer_.proof(sqlCommand(report_, finding.database, finding.query), 4);
  }

  void processes() {
    const std::vector<size_t> places = placesWithSection(report_, kMaximumSections);
    for (const size_t place : places)
      writeProcess(report_, report_.processes[place], writer_);
    std::vector<const ProcessReport*> quiet;
    for (size_t i = 0; i < report_.processes.size(); ++i) {
      if (!std::binary_search(places.begin(), places.end(), i))
        quiet.push_back(&report_.processes[i]);
    }
    if (!quiet.empty()) quietProcesses(quiet);
  }

  void quietProcesses(const std::vector<const ProcessReport*>& quiet) {
    writer_.heading(plural(static_cast<int64_t>(quiet.size()), "other process", "other processes"));
    for (size_t i = 0; i < std::min(quiet.size(), kMaximumQuietProcesses); ++i) {
      const ProcessReport& process = *quiet[i];
      if (process.has_fds) {
        writer_.line(fmt::format("{}: {} to {} fds, limit {}{}", nameOf(process), process.fds_first,
                                 process.fds_last,
                                 process.soft_limit ? std::to_string(*process.soft_limit) : "-",
                                 process.has_ended ? ", ended" : ""),
                     2);
      } else {
        writer_.line(fmt::format("{}: its fds could not be read", nameOf(process)), 2);
      }
    }
    if (quiet.size() > kMaximumQuietProcesses) {
      writer_.line(fmt::format("and {} more", quiet.size() - kMaximumQuietProcesses), 2);
    }
  }

  void withoutFd() {
    for (const WithoutFd& without_fd : report_.without_fd) {
      writer_.heading(
          fmt::format("Connections without an fd on {}", hostOf(report_, without_fd.database)));
      for (const ReportTable& table : withoutFdTables(without_fd))
        writer_.table(table, sqlCommand(report_, without_fd.database, table.query));
    }
  }

  // --- what could not be seen ---

  void coverage() {
    writer_.heading("What could not be seen");
    writer_.line(coverageLine(report_) + ".");
    bool is_whole = report_.unread.empty();
    for (const std::string& line : unreadLines(report_))
      writer_.paragraph(line, 2);
    for (const std::string& note : report_.log_notes)
      writer_.paragraph(note, 2);
    for (const DatabaseReport& database : report_.databases) {
      for (const std::string& doubt : database.doubts) {
        writer_.paragraph(fmt::format("{}: {}", database.path, doubt), 2);
        is_whole = false;
      }
    }
    for (const Coverage& coverage : report_.coverage) {
      for (const std::string& note : coverage.recorder_notes)
        writer_.paragraph(withPath(report_, coverage.database, note), 0);
    }
    for (const Coverage& coverage : report_.coverage) {
      if (coverage.unreadable.rows.empty()) continue;
      is_whole = false;
      const ReportTable table = unreadableTable(coverage);
      writer_.table(table, sqlCommand(report_, coverage.database, table.query));
    }
    const bool has_snapshots =
        std::any_of(report_.coverage.begin(), report_.coverage.end(),
                    [](const Coverage& coverage) { return coverage.snapshots > 0; });
    if (is_whole && has_snapshots)
      writer_.line("Everything that was asked for could be read in each of them.");
  }

  // --- where it comes from ---

  void notes() {
    writer_.heading("How to read this");
    for (const std::string& note : notesOf(report_))
      writer_.paragraph(note);
  }

  void custody() {
    writer_.heading("Where this comes from");
    for (const DatabaseReport& database : report_.databases) {
      writer_.line(printableOnce(database.path));
      writer_.line("SHA-256 " + database.sha256, 2);
      for (const std::string& line : custodyOf(report_, database)) {
        // A command is there to be copied, so it has no line breaks of its own.
        if (line.starts_with("Command: ")) {
          writer_.line(printableOnce(line), 2);
        } else {
          writer_.paragraph(line, 2);
        }
      }
    }
    writer_.line(fmt::format("written by fdanalyze {}", FDMORTEM_VERSION));
  }

  const Report& report_;
  TextWriter writer_;
};

}  // namespace

std::string renderReportText(const Report& report, const TextStyle& style) {
  return TextReport(report, style).render();
}

}  // namespace fdmortem
