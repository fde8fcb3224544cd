#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "analyze/html.h"
#include "analyze/report_html_style.h"
#include "analyze/report_render.h"
#include "analyze/report_statements.h"
#include "analyze/report_summary.h"
#include "analyze/report_svg.h"
#include "analyze/report_tables.h"
#include "analyze/report_words.h"
#include "schema/sha256.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// What a page carries, so that one with thousands of rows can be used; the commands give all.
constexpr size_t kMaximumEvidence = 50;
constexpr size_t kMaximumCounts = 60;
constexpr size_t kMaximumOverview = 100;
constexpr size_t kMaximumProcesses = 20;
constexpr size_t kMaximumMarks = 100;
/// Sections of processes that are open when the page is.
constexpr size_t kOpenProcesses = 3;

std::string cellText(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return htmlText(*text);
  return "–";
}

/// Whether a column is set to the right: it has numbers and no text.
bool isNumeric(const ResultTable& table, size_t column) {
  bool has_number = false;
  for (const auto& row : table.rows) {
    const Value& value = row.at(column);
    if (std::holds_alternative<std::string>(value)) return false;
    has_number = has_number || !std::holds_alternative<std::monostate>(value);
  }
  return has_number;
}

/// A table that scrolls by itself where it is wider than the page, also by keyboard.
std::string tableElement(const ResultTable& table, std::string_view name) {
  std::vector<const char*> css_class;
  std::string head;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    css_class.push_back(isNumeric(table, i) ? " class=\"number\"" : "");
    head += fmt::format("<th scope=\"col\"{}>{}</th>", css_class[i], htmlText(table.columns[i]));
  }
  std::string body;
  for (const auto& row : table.rows) {
    body += "<tr>";
    for (size_t i = 0; i < row.size(); ++i)
      body += fmt::format("<td{}>{}</td>", css_class[i], cellText(row[i]));
    body += "</tr>\n";
  }
  return fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\">"
      "<table aria-label=\"{0}\"><thead><tr>{1}</tr></thead>\n<tbody>{2}</tbody></table></div>\n",
      htmlText(name), head, body);
}

std::string paragraph(std::string_view text, std::string_view css_class = {}) {
  return css_class.empty()
             ? fmt::format("<p>{}</p>\n", htmlTextWithTimes(text))
             : fmt::format("<p class=\"{}\">{}</p>\n", css_class, htmlTextWithTimes(text));
}

/// `of` tells who hears the page of what the content is; the place tells who sees it.
std::string folded(std::string_view summary, std::string_view of, const std::string& content,
                   std::string_view css_class = {}) {
  return fmt::format("<details{}><summary aria-label=\"{}: {}\">{}</summary>\n{}</details>\n",
                     css_class.empty() ? std::string() : fmt::format(" class=\"{}\"", css_class),
                     htmlText(summary), htmlText(of), htmlText(summary), content);
}

/// A paragraph of an explanation, with the word that tells how sure it is.
std::string explanationElement(std::string_view text) {
  for (const std::string_view word : {"Observed:", "Inferred:", "Not known:"}) {
    if (text.starts_with(word)) {
      return fmt::format("<p><strong>{}</strong>{}</p>\n", word,
                         htmlTextWithTimes(text.substr(word.size())));
    }
  }
  return paragraph(text);
}

std::string legend(const std::vector<StackedPart>& parts) {
  std::string items;
  for (const StackedPart& part : parts) {
    items += fmt::format(
        "<li><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect class=\"{}\" width=\"8\" "
        "height=\"8\"/></svg>{} {}</li>",
        part.css_class, part.counts.back(), htmlText(part.name));
  }
  return "<ul class=\"legend\">" + items + "</ul>\n";
}

const char* classOf(Statement::Basis basis) {
  switch (basis) {
    case Statement::Basis::Observed:
      return "observed";
    case Statement::Basis::Inferred:
      return "inferred";
    case Statement::Basis::NotKnown:
      return "not-known";
    case Statement::Basis::ToDo:
      break;
  }
  return "to-do";
}

