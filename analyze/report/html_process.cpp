#include "analyze/report/html_process.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "analyze/report/html_elements.h"
#include "analyze/report/html_escape.h"
#include "analyze/report/svg.h"
#include "analyze/report/tables.h"
#include "analyze/report/words.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// Rows of the data of a chart.
constexpr size_t kMaximumCounts = 60;

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

/// The section of a process in the making.
class HtmlProcess {
 public:
  HtmlProcess(const Report& report, const ProcessReport& process, std::string id)
      : report_(report), process_(process), id_(std::move(id)) {}

  std::string render() {
    html_ += "<dl class=\"facts\">\n";
    const auto fact = [&](std::string_view name, std::string_view value) {
      add("<div><dt>{}</dt><dd>{}</dd></div>\n", htmlText(name), htmlTextWithTimes(value));
    };
    if (process_.exe) fact("program", *process_.exe);
    if (process_.cmdline) fact("command", *process_.cmdline);
    for (const auto& [name, value] : processFacts(process_))
      fact(name, value);
    html_ += "</dl>\n";
    if (!process_.has_fds) return std::move(html_);
    fdsFigure();
    verdictsFigure();
    for (const ReportTable& entry : processTables(process_)) {
      if (entry.id != "kinds" && entry.id != "verdicts")
        html_ += titledTable(report_, entry, process_.database);
      if (entry.id == "outlived") deadFigures();
    }
    kindsFigure();
    return std::move(html_);
  }

 private:
  void figure(std::string_view heading, const std::string& svg, const std::string& below,
              std::string_view caption, const std::string& data) {
    add("<h3>{}</h3>\n<figure>\n{}{}", htmlText(heading), svg, below);
    add("<figcaption>{}</figcaption>\n</figure>\n{}", htmlText(caption),
        folded("Data", heading, data));
  }

  void fdsFigure() {
    const ReportTable entry = countsTable(process_, kMaximumCounts);
    const std::string svg = fdsChart(id_ + "-fds", report_, process_);
    if (svg.empty()) return;
    std::string caption = "Each step is a snapshot; between two nothing is known.";
    if (process_.soft_limit && !limitIsInSight(process_, process_.soft_limit))
      caption += fmt::format(" The soft limit, {}, is far above.", *process_.soft_limit);
    const bool has_marks =
        std::any_of(report_.marks.begin(), report_.marks.end(), [&](const MarkReport& mark) {
          return mark.database == process_.database && mark.kind != "restart";
        });
    if (has_marks) caption += " Pink lines are marks: lines of a log, or notes; all are below.";
    figure("Open fds against the limit", svg, "", caption,
           tableElement(entry.rows, "Open fds over time") +
               proofElement(report_, process_.database, entry.query));
  }

  void verdictsFigure() {
    const std::vector<StackedPart> parts = verdictParts(process_);
    const std::string svg = stackedChart(id_ + "-verdicts", report_, process_, parts,
                                         "Sockets of " + nameOf(process_) + " by verdict");
    const std::string query =
        fmt::format("SELECT * FROM verdict_at_end WHERE process = {}", process_.process);
    if (svg.empty()) {
      singleSnapshot("verdicts");
      return;
    }
    figure("Sockets by verdict", svg, legend(parts), "The numbers are those at the end.",
           tableElement(partsTable(process_, parts), "Sockets by verdict over time") +
               proofElement(report_, process_.database, query));
  }

  /// Where there is no curve: the numbers of the only snapshot.
  void singleSnapshot(std::string_view id) {
    for (const ReportTable& entry : processTables(process_)) {
      if (entry.id == id) html_ += titledTable(report_, entry, process_.database);
    }
  }

  void kindsFigure() {
    const std::vector<StackedPart> parts = kindParts(process_);
    const std::string svg = stackedChart(id_ + "-kinds", report_, process_, parts,
                                         "Fds of " + nameOf(process_) + " by kind");
    const std::string query =
        fmt::format("SELECT * FROM kind_at_end WHERE process = {}", process_.process);
    if (svg.empty()) {
      singleSnapshot("kinds");
      return;
    }
    figure("Fds by kind", svg, legend(parts), "The numbers are those at the end.",
           tableElement(partsTable(process_, parts), "Fds by kind over time") +
               proofElement(report_, process_.database, query));
  }

  void deadFigures() {
    const std::string lifetimes = lifetimesChart(id_ + "-lives", report_, process_);
    if (!lifetimes.empty()) {
      const auto shown = static_cast<int64_t>(process_.lifetimes.size());
      std::string caption =
          "Blue: its connection is listed. Vermilion: the fd is open, the connection gone. Circle: "
          "data moved last.";
      if (process_.lifetimes_total > shown) {
        caption += fmt::format(" The {} that outlived longest; {} more: fdanalyze outlived.", shown,
                               process_.lifetimes_total - shown);
      }
      const std::string query = fmt::format(
          "SELECT fd, inode, remote, fd_first_seen, connection_last_seen, outlived_since, "
          "fd_last_seen, last_data_at, proof FROM outlived WHERE open_at_end AND process = {}",
          process_.process);
      figure("Lifetimes of fds that outlived their connections", lifetimes, "", caption,
             tableElement(lifetimesTable(process_), "Lifetimes") +
                 proofElement(report_, process_.database, query));
    }
    const std::string last_data = lastDataChart(id_ + "-last", report_, process_);
    if (last_data.empty()) return;
    const ReportTable entry = lastDataTable(process_);
    figure("When the dead sockets last carried data", last_data, "",
           "By the kernel's own count, which goes back to before the recording.",
           tableElement(entry.rows, entry.title) +
               proofElement(report_, process_.database, entry.query));
  }

  template <class... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    html_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }

  const Report& report_;
  const ProcessReport& process_;
  std::string id_;
  std::string html_;
};

}  // namespace

std::string processElement(const Report& report, const ProcessReport& process,
                           const std::string& id) {
  return HtmlProcess(report, process, id).render();
}

}  // namespace fdmortem
