#include "analyze/report_summary.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "analyze/report_words.h"

namespace fdmortem {
namespace {

using Basis = Statement::Basis;

constexpr size_t kMaximumOthers = 5;
constexpr size_t kMaximumRestarts = 2;
constexpr size_t kMaximumPeers = 3;

/// What is the matter with a process, as far as the findings tell.
enum class Cause { OutlivedFds, CloseWait, Kind, Pool, Idle, LiveClients, Limit, Growth, None };

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

/// The part of an explanation that begins with such a word, without it.
std::string partOf(const Finding& finding, std::string_view word) {
  for (const std::string& paragraph : paragraphs(finding.explanation)) {
    if (paragraph.starts_with(word)) return paragraph.substr(word.size());
  }
  return {};
}

/// The summary of one process in the making.
class ProcessSummary {
 public:
  ProcessSummary(const Report& report, const ProcessReport& process)
      : report_(report), process_(process), cause_(cause()) {}

  std::string verdict() const {
    const std::string who = nameOf(process_);
    switch (cause_) {
      case Cause::OutlivedFds:
        return fmt::format("fd leak{}: {} does not close sockets whose connections are gone{}",
                           leaks() > 0 ? "" : ", most likely", who, exhaustion());
      case Cause::CloseWait:
        return fmt::format(
            "fd leak: {} does not close connections that their peers have closed (CLOSE_WAIT){}",
            who, exhaustion());
      case Cause::Kind:
        return fmt::format("fd leak: of {} {}{}", who, finding("kind-growth")->title, exhaustion());
      case Cause::Pool:
        return fmt::format("of {} {}{}", who, finding("growing-pool")->title, exhaustion());
      case Cause::Idle:
        return fmt::format("of {} {}{}", who, finding("idle-connections")->title, exhaustion());
      case Cause::LiveClients:
        return fmt::format(
            "{} has too many live clients for a limit of {} open files; it is no fd leak of dead "
            "sockets",
            who, limit());
      case Cause::Limit:
        return fmt::format("{} has used up its limit of {} open files", who, limit());
      case Cause::Growth:
        return fmt::format("the fds of {} grow; what they are is known, why they stay is not{}",
                           who, exhaustion());
      case Cause::None:
        break;
    }
    return {};
  }

  std::vector<Statement> statements() {
    numbers();
    if (!process_.has_fds) return std::move(statements_);
    limitReached();
    connections();
    conclusion();
    forecast();
    notKnown();
    toDo();
    return std::move(statements_);
  }

 private:
  const Finding* finding(std::string_view id) const { return findingOf(report_, process_, id); }
  bool has(std::string_view id) const {
    const Finding* found = finding(id);
    return found != nullptr && found->severity != "info";
  }
  int64_t verdictCount(std::string_view verdict) const {
    return countOf(process_.verdicts, verdict);
  }
  std::string limit() const {
    return process_.soft_limit ? std::to_string(*process_.soft_limit) : "?";
  }

  Cause cause() const {
    if (has("outlived-connections")) return Cause::OutlivedFds;
    if (has("close-wait")) return Cause::CloseWait;
    if (has("kind-growth")) return Cause::Kind;
    if (has("growing-pool")) return Cause::Pool;
    if (has("idle-connections")) return Cause::Idle;
    if (has("limit-reached") && process_.limit_reached_at) {
      const bool are_clients = liveIn() * 2 > process_.fds_last &&
                               verdictCount("outlived") + verdictCount("peer-closed") == 0;
      return are_clients ? Cause::LiveClients : Cause::Limit;
    }
    if (has("steady-growth") || has("step-growth")) return Cause::Growth;
    return Cause::None;
  }

  /// Fds that have outlived their connections for longer than the grace period.
  int64_t leaks() const {
    int64_t count = 0;
    for (const PeerGroup& group : process_.peers)
      count += group.leaks;
    return count;
  }

