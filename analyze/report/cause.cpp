#include "analyze/report/cause.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/core.h>

#include "analyze/report/words.h"

namespace fdmortem {
namespace {

/// "gateway (pid 4711)", and on which host where there can be several.
std::string who(const Report& report, const ProcessReport& process) {
  return report.databases.size() > 1
             ? fmt::format("{} on {}", nameOf(process), hostOf(report, process))
             : nameOf(process);
}

/// The title of a finding that calls its process "it".
std::string withName(std::string title, const std::string& name) {
  constexpr std::string_view kIt = " from it ";
  const size_t place = title.find(kIt);
  return place == std::string::npos ? title
                                    : title.replace(place, kIt.size(), " from " + name + " ");
}

bool has(const Report& report, const ProcessReport& process, std::string_view id) {
  const Finding* found = findingOf(report, process, id);
  return found != nullptr && found->severity != "info";
}

/// What it adds on the end of a process that its last clause is not about.
constexpr const char* kHasEnded = "; the process has ended";

/// "limit of 128", "limits of 128 and 256": those that were reached.
std::string reachedLimits(const ProcessReport& process) {
  std::string text = process.reached_limits.size() > 1 ? "limits of " : "limit of ";
  for (size_t i = 0; i < process.reached_limits.size(); ++i) {
    const bool is_last = i + 1 == process.reached_limits.size();
    text += fmt::format("{}{}", i == 0 ? "" : is_last ? " and " : ", ", process.reached_limits[i]);
  }
  return text;
}

/// What a verdict adds on the limit.
std::string limitClause(const ProcessReport& process,
                        const std::string& when_ended = ", and ended") {
  if (process.is_full)
    return fmt::format("; its limit of {} open files {} used up", limitOf(process),
                       process.has_ended ? "was" : "is");
  if (process.limit_reached_at)
    return fmt::format("; its {} open files {} reached", reachedLimits(process),
                       process.reached_limits.size() == 1 ? "was" : "were");
  if (process.has_ended) return when_ended;
  constexpr double kSoonHours = 7 * 24;
  if (process.hours_left && *process.hours_left < kSoonHours && process.exhaustion_from) {
    return fmt::format("; its limit of {} is reached {} if that goes on", limitOf(process),
                       exhaustionRange(process));
  }
  return {};
}

}  // namespace

int64_t leaksOf(const ProcessReport& process) {
  int64_t count = 0;
  for (const PeerGroup& group : process.peers)
    count += group.leaks;
  return count;
}

bool isShorterThanGrace(const Report& report, const ProcessReport& process) {
  return process.seconds * 1000 <= static_cast<double>(report.grace_ms) && leaksOf(process) == 0;
}

int64_t unansweredOf(const Report& report, const ProcessReport& process) {
  const Finding* found = findingOf(report, process, "unanswered");
  return found == nullptr ? 0 : static_cast<int64_t>(found->all_rows);
}

int64_t liveClientsOf(const ProcessReport& process) {
  int64_t count = 0;
  for (const PeerGroup& group : process.peers) {
    if (isEstablished(group) && group.direction == "in") count += group.count;
  }
  return count;
}

std::string limitOf(const ProcessReport& process) {
  return process.soft_limit ? std::to_string(*process.soft_limit) : "?";
}

namespace {

/// The finding of such an id that is about the most fds; nullptr if there is none that is more than
/// information.
const Finding* largest(const Report& report, const ProcessReport& process, std::string_view id) {
  const Finding* most = nullptr;
  for (const Finding* finding : findingsOf(report, process)) {
    if (finding->id != id || finding->severity == "info") continue;
    if (most == nullptr || finding->all_rows > most->all_rows) most = finding;
  }
  return most;
}

struct Candidate {
  Cause cause;
  std::string_view id;
  size_t weight;  ///< what is certain counts twice
};

/// The rules that name the fds, the most certain first; the evidence has a row for each fd.
constexpr std::array<Candidate, 9> kCandidates = {{{Cause::OutlivedFds, "outlived-connections", 2},
                                                   {Cause::CloseWait, "close-wait", 2},
                                                   {Cause::Inherited, "inherited-sockets", 2},
                                                   {Cause::HalfClosed, "half-closed", 2},
                                                   {Cause::Unanswered, "unanswered", 2},
                                                   {Cause::UnreadData, "unread-data", 2},
                                                   {Cause::Kind, "kind-growth", 1},
                                                   {Cause::Pool, "growing-pool", 1},
                                                   {Cause::Idle, "idle-connections", 1}}};

}  // namespace

Cause causeOf(const Report& report, const ProcessReport& process) {
  Cause cause = Cause::None;
  size_t most = 0;
  for (const Candidate& candidate : kCandidates) {
    const Finding* finding = largest(report, process, candidate.id);
    if (finding == nullptr) continue;
    const size_t size = std::max<size_t>(finding->all_rows, 1) * candidate.weight;
    if (size > most) {
      most = size;
      cause = candidate.cause;
    }
  }
  if (cause != Cause::None) return cause;
  if (has(report, process, "limit-reached") && process.limit_reached_at) {
    const bool are_clients =
        liveClientsOf(process) * 2 > process.fds_last &&
        countOf(process.verdicts, "outlived") + countOf(process.verdicts, "peer-closed") == 0;
    return are_clients ? Cause::LiveClients : Cause::Limit;
  }
  // It says what grows, where something does.
  const Finding* dead = findingOf(report, process, "outlived-connections");
  if (dead != nullptr && dead->judgement == "undecided") return Cause::Undecided;
  return has(report, process, "steady-growth") || has(report, process, "step-growth")
             ? Cause::Growth
             : Cause::None;
}

const Finding* findingBehind(const Report& report, const ProcessReport& process, Cause cause) {
  const auto finding = [&](std::string_view id) { return findingOf(report, process, id); };
  switch (cause) {
    case Cause::OutlivedFds:
    case Cause::Undecided:
      return finding("outlived-connections");
    case Cause::CloseWait:
      return finding("close-wait");
    case Cause::Inherited:
      return finding("inherited-sockets");
    case Cause::HalfClosed:
      return finding("half-closed");
    case Cause::Unanswered:
      return finding("unanswered");
    case Cause::UnreadData:
      return finding("unread-data");
    case Cause::Kind:
      return largest(report, process, "kind-growth");
    case Cause::Pool:
      return finding("growing-pool");
    case Cause::Idle:
      return finding("idle-connections");
    case Cause::LiveClients:
    case Cause::Limit:
      return finding("limit-reached");
    case Cause::Growth:
      return has(report, process, "step-growth") ? finding("step-growth")
                                                 : finding("steady-growth");
    case Cause::None:
      break;
  }
  return nullptr;
}

bool isLate(const Finding* finding) {
  return finding != nullptr && finding->judgement == "late";
}

bool isHeld(const Finding* finding) {
  return finding != nullptr && finding->judgement == "held";
}

namespace {

std::string trendClause(const Finding& finding) {
  return finding.trend.empty() ? std::string() : "; " + finding.trend;
}

std::string outlivedVerdict(const ProcessReport& process, const Finding& finding,
                            const std::string& name) {
  const auto sockets = [&] {
    return plural(static_cast<int64_t>(finding.all_rows), "socket whose connection is gone",
                  "sockets whose connections are gone");
  };
  if (isLate(&finding))
    return fmt::format("{} {} {} and {} such ones late{}", name,
                       process.has_ended ? "held" : "holds", sockets(),
                       process.has_ended ? "closed" : "closes", limitClause(process));
  if (isHeld(&finding)) {
    return fmt::format("{} {} {}{}{}", name, process.has_ended ? "held" : "holds", sockets(),
                       trendClause(finding), limitClause(process, kHasEnded));
  }
  return fmt::format("fd leak{}: {} {} gone{}", leaksOf(process) > 0 ? "" : ", most likely", name,
                     process.has_ended ? "did not close sockets whose connections were"
                                       : "does not close sockets whose connections are",
                     limitClause(process));
}

std::string undecidedVerdict(const Report& report, const ProcessReport& process,
                             const std::string& name) {
  const bool is_single = process.first_snapshot == process.last_snapshot;
  return fmt::format(
      "{} of {} fds of {} outlived their connections, none known for longer than {}: a leak, or "
      "handlers that are slow to close; {} can't tell which{}",
      countOf(process.verdicts, "outlived"), process.fds_last, name, grace(report),
      is_single ? "one snapshot" : "so short a recording", limitClause(process, kHasEnded));
}

std::string closeWaitVerdict(const ProcessReport& process, const Finding& finding,
                             const std::string& name) {
  if (finding.judgement == "leak") {
    return fmt::format(
        "fd leak, most likely: {} {} not close connections whose peers {} ended them "
        "(CLOSE_WAIT){}",
        name, process.has_ended ? "did" : "does", process.has_ended ? "had" : "have",
        limitClause(process));
  }
  return fmt::format("{} {} {} in CLOSE_WAIT, whose peers {} ended their side{}{}", name,
                     process.has_ended ? "kept" : "keeps",
                     plural(static_cast<int64_t>(finding.all_rows), "connection", "connections"),
                     process.has_ended ? "had" : "have",
                     isHeld(&finding) ? trendClause(finding) : "", limitClause(process, kHasEnded));
}

/// What a verdict adds where fds could not be read.
std::string unreadClause(const ProcessReport& process) {
  const int64_t unread = unreadFdsOf(process);
  if (unread == 0) return {};
  return fmt::format("; what {} of its {} fds are is not known, they could not be read{}", unread,
                     process.fds_last, whyUnread(process));
}

}  // namespace

std::string verdictOf(const Report& report, const ProcessReport& process) {
  const std::string name = who(report, process);
  const Cause cause = causeOf(report, process);
  const Finding* finding = findingBehind(report, process, cause);
  switch (cause) {
    case Cause::OutlivedFds:
      return outlivedVerdict(process, *finding, name);
    case Cause::Undecided:
      return undecidedVerdict(report, process, name);
    case Cause::CloseWait:
      return closeWaitVerdict(process, *finding, name);
    case Cause::Inherited:
      // Who keeps them lives.
      return fmt::format("fd leak through fork: {}{}", withName(finding->title, name),
                         limitClause(process, "; " + process.name + " itself has ended"));
    case Cause::HalfClosed:
      return fmt::format(
          "fd leak, most likely: {} {} {} and {} not close them{}", name,
          process.has_ended ? "shut down" : "shuts down",
          plural(static_cast<int64_t>(finding->all_rows), "connection", "connections"),
          process.has_ended ? "did" : "does", limitClause(process));
    case Cause::Unanswered:
      return fmt::format("{} {} {} whose {}{}", name, process.has_ended ? "held" : "holds",
                         plural(static_cast<int64_t>(finding->all_rows), "ESTABLISHED connection",
                                "ESTABLISHED connections"),
                         finding->all_rows == 1
                             ? (process.has_ended ? "peer did not answer any more"
                                                  : "peer does not answer any more")
                         : process.has_ended ? "peers did not answer any more"
                                             : "peers do not answer any more",
                         limitClause(process, kHasEnded));
    case Cause::UnreadData:
      return fmt::format("{} {} not read what came on {} of its {} connections{}", name,
                         process.has_ended ? "did" : "does", finding->all_rows,
                         establishedOf(process), limitClause(process));
    case Cause::Kind:
      return fmt::format("fd leak, most likely: in {} {}{}", name, finding->title,
                         limitClause(process));
    case Cause::Pool:
    case Cause::Idle:
      return fmt::format("in {} {}{}", name, finding->title, limitClause(process));
    case Cause::LiveClients:
      return fmt::format(
          "{} {} too many live clients for a limit of {} open files; it is no fd leak of dead "
          "sockets",
          name, process.has_ended ? "had" : "has", limitOf(process));
    case Cause::Limit:
      return process.is_full ? fmt::format("{} {} used up its limit of {} open files{}", name,
                                           process.has_ended ? "had" : "has", limitOf(process),
                                           unreadClause(process))
                             : fmt::format("{} reached its {} open files{}", name,
                                           reachedLimits(process), unreadClause(process));
    case Cause::Growth:
      if (unreadFdsOf(process) > 0) {
        return fmt::format("the fds of {} {}{}{}", name, process.has_ended ? "grew" : "grow",
                           limitClause(process), unreadClause(process));
      }
      return fmt::format("the fds of {} {}; which they {} is below, why they {} is not known{}",
                         name, process.has_ended ? "grew" : "grow",
                         process.has_ended ? "were" : "are", process.has_ended ? "stayed" : "stay",
                         limitClause(process));
    case Cause::None:
      break;
  }
  return {};
}

}  // namespace fdmortem
