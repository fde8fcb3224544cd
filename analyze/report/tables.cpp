#include "analyze/report/tables.h"

#include <algorithm>
#include <string_view>

#include <fmt/core.h>

#include "analyze/report/words.h"

namespace fdmortem {
namespace {

constexpr size_t kMaximumPeers = 15;
constexpr size_t kMaximumUnreadable = 20;
constexpr size_t kMaximumWaiting = 15;

template <class Item>
Value valueOf(const std::optional<Item>& item) {
  return item ? Value(*item) : Value();
}

Value timeOf(const std::optional<std::string>& time) {
  return time ? Value(shortTime(*time)) : Value();
}

ReportTable countTable(const ProcessReport& process, std::string id, std::string title,
                       std::string_view view, const std::vector<NamedCount>& counts) {
  ReportTable table{.id = std::move(id), .title = std::move(title)};
  table.rows.columns = {"fds", view == "kind_at_end" ? "kind" : "verdict"};
  for (const auto& [name, count] : counts)
    table.rows.rows.push_back({count, name});
  table.query = fmt::format("SELECT * FROM {} WHERE process = {}", view, process.process);
  return table;
}

/// Cuts off what is too much.
void limitRows(ReportTable& table, size_t maximum) {
  if (table.rows.rows.size() <= maximum) return;
  table.left_out = table.rows.rows.size() - maximum;
  table.rows.rows.resize(maximum);
}

/// Where all times of a table are of one day, that goes into the title: it makes narrow columns.
void cutDates(ReportTable& table) {
  constexpr size_t kDate = 10;
  constexpr size_t kTime = 20;
  const auto is_time = [](const std::string& text) {
    return text.size() == kTime && text[kDate] == 'T' && text.back() == 'Z';
  };
  std::string day;
  for (const auto& row : table.rows.rows) {
    for (const Value& value : row) {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr || !is_time(*text)) continue;
      if (!day.empty() && text->compare(0, kDate, day) != 0) return;
      day = text->substr(0, kDate);
    }
  }
  if (day.empty()) return;
  for (auto& row : table.rows.rows) {
    for (Value& value : row) {
      auto* text = std::get_if<std::string>(&value);
      if (text != nullptr && is_time(*text)) text->erase(0, kDate + 1);
    }
  }
  table.title += "; times of " + day;
}

/// The files and addresses of the kinds that grow, as process.cpp asks for them.
ReportTable targetTable(const ProcessReport& process) {
  ReportTable table{
      .id = "targets",
      .title = "paths and addresses of the kinds that grow (* stands for what they differ by)"};
  table.rows.columns = {"fds", "kind", "target", "first seen"};
  for (const TargetGroup& group : process.targets)
    table.rows.rows.push_back({group.fds, group.name, group.target, shortTime(group.first_seen)});
  table.left_out = static_cast<size_t>(
      std::max<int64_t>(process.targets_total - static_cast<int64_t>(process.targets.size()), 0));
  cutDates(table);
  table.all_rows = "the query";
  table.query = fmt::format(
      "SELECT name, target, fds, first_seen FROM target_group WHERE process = {0} AND name IN "
      "(SELECT"
      " name FROM growing_group WHERE process = {0} AND class IN ('kind', 'socket')) ORDER BY fds"
      " DESC, name, target",
      process.process);
  return table;
}

ReportTable peerTable(const ProcessReport& process, std::string_view verdict, std::string title) {
  ReportTable table{.id = std::string(verdict), .title = std::move(title)};
  const bool is_outlived = verdict == "outlived";
  table.rows.columns = {"fds", "peer", "local port", "last state"};
  if (is_outlived) {
    for (const char* column : {"leaks", "proof", "last listed", "last data from", "to"}) {
      table.rows.columns.emplace_back(column);
    }
  }
  for (const PeerGroup& group : process.peers) {
    if (group.verdict != verdict) continue;
    const Value peer = group.peer ? Value(plainAddress(*group.peer)) : Value();
    auto& row = table.rows.rows.emplace_back();
    row = {group.count, peer, valueOf(group.local_port), valueOf(group.last_state)};
    if (is_outlived) {
      row.insert(row.end(), {group.leaks, valueOf(group.proof), timeOf(group.last_lost),
                             timeOf(group.first_data), timeOf(group.last_data)});
    }
  }
  limitRows(table, kMaximumPeers);
  cutDates(table);
  table.all_rows = "fdanalyze sockets";
  table.query = fmt::format(
      "SELECT * FROM peer_group WHERE process = {} AND verdict = '{}' ORDER BY count DESC",
      process.process, verdict);
  return table;
}

}  // namespace