  /// Live connections that were accepted.
  int64_t liveIn() const {
    int64_t count = 0;
    for (const PeerGroup& group : process_.peers) {
      if (group.verdict == "connected" && group.direction == "in") count += group.count;
    }
    return count;
  }

  /// " (94 with 192.0.2.21, 29 with 192.0.2.22)": who the most are with.
  std::string peersOf(std::string_view verdict) const {
    std::vector<NamedCount> peers;
    for (const PeerGroup& group : process_.peers) {
      if (group.verdict != verdict || !group.peer) continue;
      const std::string peer = plainAddress(*group.peer);
      const auto found = std::find_if(peers.begin(), peers.end(),
                                      [&](const NamedCount& entry) { return entry.first == peer; });
      if (found != peers.end()) {
        found->second += group.count;
      } else {
        peers.emplace_back(peer, group.count);
      }
    }
    std::stable_sort(peers.begin(), peers.end(),
                     [](const NamedCount& a, const NamedCount& b) { return a.second > b.second; });
    std::string text;
    for (size_t i = 0; i < std::min(peers.size(), kMaximumPeers); ++i) {
      text += fmt::format("{}{} with {}", i == 0 ? "" : ", ", peers[i].second, peers[i].first);
    }
    if (peers.size() > kMaximumPeers) {
      text += fmt::format(" and {} more", plural(static_cast<int64_t>(peers.size() - kMaximumPeers),
                                                 "peer", "peers"));
    }
    return text.empty() ? text : " (" + text + ")";
  }

  /// What a verdict adds on the limit.
  std::string exhaustion() const {
    if (process_.limit_reached_at)
      return fmt::format(", and has used up its limit of {} open files", limit());
    if (process_.has_ended) return ", and ended";
    constexpr double kSoonHours = 7 * 24;
    if (process_.hours_left && *process_.hours_left < kSoonHours && process_.exhaustion_from) {
      return fmt::format("; its limit of {} is reached {} if that goes on", limit(),
                         exhaustionRange(process_));
    }
    return {};
  }

  void say(Basis basis, std::string text) { statements_.push_back({basis, std::move(text)}); }

  // --- observed ---

  void numbers() {
    const std::string who =
        fmt::format("{} on {}", nameOf(process_), hostOf(report_, process_.database));
    if (!process_.has_fds) {
      say(Basis::Observed,
          fmt::format("{} was there from {} to {}; its fds could not be read in "
                      "any of its snapshots.",
                      who, shortTime(process_.first_seen), shortTime(process_.last_seen)));
      say(Basis::NotKnown,
          "How many fds it has and what they are; what could not be read, and "
          "why, is below.");
      return;
    }
    const std::string limit_clause = process_.soft_limit
                                         ? fmt::format("; its limit is {}", *process_.soft_limit)
                                         : std::string();
    if (process_.first_snapshot == process_.last_snapshot) {
      say(Basis::Observed, fmt::format("{} had {} at {}, in the only snapshot of it{}.", who,
                                       plural(process_.fds_last, "fd", "fds"),
                                       shortTime(process_.last_seen), limit_clause));
      return;
    }
    std::string line;
    if (process_.fds_first == process_.fds_last && process_.fds_peak == process_.fds_last) {
      line = fmt::format("{} had {}", who, plural(process_.fds_last, "fd", "fds"));
    } else {
      line = fmt::format("{} went from {} to {} fds", who, process_.fds_first, process_.fds_last);
    }
    if (process_.fds_peak > std::max(process_.fds_first, process_.fds_last)) {
      line += fmt::format(" (peak {})", process_.fds_peak);
    }
    line += fmt::format(", from {} to {}",
                        timeAndSnapshot(process_.first_seen, process_.first_snapshot),
                        timeAndSnapshot(process_.last_seen, process_.last_snapshot));
    if (process_.has_ended) line += ", then it ended";
    say(Basis::Observed, line + limit_clause + ".");
  }