/// The parts of a stacked chart as a table, at so many of its times.
ResultTable partsTable(const ProcessReport& process, const std::vector<StackedPart>& parts) {
  ResultTable table{.columns = {"snapshot", "taken at"}, .rows = {}};
  for (const StackedPart& part : parts)
    table.columns.push_back(part.name);
  const size_t all = process.counts.size();
  const size_t rows = std::min(kMaximumCounts, all);
  for (size_t i = 0; i < rows; ++i) {
    const size_t place = rows > 1 ? i * (all - 1) / (rows - 1) : 0;
    auto& row = table.rows.emplace_back();
    row = {process.counts[place].snapshot, shortTime(process.counts[place].taken_at)};
    for (const StackedPart& part : parts)
      row.emplace_back(part.counts[place]);
  }
  return table;
}

ResultTable lifetimesTable(const ProcessReport& process) {
  const auto time = [](const std::optional<int64_t>& ns) {
    return ns ? Value(shortTime(formatTime(*ns))) : Value();
  };
  ResultTable table{.columns = {"fd", "inode", "peer", "fd first seen", "connection last listed",
                                "without it since", "fd last seen", "last data", "proof"},
                    .rows = {}};
  for (const Lifetime& life : process.lifetimes) {
    table.rows.push_back({life.fd, life.inode,
                          life.remote ? Value(plainAddress(*life.remote)) : Value(),
                          time(life.first_ns), time(life.connection_last_ns), time(life.since_ns),
                          time(life.last_ns), time(life.last_data_ns), life.proof});
  }
  return table;
}

/// A report in the making.
class HtmlReport {
 public:
  explicit HtmlReport(const Report& report) : report_(report), summary_(summarize(report)) {}

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

  std::string proof(const std::string& database, const std::string& query) const {
    return fmt::format("<pre><code>{}</code></pre>\n",
                       htmlText(sqlCommand(report_, database, query)));
  }

  std::string table(const ReportTable& entry, const std::string& database) const {
    std::string content = fmt::format("<h3>{}</h3>\n", htmlText(entry.title));
    content += tableElement(entry.rows, entry.title);
    if (!entry.note.empty()) content += paragraph(entry.note, "note-text");
    if (entry.left_out > 0) {
      content += paragraph(fmt::format("{} more: {}", entry.left_out, entry.all_rows), "note-text");
    }
    return content + folded("Proof", entry.title, proof(database, entry.query), "proof");
  }

  std::string hosts() const {
    std::string names;
    for (const DatabaseReport& database : report_.databases) {
      if (names.find(database.host) == std::string::npos)
        names += (names.empty() ? "" : ", ") + database.host;
    }
    return names;
  }

  void header() {
    std::string from, to;
    for (const Coverage& coverage : report_.coverage) {
      if (coverage.first_at && (from.empty() || *coverage.first_at < from))
        from = *coverage.first_at;
      if (coverage.last_at && *coverage.last_at > to) to = *coverage.last_at;
    }
    html_ += "<a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n<header>\n";
    html_ += paragraph(
        fmt::format("fd incident report · {} · {} to {}", hosts(), shortTime(from), shortTime(to)),
        "kicker");
    add("<h1>{}</h1>\n", htmlTextWithTimes(summary_.verdict));
    html_ += "<nav aria-label=\"Contents\"><ul><li><a href=\"#summary\">Summary</a></li>";
    if (report_.databases.size() > 1) html_ += "<li><a href=\"#archives\">Archives</a></li>";
    if (report_.processes.size() > 1) html_ += "<li><a href=\"#overview\">Processes</a></li>";
    html_ += "<li><a href=\"#findings\">Findings</a></li>";
    for (const size_t place : sections())
      add("<li><a href=\"#process-{}\">{}</a></li>", place, htmlText(linkText(place)));
    html_ += "<li><a href=\"#coverage\">What could not be seen</a></li></ul></nav>\n</header>\n";
  }

  std::string linkText(size_t place) const {
    const ProcessReport& process = report_.processes[place];
    return report_.databases.size() > 1
               ? fmt::format("{} on {}", nameOf(process), hostOf(report_, process.database))
               : nameOf(process);
  }

  /// Which processes have a section: the first, and those with findings.
  std::vector<size_t> sections() const {
    std::vector<size_t> places;
    for (size_t i = 0; i < report_.processes.size(); ++i) {
      const bool has_section = i == 0 || !findingsOf(report_, report_.processes[i]).empty();
      if (has_section && places.size() < kMaximumProcesses) places.push_back(i);
    }
    return places;
  }

