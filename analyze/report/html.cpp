#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "analyze/report/custody.h"
#include "analyze/report/html_elements.h"
#include "analyze/report/html_escape.h"
#include "analyze/report/html_process.h"
#include "analyze/report/html_style.h"
#include "analyze/report/render.h"
#include "analyze/report/statements.h"
#include "analyze/report/summary.h"
#include "analyze/report/tables.h"
#include "analyze/report/words.h"
#include "schema/sha256.h"

namespace fdmortem {
namespace {

/// What a page carries, so that one with thousands of rows can be used; the commands give all.
constexpr size_t kMaximumEvidence = 50;
constexpr size_t kMaximumOverview = 100;
constexpr size_t kMaximumProcesses = 20;
constexpr size_t kMaximumMarks = 100;
/// Sections of processes that are open when the page is.
constexpr size_t kOpenProcesses = 3;

/// A report in the making.
class HtmlReport {
 public:
  explicit HtmlReport(const Report& report)
      : report_(report),
        summary_(summarize(report)),
        sections_(placesWithSection(report, kMaximumProcesses)) {}

  std::string render() {
    header();
    html_ += "<main>\n";
    summary();
    overview();
    findings();
    processes();
    withoutFd();
    marks();
    html_ += "</main>\n";
    footer();
    return page();
  }

 private:
  template <class... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    html_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }

  /// The head comes last: nothing of it depends on the rest, but it frames it.
  std::string page() const {
    const std::string_view style = reportStyle();
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "style-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n"
        "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
        sha256Base64(style), htmlText(summary_.verdict), style, html_);
  }

  void header() {
    std::string from, to;
    for (const Coverage& coverage : report_.coverage) {
      if (coverage.first_at && (from.empty() || *coverage.first_at < from))
        from = *coverage.first_at;
      if (coverage.last_at && *coverage.last_at > to) to = *coverage.last_at;
    }
    html_ += "<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n<header>\n";
    html_ += paragraph(fmt::format("fd incident report · {} · {} to {}", hostNames(report_),
                                   shortTime(from), shortTime(to)),
                       "kicker");
    add("<h1>{}</h1>\n", htmlTextWithTimes(summary_.verdict));
    html_ += "<nav aria-label=\"Contents\"><ul><li><a href=\"#summary\">Summary</a></li>";
    if (report_.databases.size() > 1) html_ += "<li><a href=\"#archives\">Archives</a></li>";
    if (report_.processes.size() > 1) html_ += "<li><a href=\"#overview\">Processes</a></li>";
    html_ += "<li><a href=\"#findings\">Findings</a></li>";
    for (const size_t place : sections_)
      add("<li><a href=\"#process-{}\">{}</a></li>", place, htmlText(linkText(place)));
    html_ += "<li><a href=\"#coverage\">What could not be seen</a></li></ul></nav>\n</header>\n";
  }

  std::string linkText(size_t place) const {
    const ProcessReport& process = report_.processes[place];
    return report_.databases.size() > 1
               ? fmt::format("{} on {}", nameOf(process), hostOf(report_, process))
               : nameOf(process);
  }

  void summary() {
    html_ +=
        "<section aria-labelledby=\"summary\">\n<h2 id=\"summary\">Summary</h2>\n"
        "<dl class=\"statements\">\n";
    for (const Statement& statement : summary_.statements) {
      add("<div class=\"{}\"><dt>{}</dt><dd>{}</dd></div>\n", keyOf(statement.basis),
          wordOf(statement.basis), htmlTextWithTimes(statement.text));
    }
    html_ += "</dl>\n</section>\n";
  }

  void overview() {
    if (report_.databases.size() > 1) {
      const ReportTable entry = archivesTable(report_);
      add("<section aria-labelledby=\"archives\">\n<h2 id=\"archives\">{} archives</h2>\n",
          report_.databases.size());
      html_ += tableElement(entry.rows, entry.title);
      html_ += paragraph(capitalized(entry.title) + ". " + capitalized(entry.note), "note-text");
      html_ += "</section>\n";
    }
    if (report_.processes.size() < 2) return;
    const ReportTable entry = overviewTable(report_, kMaximumOverview);
    add("<section aria-labelledby=\"overview\">\n<h2 id=\"overview\">{} processes</h2>\n",
        report_.processes.size());
    html_ += tableElement(entry.rows, "Processes, worst first");
    if (entry.left_out > 0) html_ += paragraph(fmt::format("{} more", entry.left_out), "note-text");
    html_ += "</section>\n";
  }

  // --- findings ---

  void findings() {
    html_ += "<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Findings</h2>\n";
    if (report_.findings.empty()) html_ += paragraph("None.");
    for (size_t i = 0; i < report_.findings.size(); ++i)
      findingArticle(report_.findings[i], i);
    html_ += "</section>\n";
  }