  void limitReached() {
    if (process_.limit_reached_at) {
      if (const Finding* reached = finding("limit-reached")) {
        say(Basis::Observed, capitalized(reached->title) + ".");
      }
    }
    if (const Finding* queue = finding("accept-queue")) {
      say(Basis::Observed, capitalized(queue->title) + ".");
    }
  }

  void connections() {
    const int64_t outlived = verdictCount("outlived");
    const int64_t closed = verdictCount("peer-closed");
    const int64_t alive = verdictCount("connected") + verdictCount("closing");
    if (outlived > 0) {
      std::string line = fmt::format(
          "{} of its {} fds at the end {} gone{}", outlived, process_.fds_last,
          outlived == 1 ? "is a socket whose connection is" : "are sockets whose connections are",
          peersOf("outlived"));
      line += process_.first_snapshot == process_.last_snapshot
                  ? std::string()
                  : fmt::format(", {} for longer than the grace period of {}",
                                leaks() == 0 ? "none" : std::to_string(leaks()), grace(report_));
      say(Basis::Observed, line + proofs() + ".");
    }
    if (closed > 0) {
      say(Basis::Observed,
          fmt::format("{} of its {} fds at the end {} in CLOSE_WAIT{}: the peer has closed, the "
                      "program has not.",
                      closed, process_.fds_last, closed == 1 ? "is" : "are",
                      peersOf("peer-closed")));
    }
    if (outlived > 0 || closed > 0) return;
    if (alive == 0) {
      if (!process_.verdicts.empty() && verdictCount("unlisted") == 0) {
        say(Basis::Observed, "No fd outlived its connection.");
      }
      return;
    }
    say(Basis::Observed, liveLine(alive));
  }

  /// "; proof: autopsy 120, history 3".
  std::string proofs() const {
    std::string text;
    for (const std::string_view proof : {"autopsy", "history", "single"}) {
      int64_t count = 0;
      for (const PeerGroup& group : process_.peers) {
        if (group.verdict == "outlived" && group.proof == proof) count += group.count;
      }
      if (count > 0) text += fmt::format("{} {} {}", text.empty() ? "; proof:" : ",", proof, count);
    }
    return text;
  }

  /// Where nothing is dead.
  std::string liveLine(int64_t alive) const {
    const bool is_tcp6 = isTcp6Only();
    if (verdictCount("unlisted") > 0) {
      return fmt::format("{}{}; no fd is known to have outlived its connection.",
                         plural(alive, "connection is alive", "connections are alive"),
                         peersOf("connected"));
    }
    return fmt::format("{}{}{}; none outlived: no fd is of a connection that is gone.",
                       alive == 1 ? "Its only connection is alive"
                                  : fmt::format("All its {} connections are alive", alive),
                       is_tcp6 ? ", listed in tcp6 and none in tcp" : "", peersOf("connected"));
  }

  bool isTcp6Only() const {
    for (const Finding& entry : report_.findings) {
      if (entry.id == "tcp6-only" && entry.database == process_.database &&
          (!entry.pid || entry.pid == process_.pid)) {
        return true;
      }
    }
    return false;
  }

  // --- inferred ---

  void conclusion() {
    switch (cause_) {
      case Cause::LiveClients:
        say(Basis::Inferred,
            fmt::format("So no fd leak of dead sockets: {} of {} fds are live clients, too many "
                        "for a limit of {}.",
                        liveIn(), process_.fds_last, limit()));
        break;
      case Cause::OutlivedFds:
        say(Basis::Inferred,
            "The program lost or ignored these fds; nobody else can close them, "
            "and a higher limit only moves the day.");
        break;
      case Cause::CloseWait:
        say(Basis::Inferred,
            "The program does not close them; they stay until it does, and a "
            "higher limit only moves the day.");
        break;
      case Cause::Kind:
      case Cause::Pool:
      case Cause::Idle:
      case Cause::Limit:
      case Cause::Growth:
      case Cause::None:
        break;
    }
  }