  void summary() {
    html_ +=
        "<section aria-labelledby=\"summary\">\n<h2 id=\"summary\">Summary</h2>\n"
        "<dl class=\"statements\">\n";
    for (const Statement& statement : summary_.statements) {
      add("<div class=\"{}\"><dt>{}</dt><dd>{}</dd></div>\n", classOf(statement.basis),
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
    std::string content = proof(finding.database, finding.query);
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
    for (const size_t place : sections()) {
      const ProcessReport& process = report_.processes[place];
      const std::string heading =
          fmt::format("<h2 id=\"process-{}\">{} on {}</h2>", place, htmlText(nameOf(process)),
                      htmlText(hostOf(report_, process.database)));
      add("<section aria-labelledby=\"process-{}\">\n", place);
      if (shown++ < kOpenProcesses) {
        html_ += heading + "\n";
        processSection(process, fmt::format("p{}", place));
      } else {
        html_ += "<details class=\"process\"><summary>" + heading + "</summary>\n";
        processSection(process, fmt::format("p{}", place));
        html_ += "</details>\n";
      }
      html_ += "</section>\n";
    }
    const size_t left_out = report_.processes.size() - sections().size();
    if (left_out > 0) {
      html_ +=
          paragraph(fmt::format("{} without a section of their own, in the table above.",
                                plural(static_cast<int64_t>(left_out), "process", "processes")),
                    "note-text");
    }
  }

  void processSection(const ProcessReport& process, const std::string& id) {
    html_ += "<dl class=\"facts\">\n";
    const auto fact = [&](std::string_view name, std::string_view value) {
      add("<div><dt>{}</dt><dd>{}</dd></div>\n", htmlText(name), htmlTextWithTimes(value));
    };
    if (process.exe) fact("program", *process.exe);
    if (process.cmdline) fact("command", *process.cmdline);
    for (const auto& [name, value] : processFacts(process))
      fact(name, value);
    html_ += "</dl>\n";
    if (!process.has_fds) return;
    fdsFigure(process, id);
    verdictsFigure(process, id);
    for (const ReportTable& entry : processTables(process)) {
      if (entry.id != "kinds" && entry.id != "verdicts") html_ += table(entry, process.database);
      if (entry.id == "outlived") deadFigures(process, id);
    }
    kindsFigure(process, id);
  }

  void figure(std::string_view heading, const std::string& svg, const std::string& below,
              std::string_view caption, const std::string& data) {
    add("<h3>{}</h3>\n<figure>\n{}{}", htmlText(heading), svg, below);
    add("<figcaption>{}</figcaption>\n</figure>\n{}", htmlText(caption),
        folded("Data", heading, data));
  }

  void fdsFigure(const ProcessReport& process, const std::string& id) {
    const ReportTable entry = countsTable(process, kMaximumCounts);
    const std::string svg = fdsChart(id + "-fds", report_, process);
    if (svg.empty()) return;
    std::string caption = "Each step is a snapshot; between two nothing is known.";
    if (!limitIsInSight(process) && process.soft_limit)
      caption += fmt::format(" The soft limit, {}, is far above.", *process.soft_limit);
    const bool has_marks =
        std::any_of(report_.marks.begin(), report_.marks.end(), [&](const MarkReport& mark) {
          return mark.database == process.database && mark.kind != "restart";
        });
    if (has_marks) caption += " Pink lines are marks: lines of a log, or notes; all are below.";
    figure("Open fds against the limit", svg, "", caption,
           tableElement(entry.rows, "Open fds over time") + proof(process.database, entry.query));
  }

  void verdictsFigure(const ProcessReport& process, const std::string& id) {
    const std::vector<StackedPart> parts = verdictParts(process);
    const std::string svg = stackedChart(id + "-verdicts", report_, process, parts,
                                         "Sockets of " + nameOf(process) + " by verdict");
    const std::string query =
        fmt::format("SELECT * FROM verdict_at_end WHERE process = {}", process.process);
    if (svg.empty()) {
      singleSnapshot(process, "verdicts");
      return;
    }
    figure("Sockets by verdict", svg, legend(parts), "The numbers are those at the end.",
           tableElement(partsTable(process, parts), "Sockets by verdict over time") +
               proof(process.database, query));
  }

  /// Where there is no curve: the numbers of the only snapshot.
  void singleSnapshot(const ProcessReport& process, std::string_view id) {
    for (const ReportTable& entry : processTables(process)) {
      if (entry.id == id) html_ += table(entry, process.database);
    }
  }

  void kindsFigure(const ProcessReport& process, const std::string& id) {
    const std::vector<StackedPart> parts = kindParts(process);
    const std::string svg = stackedChart(id + "-kinds", report_, process, parts,
                                         "Fds of " + nameOf(process) + " by kind");
    const std::string query =
        fmt::format("SELECT * FROM kind_at_end WHERE process = {}", process.process);
    if (svg.empty()) {
      singleSnapshot(process, "kinds");
      return;
    }
    figure("Fds by kind", svg, legend(parts), "The numbers are those at the end.",
           tableElement(partsTable(process, parts), "Fds by kind over time") +
               proof(process.database, query));
  }

  void deadFigures(const ProcessReport& process, const std::string& id) {
    const std::string lifetimes = lifetimesChart(id + "-lives", report_, process);
    if (!lifetimes.empty()) {
      const auto shown = static_cast<int64_t>(process.lifetimes.size());
      std::string caption =
          "Blue: its connection is listed. Vermilion: the fd is open, the connection gone. Circle: "
          "data moved last.";
      if (process.lifetimes_total > shown) {
        caption += fmt::format(" The {} that outlived longest; {} more: fdanalyze outlived.", shown,
                               process.lifetimes_total - shown);
      }
      const std::string query = fmt::format(
          "SELECT fd, inode, remote, fd_first_seen, connection_last_seen, outlived_since, "
          "fd_last_seen, last_data_at, proof FROM outlived WHERE open_at_end AND process = {}",
          process.process);
      figure("Lifetimes of fds that outlived their connections", lifetimes, "", caption,
             tableElement(lifetimesTable(process), "Lifetimes") + proof(process.database, query));
    }
    const std::string last_data = lastDataChart(id + "-last", report_, process);
    if (last_data.empty()) return;
    const ReportTable entry = lastDataTable(process);
    figure("When the dead sockets last carried data", last_data, "",
           "By the kernel's own count, which goes back to before the recording.",
           tableElement(entry.rows, entry.title) + proof(process.database, entry.query));
  }

  // --- the rest ---

  void withoutFd() {
    if (report_.without_fd.empty()) return;
    html_ +=
        "<section aria-labelledby=\"without-fd\">\n"
        "<h2 id=\"without-fd\">Connections without an fd</h2>\n";
    for (const WithoutFd& without_fd : report_.without_fd) {
      for (const ReportTable& entry : withoutFdTables(without_fd))
        html_ += table(entry, without_fd.database);
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
    for (const DatabaseReport& database : report_.databases) {
      for (const std::string& doubt : database.doubts)
        html_ += paragraph(database.path + ": " + doubt);
    }
    for (const Coverage& entry : report_.coverage) {
      for (const std::string& note : entry.recorder_notes)
        html_ += paragraph(withPath(report_, entry.database, note));
      if (!entry.unreadable.rows.empty()) html_ += table(unreadableTable(entry), entry.database);
    }
    for (const std::string& note : notesOf(report_))
      html_ += paragraph(note, "note-text");
    html_ +=
        "</section>\n<section aria-labelledby=\"custody\">\n"
        "<h2 id=\"custody\">Where this comes from</h2>\n";
    for (const DatabaseReport& database : report_.databases) {
      html_ +=
          paragraph(fmt::format("{}: host {}, kernel {}, boot {}", database.path, database.host,
                                database.kernel, database.boot_id.value_or("unknown")));
      add("<pre><code>SHA-256 {}</code></pre>\n", htmlText(database.sha256));
    }
    html_ += paragraph(fmt::format("Written by fdanalyze {}.", FDMORTEM_VERSION), "note-text");
    html_ += "</section>\n</footer>\n";
  }

  const Report& report_;
  Summary summary_;
  std::string html_;
};

}  // namespace

std::string renderReportHtml(const Report& report) {
  return HtmlReport(report).render();
}

}  // namespace fdmortem