  void findingArticle(const Finding& finding, size_t place) {
    std::string who = finding.pid ? fmt::format("pid {}: ", *finding.pid) : std::string();
    if (report_.databases.size() > 1) {
      who = fmt::format("{}, {}", hostOf(report_, finding.database), who);
    }
    add("<article class=\"{0}\" aria-labelledby=\"finding-{3}\">\n"
        "<h3 id=\"finding-{3}\"><span class=\"badge\">{0}</span> {1}{2}</h3>\n",
        htmlText(finding.severity), htmlText(who), htmlTextWithTimes(finding.title), place);
    for (const std::string& text : paragraphs(finding.explanation))
      html_ += explanationElement(text);
    add("<p><strong>What to do:</strong> {}</p>\n", htmlText(finding.advice));
    evidence(finding);
    html_ += "</article>\n";
  }

  void evidence(const Finding& finding) {
    ResultTable rows = finding.rows;
    if (rows.rows.size() > kMaximumEvidence) rows.rows.resize(kMaximumEvidence);
    const size_t all = std::max(finding.all_rows, finding.rows.rows.size());
    std::string content = proofElement(report_, finding.database, finding.query);
    content += tableElement(rows, fmt::format("Evidence of {}", finding.id));
    if (all > rows.rows.size()) {
      content +=
          paragraph(fmt::format("{} more: the command above gives all.", all - rows.rows.size()),
                    "note-text");
    }
    html_ += folded(fmt::format("Evidence: {}", plural(static_cast<int64_t>(all), "row", "rows")),
                    finding.title, content);
  }

  // --- one process ---

  void processes() {
    size_t shown = 0;
    for (const size_t place : sections_) {
      const ProcessReport& process = report_.processes[place];
      const std::string heading =
          fmt::format("<h2 id=\"process-{}\">{} on {}</h2>", place, htmlText(nameOf(process)),
                      htmlText(hostOf(report_, process)));
      add("<section aria-labelledby=\"process-{}\">\n", place);
      if (shown++ < kOpenProcesses) {
        html_ += heading + "\n";
        html_ += processElement(report_, process, fmt::format("p{}", place));
      } else {
        html_ += "<details class=\"process\"><summary>" + heading + "</summary>\n";
        html_ += processElement(report_, process, fmt::format("p{}", place));
        html_ += "</details>\n";
      }
      html_ += "</section>\n";
    }
    const size_t left_out = report_.processes.size() - sections_.size();
    if (left_out > 0) {
      html_ +=
          paragraph(fmt::format("{} without a section of their own, in the table above.",
                                plural(static_cast<int64_t>(left_out), "process", "processes")),
                    "note-text");
    }
  }

  // --- the rest ---

  void withoutFd() {
    if (report_.without_fd.empty()) return;
    html_ +=
        "<section aria-labelledby=\"without-fd\">\n"
        "<h2 id=\"without-fd\">Connections without an fd</h2>\n";
    for (const WithoutFd& without_fd : report_.without_fd) {
      for (const ReportTable& entry : withoutFdTables(without_fd))
        html_ += titledTable(report_, entry, without_fd.database);
    }
    html_ += "</section>\n";
  }

  void marks() {
    if (report_.marks.empty()) return;
    const ReportTable entry = marksTable(report_, kMaximumMarks);
    html_ += "<section aria-labelledby=\"marks\">\n<h2 id=\"marks\">Marks</h2>\n";
    html_ += tableElement(entry.rows, entry.title);
    if (entry.left_out > 0) html_ += paragraph(fmt::format("{} more", entry.left_out), "note-text");
    html_ += "</section>\n";
  }

  void footer() {
    html_ +=
        "<footer>\n<section aria-labelledby=\"coverage\">\n"
        "<h2 id=\"coverage\">What could not be seen</h2>\n";
    html_ += paragraph(coverageLine(report_) + ".");
    for (const std::string& line : unreadLines(report_))
      html_ += paragraph(line);
    for (const std::string& note : report_.log_notes)
      html_ += paragraph(note);
    for (const DatabaseReport& database : report_.databases) {
      for (const std::string& doubt : database.doubts)
        html_ += paragraph(database.path + ": " + doubt);
    }
    for (const Coverage& entry : report_.coverage) {
      for (const std::string& note : entry.recorder_notes)
        html_ += paragraph(withPath(report_, entry.database, note));
      if (!entry.unreadable.rows.empty())
        html_ += titledTable(report_, unreadableTable(entry), entry.database);
    }
    for (const std::string& note : notesOf(report_))
      html_ += paragraph(note, "note-text");
    html_ +=
        "</section>\n<section aria-labelledby=\"custody\">\n"
        "<h2 id=\"custody\">Where this comes from</h2>\n";
    for (const DatabaseReport& database : report_.databases) {
      html_ += paragraph(database.path);
      add("<pre><code>SHA-256 {}</code></pre>\n", htmlText(database.sha256));
      for (const std::string& line : custodyOf(report_, database))
        html_ += paragraph(line);
    }
    html_ += paragraph(fmt::format("Written by fdanalyze {}.", FDMORTEM_VERSION), "note-text");
    html_ += "</section>\n</footer>\n";
  }

  const Report& report_;
  Summary summary_;
  std::vector<size_t> sections_;  ///< places of processes
  std::string html_;
};

}  // namespace

std::string renderReportHtml(const Report& report) {
  return HtmlReport(report).render();
}

}  // namespace fdmortem
