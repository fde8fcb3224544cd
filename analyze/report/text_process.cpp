#include "analyze/report/text_process.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "analyze/report/tables.h"
#include "analyze/report/words.h"
#include "analyze/shorten.h"

namespace fdmortem {
namespace {

constexpr size_t kLabelColumn = 12;
constexpr size_t kChartRows = 12;
constexpr size_t kMaximumBar = 60;
constexpr size_t kMinimumBar = 10;

std::string bar(int64_t value, int64_t top, size_t width) {
  const auto columns = static_cast<size_t>(std::max<int64_t>(value, 0)) * width /
                       static_cast<size_t>(std::max<int64_t>(top, 1));
  return std::string(std::min(columns, width), '#');
}

/// Room for bars beside so many columns.
size_t barWidth(const TextWriter& writer, size_t taken) {
  return std::clamp(writer.width() > taken ? writer.width() - taken : 0, kMinimumBar, kMaximumBar);
}

/// `shows_limit`: at some time.
std::string limitNote(const ProcessReport& process, bool shows_limit) {
  const bool is_always =
      std::all_of(process.counts.begin(), process.counts.end(),
                  [&](const CountAt& count) { return limitIsInSight(process, count.soft_limit); });
  if (shows_limit)
    return is_always ? ", | is the soft limit" : ", | is the soft limit where it is near";
  return process.soft_limit ? " (the soft limit is far away)" : "";
}

void chart(const Report& report, const ProcessReport& process, TextWriter& writer) {
  if (process.counts.size() < 2) return;
  const int64_t top = chartTop(process);
  const bool shows_limit =
      std::any_of(process.counts.begin(), process.counts.end(),
                  [&](const CountAt& count) { return limitIsInSight(process, count.soft_limit); });
  writer.blank();
  writer.line(fmt::format("fds over time{}", limitNote(process, shows_limit)));
  const size_t width = barWidth(writer, 36);
  const size_t rows = std::min(kChartRows, process.counts.size());
  for (size_t i = 0; i < rows; ++i) {
    const CountAt& at = process.counts[i * (process.counts.size() - 1) / (rows - 1)];
    std::string drawn = bar(at.fds, top, width);
    if (limitIsInSight(process, at.soft_limit)) {
      drawn.resize(width + 1, ' ');
      drawn[bar(*at.soft_limit, top, width).size()] = '|';
      drawn.resize(drawn.find_last_not_of(' ') + 1);
    }
    writer.line(fmt::format("{}  {:>7}  {}", shortTime(at.taken_at), at.fds, drawn), 2);
  }
  writer.proof(sqlCommand(report, process.database, countsTable(process, 1).query), 2);
}

void lastData(const Report& report, const ProcessReport& process, TextWriter& writer) {
  if (process.last_data.empty()) return;
  int64_t most = 0;
  for (const LastDataBucket& bucket : process.last_data)
    most = std::max(most, bucket.count);
  const ReportTable table = lastDataTable(process);
  writer.blank();
  writer.paragraph(table.title);
  const size_t width = barWidth(writer, 41);
  for (const LastDataBucket& bucket : process.last_data) {
    writer.line(fmt::format("from {}  {:>7}  {}", shortTime(bucket.from), bucket.count,
                            bar(bucket.count, most, width)),
                2);
  }
  writer.line("until " + shortTime(process.last_data.back().to), 2);
  writer.proof(sqlCommand(report, process.database, table.query), 2);
}

void marks(const Report& report, const ProcessReport& process, TextWriter& writer) {
  constexpr size_t kMaximumLogMarks = 5;
  constexpr size_t kMaximumNotes = 20;
  // They are of an archive, not of a process: once is enough.
  const auto first =
      std::find_if(report.processes.begin(), report.processes.end(),
                   [&](const ProcessReport& other) { return other.database == process.database; });
  if (first != report.processes.end() && &*first != &process) return;
  size_t notes = 0;
  size_t log_marks = 0;
  size_t left_out = 0;
  std::string last_at;
  for (const MarkReport& mark : report.marks) {
    if (mark.database != process.database || mark.kind == "restart") continue;
    // What somebody put there himself does not drown in a log.
    const bool is_note = mark.source.empty();
    if (is_note ? notes == kMaximumNotes : log_marks == kMaximumLogMarks) {
      ++left_out;
      last_at = shortTime(mark.at);
      continue;
    }
    if (notes + log_marks == 0) {
      writer.blank();
      writer.line("marks from logs and by hand");
    }
    ++(is_note ? notes : log_marks);
    writer.labelled(shortTime(mark.at), (is_note ? "note: " : "") + markInWords(mark), 22, 2);
  }
  if (left_out > 0) writer.line(fmt::format("and {} more, the last at {}", left_out, last_at), 2);
}

}  // namespace

void writeProcess(const Report& report, const ProcessReport& process, TextWriter& writer) {
  writer.heading(fmt::format("{} on {}", nameOf(process), hostOf(report, process)));
  if (process.exe) writer.labelled("program", *process.exe, kLabelColumn);
  if (process.cmdline) writer.labelled("command", shortened(*process.cmdline), kLabelColumn);
  for (const auto& [name, value] : processFacts(process))
    writer.labelled(name, value, kLabelColumn);
  if (!process.has_fds) return;
  chart(report, process, writer);
  marks(report, process, writer);
  for (const ReportTable& table : processTables(process)) {
    writer.table(table, sqlCommand(report, process.database, table.query));
    if (table.id == "outlived") lastData(report, process, writer);
  }
}

}  // namespace fdmortem