std::vector<ReportTable> processTables(const ProcessReport& process) {
  std::vector<ReportTable> tables;
  const auto add = [&](ReportTable table) {
    if (!table.rows.rows.empty()) tables.push_back(std::move(table));
  };
  add(countTable(process, "kinds", "kinds of fds at the end", "kind_at_end", process.kinds));
  add(countTable(process, "verdicts", "sockets by verdict at the end", "verdict_at_end",
                 process.verdicts));
  add(targetTable(process));
  add(peerTable(process, "outlived",
                "fds that outlived their connections, by peer, port and last state"));
  add(peerTable(process, "peer-closed", "connections in CLOSE_WAIT, by peer and port"));
  add(peerTable(process, "closing", "connections that this side has closed or shut down, by peer"));
  add(peerTable(process, "connect-failed", "sockets whose connect() failed, by peer"));
  const bool are_live = std::all_of(
      process.peers.begin(), process.peers.end(),
      [](const PeerGroup& group) { return group.verdict != "connected" || isEstablished(group); });
  add(peerTable(process, "connected",
                are_live ? "live connections, by peer and port"
                         : "connections and attempts (SYN_SENT), by peer and port"));
  return tables;
}

ReportTable lastDataTable(const ProcessReport& process) {
  ReportTable table{.id = "last-data"};
  int64_t total = 0;
  table.rows.columns = {"from", "to", "sockets"};
  for (const LastDataBucket& bucket : process.last_data) {
    total += bucket.count;
    table.rows.rows.push_back({shortTime(bucket.from), shortTime(bucket.to), bucket.count});
  }
  table.title = fmt::format("when {} last carried data, by the kernel's own count",
                            total == 1 ? "the dead socket" : fmt::format("{} dead sockets", total));
  table.query = fmt::format(
      "SELECT last_data_at, peer, local_port FROM last_data WHERE process = {} ORDER BY 1",
      process.process);
  return table;
}

ReportTable countsTable(const ProcessReport& process, size_t maximum_rows) {
  ReportTable table{.id = "counts", .title = "fds over time"};
  table.rows.columns = {"snapshot", "taken at", "fds", "soft limit"};
  const size_t all = process.counts.size();
  const size_t rows = std::min(maximum_rows, all);
  for (size_t i = 0; i < rows; ++i) {
    const CountAt& at = process.counts[rows > 1 ? i * (all - 1) / (rows - 1) : 0];
    table.rows.rows.push_back(
        {at.snapshot, shortTime(at.taken_at), at.fds, valueOf(at.soft_limit)});
  }
  table.query = fmt::format(
      "SELECT snapshot, taken_at, fds, soft_limit FROM limit_use_at WHERE process = {} ORDER BY "
      "snapshot",
      process.process);
  return table;
}

std::vector<ReportTable> withoutFdTables(const WithoutFd& without_fd) {
  std::vector<ReportTable> tables;
  tables.push_back(
      {.id = "without-fd",
       .title = "connections that no recorded fd holds, at the end",
       .note =
           "At ports on which a recorded process listens. With holder 'nobody' the kernel "
           "alone has them: those in ESTABLISHED or CLOSE_WAIT wait to be accepted (in CLOSE_WAIT "
           "the client has given up or ended its side meanwhile), those in SYN_RECV are not "
           "made yet, the others were closed by the program or with it. What a client has reset "
           "may wait too, and is in no table.",
       .rows = without_fd.rows,
       .query = "SELECT * FROM connection_without_fd"});
  if (without_fd.waiting.rows.empty()) return tables;
  ReportTable waiting{.id = "waiting",
                      .title = "who waits in the accept queue at the end, by peer",
                      .rows = without_fd.waiting,
                      .query =
                          "SELECT local_port, peer, count(*) FROM waiting_connection WHERE "
                          "is_at_end GROUP BY 1, 2"};
  const auto& columns = waiting.rows.columns;
  const auto peer =
      static_cast<size_t>(std::find(columns.begin(), columns.end(), "peer") - columns.begin());
  for (auto& row : waiting.rows.rows) {
    if (peer >= row.size()) continue;
    if (const auto* text = std::get_if<std::string>(&row[peer])) row[peer] = plainAddress(*text);
  }
  limitRows(waiting, kMaximumWaiting);
  waiting.all_rows = "the query";
  tables.push_back(std::move(waiting));
  return tables;
}

