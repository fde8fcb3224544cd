#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/core.h>

#include "analyze/listing.h"
#include "analyze/report_render.h"

namespace fdmortem {
namespace {

constexpr size_t kChartRows = 12;
constexpr int kBarWidth = 40;
constexpr size_t kMaximumPeers = 15;
constexpr size_t kMaximumUnreadable = 20;
/// Processes without a finding get one line each, and no more of them than this.
constexpr size_t kMaximumQuietProcesses = 20;
constexpr size_t kLineWidth = 100;
constexpr double kSoonHours = 7 * 24;

std::string plural(int64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string seconds(double value) {
  if (value < 120) return fmt::format("{:.0f} s", value);
  if (value < 7200) return fmt::format("{:.0f} min", value / 60);
  if (value < 172800) return fmt::format("{:.1f} h", value / 3600);
  return fmt::format("{:.1f} days", value / 86400);
}

std::string name(const ProcessReport& process) {
  return fmt::format("{} (pid {})", process.comm.empty() ? "?" : process.comm, process.pid);
}

/// Breaks at blanks; the lines after the first are indented.
std::string wrap(std::string_view text, size_t indent) {
  std::string result(indent, ' ');
  size_t column = indent;
  bool is_first = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    if (!is_first && column + 1 + word.size() > kLineWidth) {
      result += '\n';
      result.append(indent, ' ');
      column = indent;
    } else if (!is_first) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    is_first = false;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return result + "\n";
}

int64_t countOf(const std::vector<NamedCount>& counts, std::string_view wanted) {
  for (const auto& [key, count] : counts) {
    if (key == wanted) return count;
  }
  return 0;
}

bool belongsTo(const Finding& finding, const ProcessReport& process) {
  return finding.database == process.database && finding.pid == process.pid &&
         finding.start_ticks == process.start_ticks;
}

std::vector<const Finding*> findingsOf(const Report& report, const ProcessReport& process) {
  std::vector<const Finding*> findings;
  for (const Finding& finding : report.findings) {
    if (belongsTo(finding, process)) findings.push_back(&finding);
  }
  return findings;
}

/// A report in the making.
class TextReport {
 public:
  explicit TextReport(const Report& report) : report_(report) {}

  std::string render() {
    summary();
    findings();
    size_t quiet = 0;
    for (const ProcessReport& process : report_.processes) {
      if (&process == &report_.processes.front() || !findingsOf(report_, process).empty()) {
        processSection(process);
      } else {
        ++quiet;
      }
    }
    if (quiet > 0) quietProcesses(quiet);
    withoutFd();
    coverage();
    custody();
    return text_;
  }

 private:
  template <class... Arguments>
  void add(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    text_ += fmt::format(format, std::forward<Arguments>(arguments)...);
  }

  void heading(const std::string& title) {
    add("\n{}\n{}\n", title, std::string(title.size(), '-'));
  }

  // --- the first three lines ---

  void summary() {
    if (report_.processes.empty()) {
      add("No process was recorded.\n");
      add("{}\n", coverageLine());
      add("There is nothing to judge.\n");
      return;
    }
    const ProcessReport& process = report_.processes.front();
    add("{}\n", whatHappened(process));
    add("{}\n", whatItIs(process));
    add("{}\n", whatElse(process));
  }

  static std::string whatHappened(const ProcessReport& process) {
    if (!process.has_fds) return fmt::format("{}: its fds could not be read.", name(process));
    if (process.first_seen == process.last_seen) {
      return fmt::format("{} had {} at {}, in the only snapshot of it; its limit is {}.",
                         name(process), plural(process.fds_last, "fd", "fds"), process.last_seen,
                         process.soft_limit ? std::to_string(*process.soft_limit) : "not known");
    }
    std::string line;
    if (process.fds_first == process.fds_last && process.fds_peak == process.fds_last) {
      line = fmt::format("{} had {} through the whole recording", name(process),
                         plural(process.fds_last, "fd", "fds"));
    } else {
      line = fmt::format("{} went from {} to {} fds", name(process), process.fds_first,
                         process.fds_last);
      if (process.fds_peak > std::max(process.fds_first, process.fds_last)) {
        line += fmt::format(" (peak {})", process.fds_peak);
      }
    }
    line += fmt::format(", seen from {} to {}", process.first_seen, process.last_seen);
    if (process.has_ended) line += ", then it ended";
    if (process.limit_reached_at) {
      line += fmt::format("; its limit was reached at {}", *process.limit_reached_at);
    } else if (process.soft_limit) {
      line += fmt::format("; its limit is {}", *process.soft_limit);
    }
    return line + ".";
  }

  std::string whatItIs(const ProcessReport& process) const {
    if (!process.has_fds) return "So nothing is known of them; what could not be read is below.";
    const auto findings = findingsOf(report_, process);
    for (const Finding* finding : findings) {
      // A finding counts what was so for longer than the grace period; at the end there may be
      // more.
      if (finding->id == "outlived-connections") {
        return fmt::format("{}; {} of all {} fds at the end have lost theirs.", finding->title,
                           countOf(process.verdicts, "outlived"), process.fds_last);
      }
      if (finding->id == "close-wait") {
        return fmt::format("{}; {} of all {} fds at the end are in CLOSE_WAIT.", finding->title,
                           countOf(process.verdicts, "peer-closed"), process.fds_last);
      }
    }
    const int64_t outlived = countOf(process.verdicts, "outlived");
    if (outlived > 0) {
      return fmt::format(
          "{} no connection any more at the end, none for longer than the grace period.",
          outlived == 1 ? "1 fd had" : fmt::format("{} fds had", outlived));
    }
    const int64_t alive = countOf(process.verdicts, "connected");
    const int64_t unlisted = countOf(process.verdicts, "unlisted");
    if (unlisted > 0) {
      return fmt::format(
          "None of its fds is known to have outlived its connection: {}, of {} no table says "
          "anything.",
          plural(alive, "socket is connected", "sockets are connected"),
          plural(unlisted, "socket", "sockets"));
    }
    return fmt::format(
        "No fd outlived its connection: {} of the {} fds at the end are live connections.", alive,
        process.fds_last);
  }

  std::string whatElse(const ProcessReport& process) const {
    if (leaks(process) && isRunningOut(process)) {
      return fmt::format("If it goes on like this ({}), its limit will be reached about {}.",
                         growth(process), *process.exhaustion_at);
    }
    for (const char* id : {"accept-queue", "restarted", "tcp6-only", "limit-reached"}) {
      for (const Finding* finding : findingsOf(report_, process)) {
        if (finding->id != id) continue;
        const bool is_alive = countOf(process.verdicts, "outlived") == 0;
        if (finding->id == "accept-queue" && is_alive) {
          return fmt::format("{}: too many live clients for the limit{}.", finding->title,
                             tcp6Clause(process));
        }
        return fmt::format("{}.", finding->title);
      }
    }
    if (report_.findings.empty()) {
      return process.has_fds ? "Nothing was found that needs attention."
                             : "Nothing was found in what could be read.";
    }
    const size_t count = report_.findings.size();
    return fmt::format("{} below, the first: {}.",
                       plural(static_cast<int64_t>(count), "finding", "findings"),
                       report_.findings.front().title);
  }

  static std::string growth(const ProcessReport& process) {
    const double per_hour = process.growth.per_hour.value_or(0);
    const double size = std::abs(per_hour);
    if (size < 0.05) return "none";
    if (size >= 3600) return fmt::format("{:+.1f} fds a second", per_hour / 3600);
    if (size >= 60) return fmt::format("{:+.1f} fds a minute", per_hour / 60);
    return fmt::format("{:+.1f} fds an hour", per_hour);
  }

  bool leaks(const ProcessReport& process) const {
    const auto findings = findingsOf(report_, process);
    return std::any_of(findings.begin(), findings.end(), [](const Finding* finding) {
      return finding->id == "outlived-connections" || finding->id == "close-wait";
    });
  }

  /// It will be out of fds within days. In months everything will be another way.
  static bool isRunningOut(const ProcessReport& process) {
    if (!process.exhaustion_at || process.limit_reached_at || process.has_ended) return false;
    const auto left = static_cast<double>(process.soft_limit.value_or(0) - process.fds_last);
    return left < process.growth.per_hour.value_or(0) * kSoonHours;
  }

  std::string tcp6Clause(const ProcessReport& process) const {
    for (const Finding* finding : findingsOf(report_, process)) {
      if (finding->id == "tcp6-only") return "; " + finding->title;
    }
    return {};
  }

  // --- findings ---

  void findings() {
    heading("Findings");
    if (report_.findings.empty()) {
      add("None.\n");
      return;
    }
    for (const Finding& finding : report_.findings) {
      const std::string who = finding.pid ? fmt::format("pid {}: ", *finding.pid) : std::string();
      add("[{}] {}{}  ({})\n", finding.severity, who, finding.title, finding.id);
      text_ += wrap(finding.explanation, 4);
      text_ += wrap("What to do: " + finding.advice, 4);
      text_ += wrap("Proof: fdanalyze sql DB \"" + finding.query + "\"", 4);
    }
  }

  // --- one process ---

  void processSection(const ProcessReport& process) {
    heading(fmt::format("{} on {}", name(process), hostOf(process.database)));
    if (process.exe) add("program     {}\n", *process.exe);
    if (process.cmdline) add("command     {}\n", process.cmdline->substr(0, 300));
    add("seen        {} to {}{}\n", process.first_seen, process.last_seen,
        process.has_ended ? ", then it ended" : "");
    if (process.unread_snapshots > 0) {
      add("not read    its fds could not be read in {}\n",
          plural(process.unread_snapshots, "snapshot", "snapshots"));
    }
    if (!process.has_fds) return;
    fdNumbers(process);
    chart(process);
    countTable("kinds of fds at the end", process.kinds);
    countTable("sockets by verdict at the end", process.verdicts);
    peerTable(process, "outlived",
              "fds that outlived their connections, by peer, port and last state");
    lastData(process);
    peerTable(process, "peer-closed", "connections in CLOSE_WAIT, by peer and port");
    peerTable(process, "connected", "live connections, by peer and port");
  }

  std::string hostOf(const std::string& path) const {
    for (const DatabaseReport& database : report_.databases) {
      if (database.path == path) return database.host;
    }
    return "?";
  }

  void fdNumbers(const ProcessReport& process) {
    const auto limit = [](const std::optional<int64_t>& value) {
      return value ? std::to_string(*value) : std::string("unlimited or unread");
    };
    add("fds         {} at first, {} at the end, peak {} at {}\n", process.fds_first,
        process.fds_last, process.fds_peak, process.peak_at);
    add("limit       {} soft, {} hard{}\n", limit(process.soft_limit), limit(process.hard_limit),
        process.limit_changed ? "; it was changed while recorded" : "");
    if (process.growth.per_hour) {
      add("growth      {}{}\n", growth(process),
          process.limit_reached_at ? ", until the limit was reached" : "");
    } else {
      add("growth      not known: {}\n", process.growth.reason);
    }
    if (process.limit_reached_at) {
      add("exhausted   at {} (observed)\n", *process.limit_reached_at);
    } else if (process.exhaustion_at) {
      add("exhausted   about {}, if it goes on like this (inferred from the growth)\n",
          *process.exhaustion_at);
    } else if (process.has_ended) {
      add("exhausted   not before it ended\n");
    } else {
      add("exhausted   not in sight\n");
    }
  }

  void chart(const ProcessReport& process) {
    if (process.counts.size() < 2) return;
    int64_t top = process.fds_peak;
    for (const CountAt& count : process.counts)
      top = std::max(top, count.soft_limit.value_or(0));
    // A limit far away would press the curve flat.
    const bool shows_limit = process.soft_limit && top <= process.fds_peak * 4;
    if (!shows_limit) top = process.fds_peak;
    add("\nfds over time{}\n",
        shows_limit ? ", | is the soft limit" : " (the soft limit is far away)");
    const size_t rows = std::min(kChartRows, process.counts.size());
    for (size_t i = 0; i < rows; ++i) {
      const CountAt& at = process.counts[i * (process.counts.size() - 1) / (rows - 1)];
      const auto scale = [&](int64_t value) {
        return static_cast<size_t>(value * kBarWidth / std::max<int64_t>(top, 1));
      };
      std::string bar = std::string(scale(at.fds), '#');
      bar.resize(kBarWidth + 1, ' ');
      if (shows_limit && at.soft_limit)
        bar[std::min<size_t>(scale(*at.soft_limit), kBarWidth)] = '|';
      bar.resize(bar.find_last_not_of(' ') + 1);
      add("  {}  {:>7}  {}\n", at.taken_at, at.fds, bar);
    }
  }

  void countTable(const std::string& title, const std::vector<NamedCount>& counts) {
    if (counts.empty()) return;
    add("\n{}\n", title);
    for (const auto& [key, count] : counts)
      add("  {:>7}  {}\n", count, key);
  }

  void lastData(const ProcessReport& process) {
    if (process.last_data.empty()) return;
    int64_t most = 0;
    int64_t total = 0;
    for (const LastDataBucket& bucket : process.last_data) {
      most = std::max(most, bucket.count);
      total += bucket.count;
    }
    add("\nwhen {} last carried data, by the kernel's own count\n",
        total == 1 ? "the dead socket" : fmt::format("{} dead sockets", total));
    for (const LastDataBucket& bucket : process.last_data) {
      const std::string bar(static_cast<size_t>(bucket.count * kBarWidth / most), '#');
      add("  from {}  {:>7}  {}\n", bucket.from, bucket.count, bar);
    }
    add("  until {}\n", process.last_data.back().to);
  }

  void peerTable(const ProcessReport& process, std::string_view verdict, std::string_view title) {
    ResultTable table;
    const bool is_outlived = verdict == "outlived";
    table.columns = {"fds", "peer", "local port", "last state"};
    if (is_outlived) {
      for (const char* column : {"leaks", "proof", "last listed", "last data from", "to"}) {
        table.columns.emplace_back(column);
      }
    }
    const auto value = [](const auto& optional) { return optional ? Value(*optional) : Value(); };
    size_t left_out = 0;
    for (const PeerGroup& group : process.peers) {
      if (group.verdict != verdict) continue;
      if (table.rows.size() == kMaximumPeers) {
        ++left_out;
        continue;
      }
      auto& row = table.rows.emplace_back();
      row = {group.count, value(group.peer), value(group.local_port), value(group.last_state)};
      if (is_outlived) {
        row.insert(row.end(), {group.leaks, value(group.proof), value(group.last_lost),
                               value(group.first_data), value(group.last_data)});
      }
    }
    if (table.rows.empty()) return;
    add("\n{}\n", title);
    indented(renderListing(table, ListingFormat::Table));
    if (left_out > 0)
      add("  and {} ('fdanalyze sockets' has all)\n",
          plural(static_cast<int64_t>(left_out), "group more", "groups more"));
  }

  void indented(std::string_view lines) {
    while (!lines.empty()) {
      const size_t end = lines.find('\n');
      add("  {}\n", lines.substr(0, end));
      lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    }
  }

  void quietProcesses(size_t count) {
    heading(fmt::format("{} without a finding",
                        plural(static_cast<int64_t>(count), "process", "processes")));
    size_t shown = 0;
    for (const ProcessReport& process : report_.processes) {
      if (&process == &report_.processes.front() || !findingsOf(report_, process).empty()) continue;
      if (++shown > kMaximumQuietProcesses) break;
      if (process.has_fds) {
        add("  {}: {} to {} fds, limit {}{}\n", name(process), process.fds_first, process.fds_last,
            process.soft_limit ? std::to_string(*process.soft_limit) : "-",
            process.has_ended ? ", ended" : "");
      } else {
        add("  {}: its fds could not be read\n", name(process));
      }
    }
    if (count > kMaximumQuietProcesses) add("  and {} more\n", count - kMaximumQuietProcesses);
  }

  void withoutFd() {
    for (const WithoutFd& without_fd : report_.without_fd) {
      heading("Connections that no recorded fd holds, at the end");
      text_ += wrap(
          "At ports on which a recorded process listens. With holder 'nobody' the kernel alone has "
          "them: "
          "ESTABLISHED ones wait to be accepted, the others were closed by the program.",
          0);
      indented(renderListing(without_fd.rows, ListingFormat::Table));
    }
  }

  // --- what could not be seen ---

  std::string coverageLine() const {
    int64_t snapshots = 0, missed = 0, late = 0;
    double total = 0;
    for (const Coverage& coverage : report_.coverage) {
      snapshots += coverage.snapshots;
      missed += coverage.missed;
      late += coverage.late;
      total += coverage.seconds;
    }
    return fmt::format("{} over {}, {} missed, {} late", plural(snapshots, "snapshot", "snapshots"),
                       seconds(total), missed, late);
  }

  void coverage() {
    heading("What could not be seen");
    add("{}.\n", coverageLine());
    bool is_whole = true;
    for (const DatabaseReport& database : report_.databases) {
      for (const std::string& doubt : database.doubts) {
        text_ += wrap(fmt::format("{}: {}", database.path, doubt), 2);
        is_whole = false;
      }
    }
    for (const Coverage& coverage : report_.coverage) {
      const ResultTable& table = coverage.unreadable;
      if (table.rows.empty()) continue;
      is_whole = false;
      ResultTable shown = table;
      if (shown.rows.size() > kMaximumUnreadable) shown.rows.resize(kMaximumUnreadable);
      add("{} in {}:\n",
          plural(static_cast<int64_t>(table.rows.size()), "thing could not be read",
                 "things could not be read"),
          coverage.database);
      indented(renderListing(shown, ListingFormat::Table));
      if (shown.rows.size() < table.rows.size()) {
        add("  and {} more ('fdanalyze sql DB \"SELECT * FROM unreadable\"')\n",
            table.rows.size() - shown.rows.size());
      }
    }
    if (is_whole) add("Everything that was asked for could be read in each of them.\n");
    text_ += wrap(
        "Between two snapshots nothing is seen: what opened and closed in between left no trace. A "
        "verdict "
        "'unlisted' means that no table lists the socket and nothing tells whether it ever had a "
        "connection.",
        0);
  }

  void custody() {
    heading("Where this comes from");
    for (const DatabaseReport& database : report_.databases) {
      add("{}\n  SHA-256 {}\n  host {}, kernel {}, boot {}\n", database.path, database.sha256,
          database.host, database.kernel, database.boot_id.value_or("unknown"));
      for (const auto& row : database.recordings)
        recordingLine(row);
    }
    add("written by fdanalyze {}\n", FDMORTEM_VERSION);
  }

  void recordingLine(const std::vector<Value>& row) {
    const auto cell = [&](std::string_view column) {
      const auto found =
          std::find(report_.recording_columns.begin(), report_.recording_columns.end(), column);
      const Value& value = row.at(static_cast<size_t>(found - report_.recording_columns.begin()));
      if (const auto* text = std::get_if<std::string>(&value)) return *text;
      if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
      return std::string("-");
    };
    add("  recording {}: {} to {} ({}), every {} ms, by fdcapture {} with uid {}\n", cell("id"),
        cell("started_at"), cell("ended_at"), cell("end_reason"), cell("interval_ms"),
        cell("program_version"), cell("recorder_uid"));
    if (cell("note") != "-") add("    note: {}\n", cell("note"));
  }

  const Report& report_;
  std::string text_;
};

}  // namespace

std::string renderReportText(const Report& report) {
  return TextReport(report).render();
}

}  // namespace fdmortem
