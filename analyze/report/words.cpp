#include "analyze/report/words.h"

#include <algorithm>
#include <set>

#include <fmt/core.h>

namespace fdmortem {
namespace {

constexpr int64_t kDefaultGraceMs = 30'000;
/// A limit further away than so many times the peak is out of sight.
constexpr int64_t kLimitInSight = 4;
/// Network namespaces of its sockets beside its own.
constexpr size_t kMaximumNamespaces = 3;

/// As the option takes it: 90s, 500ms.
std::string graceOption(int64_t grace_ms) {
  return grace_ms % 1000 == 0 ? fmt::format("{}s", grace_ms / 1000) : fmt::format("{}ms", grace_ms);
}

std::string limitText(const std::optional<int64_t>& limit) {
  return limit ? std::to_string(*limit) : std::string("unlimited or unread");
}

std::string ended(const ProcessReport& process) {
  return process.has_ended ? ", then it ended" : "";
}

std::string exhaustionText(const ProcessReport& process) {
  const std::string range = process.is_full ? std::string() : exhaustionRange(process);
  std::string ahead = range.empty() ? "" : range + ", if it goes on like this (inferred)";
  if (process.limit_reached_at) {
    return fmt::format("{} (snapshot {}, observed){}", limitReachedTime(process),
                       process.limit_reached_snapshot, ahead.empty() ? "" : "; again " + ahead);
  }
  if (!ahead.empty()) return ahead;
  return "no forecast: " + process.forecast_reason;
}

/// Of what time a rate is, where that is not all of it.
std::string growthClause(const ProcessReport& process) {
  std::string clause;
  if (!process.growth_since.empty())
    clause += ", since the limit was changed at " + shortTime(process.growth_since);
  if (process.is_growth_stopped)
    clause += process.limit_reached_at ? ", until the limit was reached"
                                       : ", until hardly a number below the limit was free";
  if (!process.growth_stopped_at.empty())
    clause += ", none since " + shortTime(process.growth_stopped_at);
  return clause;
}

/// Two archives can be of one host, and two hosts can have one name.
std::string withDatabase(const Report& report, const std::string& host, std::string_view database) {
  return report.databases.size() == 1 ? host : fmt::format("{} ({})", host, database);
}

}  // namespace

std::string plural(int64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string duration(double seconds) {
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 172800) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} days", seconds / 86400);
}

std::string spanInWords(int64_t ms) {
  constexpr int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (ms > 0 && ms % kDay == 0) return fmt::format("{} d", ms / kDay);
  if (ms > 0 && ms % kHour == 0) return fmt::format("{} h", ms / kHour);
  if (ms >= 2 * kMinute && ms % kMinute == 0) return fmt::format("{} min", ms / kMinute);
  if (ms % 1000 == 0) return fmt::format("{} s", ms / 1000);
  return fmt::format("{} ms", ms);
}

std::string grace(const Report& report) {
  return spanInWords(report.grace_ms);
}

std::string nameOf(const ProcessReport& process) {
  const std::string& name = process.name.empty() ? process.comm : process.name;
  return fmt::format("{} (pid {})", name.empty() ? "?" : name, process.pid);
}

std::string_view isOrWas(const ProcessReport& process, int64_t count) {
  if (process.has_ended) return count == 1 ? "was" : "were";
  return count == 1 ? "is" : "are";
}

std::string shortTime(std::string_view time) {
  constexpr size_t kToSeconds = 19;
  if (time.size() <= kToSeconds) return std::string(time);
  return std::string(time.substr(0, kToSeconds)) + "Z";
}

std::string timeAndSnapshot(std::string_view time, int64_t snapshot) {
  return fmt::format("{} (snapshot {})", shortTime(time), snapshot);
}

std::vector<std::pair<std::string, std::string>> processFacts(const ProcessReport& process) {
  std::vector<std::pair<std::string, std::string>> facts;
  const bool is_single = process.first_snapshot == process.last_snapshot;
  facts.emplace_back(
      "seen",
      is_single
          ? timeAndSnapshot(process.first_seen, process.first_snapshot) + ended(process)
          : fmt::format("{} to {}{}", timeAndSnapshot(process.first_seen, process.first_snapshot),
                        timeAndSnapshot(process.last_seen, process.last_snapshot), ended(process)));
  if (process.netns) {
    // Another namespace than that of a shell shows nothing of it in /proc/net/tcp or ss.
    std::string network = fmt::format("namespace {}", *process.netns);
    if (!process.has_ended)
      network += fmt::format("; its tables by hand: nsenter -t {} -n ss -tanp", process.pid);
    for (size_t i = 0; i < std::min(process.unread_netns.size(), kMaximumNamespaces); ++i) {
      const auto& [netns, count] = process.unread_netns[i];
      network += fmt::format("; {} of {}, which was not read",
                             plural(count, "socket is", "sockets are"), netns);
    }
    facts.emplace_back("network", std::move(network));
  }
  if (process.unread_snapshots > 0) {
    facts.emplace_back("not read", "its fds could not be read in " +
                                       plural(process.unread_snapshots, "snapshot", "snapshots"));
  }
  if (!process.has_fds) return facts;
  facts.emplace_back(
      "fds", is_single ? std::to_string(process.fds_last)
                       : fmt::format("{} at first, {} at the end, peak {} at {}", process.fds_first,
                                     process.fds_last, process.fds_peak,
                                     timeAndSnapshot(process.peak_at, process.peak_snapshot)));
  facts.emplace_back("limit",
                     fmt::format("{} soft, {} hard{}", limitText(process.soft_limit),
                                 limitText(process.hard_limit),
                                 process.limit_changed ? "; it was changed while recorded" : ""));
  facts.emplace_back("growth", process.growth.per_hour
                                   ? rateInWords(process.growth) + growthClause(process)
                                   : "not known: " + process.growth.reason);
  facts.emplace_back("exhausted", exhaustionText(process));
  return facts;
}