ReportTable marksTable(const Report& report, size_t maximum_rows) {
  ReportTable table{.id = "marks", .title = "restarts, lines of logs, and notes"};
  const bool is_several = report.databases.size() > 1;
  table.rows.columns = {"at", "kind", "what"};
  if (is_several) table.rows.columns.emplace_back("host");
  const MarkReport* last = nullptr;
  for (const MarkReport& mark : report.marks) {
    const bool is_note = mark.source.empty() && mark.kind != "restart";
    if (is_note && last != nullptr && last->at_ns == mark.at_ns && last->text == mark.text)
      continue;
    last = is_note ? &mark : nullptr;
    auto& row = table.rows.rows.emplace_back();
    row = {shortTime(mark.at), mark.kind, markInWords(mark)};
    if (is_several) row.emplace_back(is_note ? "all" : hostOf(report, mark.database));
  }
  limitRows(table, maximum_rows);
  return table;
}

namespace {

/// Where a column of words says it better, and what is empty throughout.
bool isSpare(const ResultTable& rows, size_t column) {
  const auto has = [&](std::string_view name) {
    return std::find(rows.columns.begin(), rows.columns.end(), name) != rows.columns.end();
  };
  if (rows.columns[column] == "subject") return has("file");
  if (rows.columns[column] == "errno") return has("reason");
  return rows.columns[column] == "detail" &&
         std::all_of(rows.rows.begin(), rows.rows.end(), [&](const auto& row) {
           return std::holds_alternative<std::monostate>(row.at(column));
         });
}

/// For people: without what a program may want.
ResultTable unreadableInWords(const ResultTable& rows) {
  ResultTable words;
  std::vector<size_t> kept;
  for (size_t i = 0; i < rows.columns.size(); ++i) {
    if (isSpare(rows, i)) continue;
    kept.push_back(i);
    words.columns.push_back(rows.columns[i]);
  }
  for (const auto& row : rows.rows) {
    auto& values = words.rows.emplace_back();
    for (const size_t column : kept)
      values.push_back(row.at(column));
  }
  return words;
}

}  // namespace

ReportTable unreadableTable(const Coverage& coverage) {
  ReportTable table{.id = "unreadable", .rows = unreadableInWords(coverage.unreadable)};
  const size_t all = coverage.unreadable.rows.size();
  table.title = fmt::format(
      "{} in {}",
      plural(static_cast<int64_t>(all), "thing could not be read", "things could not be read"),
      coverage.database);
  limitRows(table, kMaximumUnreadable);
  table.all_rows = "the query";
  table.query = "SELECT * FROM unreadable";
  return table;
}