  void forecast() {
    if (process_.limit_reached_at || !process_.exhaustion_from || !process_.exhaustion_to) return;
    say(Basis::Inferred, fmt::format("At the growth so far, {}, its limit is reached {}.",
                                     rateInWords(process_.growth), exhaustionRange(process_)));
  }

  // --- not known ---

  void notKnown() {
    const int64_t unlisted = verdictCount("unlisted");
    if (unlisted > 0) {
      say(Basis::NotKnown,
          fmt::format("What {} {}: no table lists them, and nothing tells whether "
                      "they ever had a connection.",
                      plural(unlisted, "socket", "sockets"), unlisted == 1 ? "is" : "are"));
    }
    if (process_.first_snapshot == process_.last_snapshot) {
      say(Basis::NotKnown, verdictCount("outlived") > 0
                               ? "For how long these fds have outlived their connections, and how "
                                 "fast they grow: there is one snapshot only."
                               : "How the number of fds changes: there is one snapshot only.");
    } else if (process_.unread_snapshots > 0) {
      say(Basis::NotKnown, fmt::format("Its fds in {}, where they could not be read.",
                                       plural(process_.unread_snapshots, "snapshot", "snapshots")));
    } else if (cause_ != Cause::None && !process_.limit_reached_at && !process_.exhaustion_at &&
               !process_.has_ended) {
      say(Basis::NotKnown, fmt::format("When its limit is reached: {}.", process_.forecast_reason));
    }
  }

  void toDo() {
    switch (cause_) {
      case Cause::LiveClients:
        say(Basis::ToDo,
            "Raise LimitNOFILE= of the service above the number of clients that you "
            "want, or have fewer clients, or close idle ones sooner.");
        break;
      case Cause::OutlivedFds:
        say(Basis::ToDo,
            "Find the path in the program on which a connection ends without "
            "close(). A restart frees the fds for a time.");
        break;
      case Cause::CloseWait:
        say(Basis::ToDo, finding("close-wait")->advice);
        break;
      case Cause::Kind:
      case Cause::Pool:
      case Cause::Idle:
      case Cause::Limit:
      case Cause::Growth:
      case Cause::None:
        break;
    }
  }