std::string exhaustionRange(const ProcessReport& process) {
  if (!process.exhaustion_from || !process.exhaustion_to) return {};
  const std::string from = shortTime(*process.exhaustion_from);
  const std::string to = shortTime(*process.exhaustion_to);
  return from == to ? "about " + from : "between " + from + " and " + to;
}

std::string markInWords(const MarkReport& mark) {
  if (mark.count < 2) return mark.text;
  const std::string last = shortTime(mark.last_at);
  return fmt::format(
      "{} (and {} more {} {})", mark.text, mark.count - 1,
      mark.kind + (mark.count == 2 ? " line" : " lines"),
      last.empty() || last == shortTime(mark.at) ? "in that second" : "until " + last);
}

std::string limitReachedTime(const ProcessReport& process) {
  if (!process.limit_reached_at) return {};
  const std::string seen = shortTime(*process.limit_reached_at);
  if (!process.limit_before_at) return "at or before " + seen;
  const std::string before = shortTime(*process.limit_before_at);
  return before == seen ? "at " + seen : "between " + before + " and " + seen;
}

bool limitIsInSight(const ProcessReport& process, const std::optional<int64_t>& limit) {
  return limit && *limit / kLimitInSight <= process.fds_peak;
}

int64_t chartTop(const ProcessReport& process) {
  int64_t top = process.fds_peak;
  for (const CountAt& count : process.counts) {
    if (limitIsInSight(process, count.soft_limit)) top = std::max(top, *count.soft_limit);
  }
  return top;
}

std::vector<std::string> notesOf(const Report& report) {
  std::vector<std::string> notes;
  notes.emplace_back(
      "Observed is what a snapshot holds; inferred is what follows from it, with a rate or a rule; "
      "what neither tells is named as not known.");
  int64_t snapshots = 0;
  for (const Coverage& coverage : report.coverage)
    snapshots += coverage.snapshots;
  notes.emplace_back(
      snapshots == 1
          ? "One snapshot shows one moment: of what was before and after it there is only what the "
            "kernel still knew then."
          : "Between two snapshots nothing is seen: what opened and closed in between left no "
            "trace.");
  notes.push_back(fmt::format(
      "An fd that has outlived its connection for longer than the grace period of {} counts as a "
      "leak; '--grace' changes that.",
      grace(report)));
  notes.emplace_back(
      "The verdict 'unlisted' means that no table lists the socket and nothing proves that its "
      "connection ended, failed or never was.");
  notes.emplace_back(
      "IPv4 peers of IPv6 sockets are shown without their ::ffff: prefix. Times are UTC, by the "
      "host's clock, with fractions of a second cut off.");
  return notes;
}

std::vector<std::string> unreadLines(const Report& report) {
  std::vector<std::string> lines;
  for (const UnreadDatabase& unread : report.unread) {
    lines.push_back(fmt::format("{}: could not be read, so nothing here is of it: {}", unread.path,
                                unread.reason));
  }
  return lines;
}

std::string withPath(const Report& report, const std::string& database, const std::string& note) {
  return report.databases.size() > 1 ? database + ": " + note : note;
}

std::string coverageLine(const Report& report) {
  int64_t snapshots = 0, missed = 0, late = 0;
  bool is_estimate = false;
  double total = 0;
  for (const Coverage& coverage : report.coverage) {
    snapshots += coverage.snapshots;
    missed += coverage.missed;
    is_estimate = is_estimate || coverage.is_missed_estimate;
    late += coverage.late;
    total += coverage.seconds;
  }
  const std::string over = snapshots > 1 ? " over " + duration(total) : std::string();
  return fmt::format("{}{}, {}{} missed, {} late", plural(snapshots, "snapshot", "snapshots"), over,
                     is_estimate ? "about " : "", missed, late);
}

std::string hostOf(const Report& report, std::string_view database) {
  for (const DatabaseReport& entry : report.databases) {
    if (entry.path == database) return withDatabase(report, entry.host, database);
  }
  return "?";
}

std::string hostOf(const Report& report, const ProcessReport& process) {
  return withDatabase(report, process.host, process.database);
}