namespace {

/// The numbers of an archive's processes at their ends.
struct Totals {
  int64_t processes = 0;
  int64_t unread = 0;  ///< of these, not ended: their fds could not be read, or not all of them
  int64_t without_fds = 0;  ///< of these: none of them
  int64_t fds = 0;
  int64_t at_limit = 0;  ///< processes that have used up theirs
  int64_t outlived = 0;
  int64_t close_wait = 0;
};

Totals totalsOf(const Report& report, const DatabaseReport& database) {
  Totals totals;
  for (const ProcessReport& process : report.processes) {
    if (process.database != database.path) continue;
    ++totals.processes;
    if (process.has_ended) continue;
    totals.unread += !process.has_fds || unreadFdsOf(process) > 0 ? 1 : 0;
    totals.without_fds += process.has_fds ? 0 : 1;
    totals.fds += process.fds_last;
    totals.at_limit += process.is_full ? 1 : 0;
    totals.outlived += countOf(process.verdicts, "outlived");
    totals.close_wait += countOf(process.verdicts, "peer-closed");
  }
  return totals;
}

/// No number where nothing was read: none of what was not read is no zero.
Value knownOf(int64_t count, int64_t unread) {
  return count == 0 && unread > 0 ? Value() : Value(count);
}

/// The archives in the order of their worst findings, then as they were given.
std::vector<const DatabaseReport*> worstFirst(const Report& report) {
  std::vector<const DatabaseReport*> databases;
  for (const DatabaseReport& database : report.databases)
    databases.push_back(&database);
  const auto place = [&](const DatabaseReport* database) {
    const Finding* worst = worstFindingOf(report, *database);
    return worst == nullptr ? report.findings.size()
                            : static_cast<size_t>(worst - report.findings.data());
  };
  std::stable_sort(databases.begin(), databases.end(),
                   [&](const auto* a, const auto* b) { return place(a) < place(b); });
  return databases;
}

}  // namespace

ReportTable archivesTable(const Report& report) {
  ReportTable table{.id = "archives", .title = "archives, worst first"};
  table.rows.columns = {"worst",     "finding", "host",     "archive",  "from",      "to",
                        "processes", "fds",     "at limit", "outlived", "CLOSE_WAIT"};
  int64_t unread = 0;
  for (const DatabaseReport* database : worstFirst(report)) {
    const auto coverage =
        std::find_if(report.coverage.begin(), report.coverage.end(),
                     [&](const Coverage& entry) { return entry.database == database->path; });
    const bool is_covered = coverage != report.coverage.end();
    const Finding* worst = worstFindingOf(report, *database);
    const Totals totals = totalsOf(report, *database);
    table.rows.rows.push_back(
        {worst == nullptr ? Value("-") : Value(worst->severity),
         worst == nullptr ? Value("-") : Value(worst->id), database->host, database->path,
         is_covered ? timeOf(coverage->first_at) : Value(),
         is_covered ? timeOf(coverage->last_at) : Value(), totals.processes,
         knownOf(totals.fds, totals.without_fds), knownOf(totals.at_limit, totals.without_fds),
         knownOf(totals.outlived, totals.unread), knownOf(totals.close_wait, totals.unread)});
    unread += totals.unread;
  }
  cutDates(table);
  table.note =
      "fds, and how many of them outlived or are in CLOSE_WAIT, are those of the processes "
      "that had not ended, at the end.";
  if (unread > 0) {
    table.note += fmt::format(" Of {} not all of that could be read: it is not counted.",
                              plural(unread, "process", "processes"));
  }
  return table;
}

ReportTable overviewTable(const Report& report, size_t maximum_rows) {
  ReportTable table{.id = "overview", .title = "processes"};
  table.rows.columns = {"worst",    "finding", "process", "pid",      "host",       "fds first",
                        "fds last", "limit",   "live",    "outlived", "CLOSE_WAIT", "ended"};
  for (const ProcessReport& process : report.processes) {
    const Finding* worst = worstFindingOf(report, process);
    const auto fds = [&](int64_t count) { return process.has_fds ? Value(count) : Value(); };
    // Where fds could not be read, none of a verdict is no number.
    const auto verdict = [&](std::string_view name) {
      const int64_t count = countOf(process.verdicts, name);
      return process.has_fds ? knownOf(count, unreadFdsOf(process)) : Value();
    };
    table.rows.rows.push_back(
        {worst == nullptr ? "-" : worst->severity, worst == nullptr ? "-" : worst->id,
         process.name.empty() ? process.comm : process.name, process.pid, hostOf(report, process),
         fds(process.fds_first), fds(process.fds_last), valueOf(process.soft_limit),
         process.has_fds ? knownOf(establishedOf(process), unreadFdsOf(process)) : Value(),
         verdict("outlived"), verdict("peer-closed"),
         std::string(process.has_ended ? "yes" : "no")});
  }
  limitRows(table, maximum_rows);
  table.all_rows = "the query";
  table.query =
      "SELECT * FROM processes LEFT JOIN process_fds USING (process) ORDER BY fds_peak DESC";
  return table;
}

}  // namespace fdmortem