  const Report& report_;
  const ProcessReport& process_;
  Cause cause_;
  std::vector<Statement> statements_;
};

bool isHostFinding(const Finding& finding) {
  return !finding.pid && finding.severity != "info";
}

/// What logs say of the database of the first process; notes by hand are on the time axis.
void addMarks(const Report& report, std::vector<Statement>& statements) {
  const MarkReport* first = nullptr;
  const MarkReport* last = nullptr;
  int64_t count = 0;
  for (const MarkReport& mark : report.marks) {
    if (mark.kind == "restart" || mark.source.empty() ||
        mark.database != report.processes.front().database)
      continue;
    if (first == nullptr) first = &mark;
    last = &mark;
    count += mark.count;
  }
  if (first == nullptr) return;
  statements.push_back(
      {Basis::Observed,
       count == 1 ? fmt::format("The log complains at {}: {}", shortTime(first->at), first->text)
                  : fmt::format("The log complains {} times from {} to {}, first: {}", count,
                                shortTime(first->at), shortTime(last->at), first->text)});
}

/// Whether a restart has to do with what the report is about: of the process of the verdict, of one
/// of its name, or of one with a finding of its own.
bool isRelevant(const Report& report, const Finding& restart) {
  for (const ProcessReport& process : report.processes) {
    if (process.database != restart.database || process.pid != restart.pid ||
        process.start_ticks != restart.start_ticks) {
      continue;
    }
    const auto findings = findingsOf(report, process);
    return process.comm == report.processes.front().comm || findings.front()->severity != "info";
  }
  return false;
}

/// What restarts there were, and what they cured.
void addRestarts(const Report& report, std::vector<Statement>& statements) {
  size_t shown = 0;
  int64_t left_out = 0;
  for (const Finding& finding : report.findings) {
    if (finding.id != "restarted") continue;
    if (shown == kMaximumRestarts || !isRelevant(report, finding)) {
      ++left_out;
      continue;
    }
    ++shown;
    statements.push_back({Basis::Observed, fmt::format("Restart: {} (it was pid {}).",
                                                       finding.title, finding.pid.value_or(0))});
    const std::string inferred = partOf(finding, "Inferred: ");
    if (!inferred.empty()) statements.push_back({Basis::Inferred, capitalized(inferred)});
  }
  if (left_out > 0) {
    statements.push_back({Basis::Observed, fmt::format("{} of other processes, below.",
                                                       plural(left_out, "restart", "restarts"))});
  }
}

/// What there is to say of the other processes, shortly.
void addOthers(const Report& report, std::vector<Statement>& statements) {
  size_t shown = 0;
  size_t left_out = 0;
  for (size_t i = 1; i < report.processes.size(); ++i) {
    const ProcessReport& process = report.processes[i];
    const auto findings = findingsOf(report, process);
    std::string text;
    for (const Finding* finding : findings) {
      if (finding->severity != "info") text += (text.empty() ? "" : "; ") + finding->title;
    }
    if (text.empty()) continue;
    if (shown == kMaximumOthers) {
      ++left_out;
      continue;
    }
    ++shown;
    statements.push_back({Basis::Observed, fmt::format("Also {} on {}: {}.", nameOf(process),
                                                       hostOf(report, process.database), text)});
  }
  if (left_out > 0) {
    statements.push_back({Basis::Observed, fmt::format("And {} with findings of their own, below.",
                                                       plural(static_cast<int64_t>(left_out),
                                                              "process more", "processes more"))});
  }
}

}  // namespace

std::string wordOf(Statement::Basis basis) {
  switch (basis) {
    case Basis::Observed:
      return "Observed";
    case Basis::Inferred:
      return "Inferred";
    case Basis::NotKnown:
      return "Not known";
    case Basis::ToDo:
      break;
  }
  return "To do";
}

Summary summarize(const Report& report) {
  Summary summary;
  if (report.processes.empty()) {
    summary.verdict = "no process was recorded, so there is nothing to judge";
    return summary;
  }
  const ProcessReport& process = report.processes.front();
  ProcessSummary main(report, process);
  summary.verdict = main.verdict();
  summary.statements = main.statements();
  addMarks(report, summary.statements);
  addRestarts(report, summary.statements);
  addOthers(report, summary.statements);
  for (const Finding& finding : report.findings) {
    if (isHostFinding(finding)) {
      summary.statements.push_back(
          {Basis::Observed,
           fmt::format("Of {}: {}.", hostOf(report, finding.database), finding.title)});
      if (summary.verdict.empty()) summary.verdict = finding.title;
    }
  }
  for (const Finding& finding : report.findings) {
    if (finding.id == "recording-gaps") {
      summary.statements.push_back(
          {Basis::NotKnown, "What happened in between: " + finding.title + "."});
    }
  }
  std::stable_sort(summary.statements.begin(), summary.statements.end(),
                   [](const Statement& a, const Statement& b) { return a.basis < b.basis; });
  if (!summary.verdict.empty()) return summary;
  if (!process.has_fds) {
    summary.verdict =
        fmt::format("nothing is known: the fds of {} could not be read", nameOf(process));
  } else if (!report.findings.empty() && report.findings.front().severity != "info") {
    const Finding& first = report.findings.front();
    summary.verdict = (first.pid ? nameOf(process) + ": " : std::string()) + first.title;
  } else {
    summary.verdict = "nothing was found that needs attention";
  }
  return summary;
}

}  // namespace fdmortem