std::string hostNames(const Report& report) {
  std::set<std::string_view> seen;
  std::string names;
  for (const DatabaseReport& database : report.databases) {
    if (seen.insert(database.host).second) names += (names.empty() ? "" : ", ") + database.host;
  }
  return names;
}

std::string plainAddress(std::string_view address) {
  constexpr std::string_view kMapped = "[::ffff:";
  const size_t end = address.find(']');
  if (!address.starts_with(kMapped) || end == std::string_view::npos) return std::string(address);
  const std::string_view inner = address.substr(kMapped.size(), end - kMapped.size());
  if (inner.find('.') == std::string_view::npos) return std::string(address);
  return std::string(inner) + std::string(address.substr(end + 1));
}

std::string_view keyOf(Statement::Basis basis) {
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

std::vector<size_t> placesWithSection(const Report& report, size_t most) {
  std::vector<size_t> places;
  for (size_t i = 0; i < report.processes.size() && places.size() < most; ++i) {
    if (i == 0 || !findingsOf(report, report.processes[i]).empty()) places.push_back(i);
  }
  return places;
}

bool isEstablished(const PeerGroup& group) {
  return group.verdict == "connected" && group.last_state == "ESTABLISHED";
}

int64_t establishedOf(const ProcessReport& process) {
  int64_t count = 0;
  for (const PeerGroup& group : process.peers)
    count += isEstablished(group) ? group.count : 0;
  return count;
}

int64_t countOf(const std::vector<NamedCount>& counts, std::string_view name) {
  for (const auto& [key, count] : counts) {
    if (key == name) return count;
  }
  return 0;
}

int64_t unreadFdsOf(const ProcessReport& process) {
  return countOf(process.kinds, "unread");
}

int64_t unknownSocketsOf(const ProcessReport& process) {
  int64_t count = countOf(process.verdicts, "unlisted");
  for (const auto& [state, told] : process.told)
    count -= told;
  return count;
}

std::string whyUnread(const ProcessReport& process) {
  if (process.unread_reason.empty()) return {};
  return fmt::format(
      " ({}{})", process.unread_reason,
      process.is_refused ? "; it takes root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH" : "");
}

std::vector<const Finding*> findingsOf(const Report& report, const ProcessReport& process) {
  std::vector<const Finding*> findings;
  for (const Finding& finding : report.findings) {
    if (finding.database == process.database && finding.pid == process.pid &&
        finding.start_ticks == process.start_ticks) {
      findings.push_back(&finding);
    }
  }
  return findings;
}

const Finding* findingOf(const Report& report, const ProcessReport& process, std::string_view id) {
  for (const Finding* finding : findingsOf(report, process)) {
    if (finding->id == id) return finding;
  }
  return nullptr;
}

const Finding* worstFindingOf(const Report& report, const ProcessReport& process) {
  const std::pair<int64_t, int64_t> id{process.pid, process.start_ticks};
  for (const Finding& finding : report.findings) {
    if (finding.database != process.database) continue;
    const bool is_own = finding.pid == process.pid && finding.start_ticks == process.start_ticks;
    if (is_own || std::find(finding.also.begin(), finding.also.end(), id) != finding.also.end())
      return &finding;
  }
  return nullptr;
}

const Finding* worstFindingOf(const Report& report, const DatabaseReport& database) {
  // They are sorted.
  const auto found =
      std::find_if(report.findings.begin(), report.findings.end(),
                   [&](const Finding& finding) { return finding.database == database.path; });
  return found == report.findings.end() ? nullptr : &*found;
}

std::vector<std::string> paragraphs(std::string_view explanation) {
  std::vector<size_t> starts = {0};
  for (const std::string_view word : {" Inferred: ", " Not known: "}) {
    const size_t place = explanation.find(word);
    if (place != std::string_view::npos) starts.push_back(place + 1);
  }
  std::sort(starts.begin(), starts.end());
  std::vector<std::string> result;
  for (size_t i = 0; i < starts.size(); ++i) {
    const size_t end = i + 1 < starts.size() ? starts[i + 1] - 1 : explanation.size();
    result.emplace_back(explanation.substr(starts[i], end - starts[i]));
  }
  return result;
}

std::string shellWord(std::string_view text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+:@%,=";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string_view::npos) {
    return std::string(text);
  }
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shellQuoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (std::string_view("\"$`\\").find(c) != std::string_view::npos) quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

std::string sqlCommand(const Report& report, std::string_view database, std::string_view query) {
  // All that the numbers depend on. --pid and --comm are not among it: a query names its process.
  std::string options;
  if (!report.from.empty()) options += " --from " + shellWord(report.from);
  if (!report.to.empty()) options += " --to " + shellWord(report.to);
  if (report.grace_ms != kDefaultGraceMs) options += " --grace " + graceOption(report.grace_ms);
  if (report.is_salvaged) options += " --salvage";
  return fmt::format("fdanalyze sql {}{} {}", shellWord(database), options, shellQuoted(query));
}

}  // namespace fdmortem
