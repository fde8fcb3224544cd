#include "analyze/report/statements.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "analyze/report/cause.h"
#include "analyze/report/connection_statements.h"
#include "analyze/report/words.h"

namespace fdmortem {
namespace {

using Basis = Statement::Basis;

constexpr size_t kMaximumOthers = 8;
/// So many leaks besides the largest get an advice of their own.
constexpr size_t kMaximumOtherLeaks = 2;
/// A forecast_reason that leaves nothing to be known.
constexpr std::string_view kNoGrowth = "it does not grow";

/// The statements on one process in the making.
class ProcessStatements {
 public:
  ProcessStatements(const Report& report, const ProcessReport& process)
      : report_(report), process_(process), cause_(causeOf(report, process)) {}

  std::vector<Statement> take() {
    numbers();
    if (!process_.has_fds) return std::move(statements_);
    limitReached();
    for (Statement& statement : connectionStatements(report_, process_, cause_))
      statements_.push_back(std::move(statement));
    others();
    conclusion();
    shared();
    forecast();
    notKnown();
    silentPeers();
    toDo();
    return std::move(statements_);
  }

 private:
  const Finding* finding(std::string_view id) const { return findingOf(report_, process_, id); }
  /// Where no cause is known: the finding that the verdict tells; nullptr: none.
  const Finding* findingOfVerdict() const {
    if (cause_ != Cause::None) return nullptr;
    const auto findings = findingsOf(report_, process_);
    return findings.empty() || findings.front()->severity == "info" ? nullptr : findings.front();
  }
  int64_t verdictCount(std::string_view verdict) const {
    return countOf(process_.verdicts, verdict);
  }

  void say(Basis basis, std::string text) { statements_.push_back({basis, std::move(text)}); }

  /// ", and so for 53 other processes".
  std::string othersUnread() const {
    const auto count = std::count_if(
        report_.processes.begin(), report_.processes.end(),
        [&](const ProcessReport& process) { return !process.has_fds && &process != &process_; });
    return count == 0
               ? std::string()
               : fmt::format(", and so of {}", plural(count, "other process", "other processes"));
  }

  // --- observed ---

  void numbers() {
    const std::string who = fmt::format("{} on {}", nameOf(process_), hostOf(report_, process_));
    if (!process_.has_fds) {
      say(Basis::Observed, fmt::format("{} was there from {} to {}; its fds could not be read in "
                                       "any of its snapshots{}.",
                                       who, shortTime(process_.first_seen),
                                       shortTime(process_.last_seen), whyUnread(process_)));
      say(Basis::NotKnown,
          fmt::format(
              "How many fds {} has and what they are{}; what could not be read, and why, is "
              "below.",
              nameOf(process_), othersUnread()));
      return;
    }
    const std::string limit_clause = limitClause();
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
    if (!process_.growth_stopped_at.empty()) {
      say(Basis::Observed, fmt::format("It grew until {} and stands still since.",
                                       shortTime(process_.growth_stopped_at)));
    }
  }

  std::string limitClause() const {
    if (!process_.soft_limit) return {};
    std::string limit =
        fmt::format("; its limit {} {}", process_.has_ended ? "was" : "is", *process_.soft_limit);
    const int64_t above = process_.fds_above;
    if (above == 0) return limit;
    return limit + fmt::format(
                       " ({} not below it: opened before the limit was lowered, or "
                       "inherited)",
                       plural(above, "fd has a number", "fds have numbers"));
  }

  void limitReached() {
    if (process_.limit_reached_at) {
      if (const Finding* reached = finding("limit-reached")) {
        say(Basis::Observed, capitalized(reached->title) + ".");
      }
    }
    const Finding* queue = finding("accept-queue");
    if (queue != nullptr && queue != findingOfVerdict()) {
      say(Basis::Observed, capitalized(queue->title) + ".");
    }
  }

  /// What else is the matter with it: what the verdict and the lines above do not tell.
  void others() {
    static constexpr std::array<std::string_view, 6> kTold = {
        "outlived-connections", "close-wait", "limit-reached",
        "accept-queue",         "unread",     "unread-netns"};
    std::vector<const Finding*> others;
    for (const Finding* other : findingsOf(report_, process_)) {
      // The forecast is a sentence of its own.
      if (other->id == "steady-growth" && process_.exhaustion_from) continue;
      if (other->severity != "info" && other != findingBehind(report_, process_, cause_) &&
          other != findingOfVerdict() &&
          std::find(kTold.begin(), kTold.end(), other->id) == kTold.end())
        others.push_back(other);
    }
    std::stable_sort(others.begin(), others.end(),
                     [](const Finding* a, const Finding* b) { return a->all_rows > b->all_rows; });
    std::string text;
    for (size_t i = 0; i < std::min(others.size(), kMaximumOthers); ++i)
      text += (text.empty() ? "" : "; ") + others[i]->title;
    if (text.empty()) return;
    if (others.size() > kMaximumOthers)
      text += fmt::format("; and {} more, below", others.size() - kMaximumOthers);
    say(Basis::Observed, "Besides: " + text + ".");
  }

  // --- inferred ---

  std::string outlivedConclusion(const Finding* finding) const {
    const bool has_ended = process_.has_ended;
    if (isLate(finding))
      return fmt::format("The program {} these fds, but late.", has_ended ? "closed" : "closes");
    if (isHeld(finding)) {
      return fmt::format(
          "The program{} {}", finding->are_accepted ? "" : ", or a pool in it,",
          has_ended ? "did not see, or ignored, that they were dead; they are gone with it."
                    : "does not see, or ignores, that they are dead; nobody else can close them.");
    }
    const bool is_likely = finding != nullptr && finding->judgement == "likely";
    return fmt::format("The program{} lost or ignored these fds; {}",
                       is_likely ? " most likely" : "",
                       has_ended ? "they are gone with it, and a higher limit would only have "
                                   "moved the day."
                                 : "nobody else can close them, and a higher limit only moves the "
                                   "day.");
  }

  void conclusion() {
    if (cause_ == Cause::LiveClients) {
      say(Basis::Inferred,
          fmt::format("So no fd leak of dead sockets: {} of {} fds {} live clients, too many "
                      "for a limit of {}.",
                      liveClientsOf(process_), process_.fds_last,
                      isOrWas(process_, liveClientsOf(process_)), limitOf(process_)));
    } else if (cause_ == Cause::OutlivedFds) {
      say(Basis::Inferred, outlivedConclusion(findingBehind(report_, process_, cause_)));
    } else if (cause_ == Cause::CloseWait && process_.has_ended) {
      say(Basis::Inferred,
          "They stayed because the program did not close them; they are gone with it.");
    } else if (cause_ == Cause::CloseWait) {
      say(Basis::Inferred,
          fmt::format(
              "They stay until the program closes them; a reset, or a keepalive that fails, ends "
              "the connection and leaves the fd open{}.",
              (process_.growth.per_hour && process_.growth.low_per_hour > 0) || process_.is_full
                  ? "; a higher limit only moves the day"
                  : ""));
    }
  }

  /// Where other processes hold the same sockets at the end.
  const Finding* sharedFinding() const {
    const Finding* behind = findingBehind(report_, process_, cause_);
    return behind != nullptr && !behind->holders.empty() && cause_ != Cause::Inherited ? behind
                                                                                       : nullptr;
  }

  /// Where it has such sockets from a process that it comes from.
  const Finding* inheritedFinding() const {
    const std::pair<int64_t, int64_t> id{process_.pid, process_.start_ticks};
    for (const Finding& finding : report_.findings) {
      if (finding.id == "inherited-sockets" && finding.database == process_.database &&
          std::find(finding.also.begin(), finding.also.end(), id) != finding.also.end())
        return &finding;
    }
    return nullptr;
  }

  void shared() {
    if (const Finding* inherited = inheritedFinding()) {
      say(Basis::Inferred,
          fmt::format("Sockets without a live peer came to it through fork: see what is found of "
                      "pid {}.",
                      inherited->pid.value_or(0)));
    }
    const Finding* finding = sharedFinding();
    if (finding == nullptr) return;
    say(Basis::Inferred,
        fmt::format(
            "{} none that {} too: it is closed only when each has closed it.",
            process_.has_ended ? "Its end closed" : "To close them in this process alone ends",
            finding->holders.size() == 1
                ? fmt::format("pid {} holds", finding->holders.front())
                : fmt::format("{} other processes hold", finding->holders.size())));
  }

  void forecast() {
    if (process_.is_full || !process_.exhaustion_from || !process_.exhaustion_to) return;
    say(Basis::Inferred,
        fmt::format("At the growth {}, {}, its limit is reached {}.",
                    process_.growth_since.empty()
                        ? "so far"
                        : "since the limit was changed at " + shortTime(process_.growth_since),
                    rateInWords(process_.growth), exhaustionRange(process_)));
  }

  /// What grows besides, and is no less bad or not much smaller than what the verdict tells.
  std::vector<const Finding*> otherLeaks() const {
    static constexpr std::array<std::string_view, 6> kLeaks = {
        "outlived-connections", "close-wait",  "half-closed",
        "unanswered",           "kind-growth", "growing-pool"};
    const Finding* told = findingBehind(report_, process_, cause_);
    std::vector<const Finding*> others;
    for (const Finding* other : findingsOf(report_, process_)) {
      if (told == nullptr || other == told || other->severity == "info" || isLate(other) ||
          isHeld(other) || other->judgement == "kept" ||
          std::find(kLeaks.begin(), kLeaks.end(), other->id) == kLeaks.end())
        continue;
      if (other->severity == "critical" || other->all_rows * 2 >= told->all_rows)
        others.push_back(other);
    }
    if (others.size() > kMaximumOtherLeaks) others.resize(kMaximumOtherLeaks);
    return others;
  }

  // --- not known ---

  void notKnown() {
    const int64_t unread = unreadFdsOf(process_);
    if (unread > 0) {
      say(Basis::NotKnown,
          fmt::format("What {} of its {} fds {}, and whether any outlived its connection: their "
                      "links could not be read{}.",
                      unread, process_.fds_last, unread == 1 ? "is" : "are", whyUnread(process_)));
    }
    const int64_t unlisted = unknownSocketsOf(process_);
    if (unlisted > 0) {
      say(Basis::NotKnown,
          unlisted == 1
              ? "What 1 socket is: no table lists it, and nothing tells whether it ever had a "
                "connection."
              : fmt::format("What {} sockets are: no table lists them, and nothing tells whether "
                            "they ever had a connection.",
                            unlisted));
    }
    if (cause_ == Cause::CloseWait) {
      say(Basis::NotKnown,
          "Whether the peers have closed, or have only ended their sending and still read.");
    }
    const bool is_single = process_.first_snapshot == process_.last_snapshot;
    if (verdictCount("outlived") > 0 && isShorterThanGrace(report_, process_) && !is_single) {
      say(Basis::NotKnown,
          fmt::format("For how long these fds {} outlived their connections: they were recorded "
                      "for {:.{}f} s only, and the grace period is {}.",
                      process_.has_ended ? "had" : "have", process_.seconds,
                      process_.seconds < 10 ? 1 : 0, grace(report_)));
    }
    if (is_single) {
      say(Basis::NotKnown, verdictCount("outlived") > 0
                               ? "For how long these fds have outlived their connections, and how "
                                 "fast they grow: there is one snapshot only."
                               : "How the number of fds changes: there is one snapshot only.");
    } else if (process_.unread_snapshots > 0) {
      say(Basis::NotKnown, fmt::format("Its fds in {}, where they could not be read.",
                                       plural(process_.unread_snapshots, "snapshot", "snapshots")));
    } else if (cause_ != Cause::None && !process_.limit_reached_at && !process_.exhaustion_at &&
               !process_.has_ended && process_.forecast_reason != kNoGrowth &&
               process_.growth_stopped_at.empty()) {
      say(Basis::NotKnown, fmt::format("When its limit is reached: {}.", process_.forecast_reason));
    }
  }

  /// That a connection is ESTABLISHED does not mean that its peer is there. Said where that
  /// decides.
  void silentPeers() {
    if (const int64_t count = unansweredOf(report_, process_); count > 0) {
      say(Basis::NotKnown,
          count == 1 ? "Whether the peer that does not answer is still there: its connection is "
                       "ESTABLISHED until the kernel gives up trying."
                     : fmt::format("Whether the {} peers that do not answer are still there: their "
                                   "connections are ESTABLISHED until the kernel gives up trying.",
                                   count));
      return;
    }
    if (cause_ == Cause::UnreadData) {
      say(Basis::NotKnown,
          "Whether the peers are still there: connections are ESTABLISHED until something says "
          "otherwise.");
      return;
    }
    const int64_t silent = process_.silent_connections;
    if ((cause_ != Cause::None && cause_ != Cause::LiveClients) || silent == 0 ||
        silent * 2 <= process_.fds_last) {
      return;
    }
    say(Basis::NotKnown,
        fmt::format("Whether the peers of {} connections {} still there: they are ESTABLISHED "
                    "until something says otherwise, and none of them had a keepalive timer.",
                    silent, process_.has_ended ? "were" : "are"));
  }

  void toDo() {
    if (cause_ == Cause::LiveClients) {
      say(Basis::ToDo,
          "Raise LimitNOFILE= of the service above the number of clients that you "
          "want, or have fewer clients, or close idle ones sooner.");
    } else if (cause_ == Cause::OutlivedFds && !isHeld(findingBehind(report_, process_, cause_)) &&
               !isLate(findingBehind(report_, process_, cause_))) {
      say(Basis::ToDo,
          fmt::format("Find the path in the program on which a connection ends without close(). {}",
                      process_.has_ended ? "The fds are gone with the process; one that is started "
                                           "again may go the same way."
                                         : "A restart frees the fds for a time."));
      const std::string& to_be_sure = findingBehind(report_, process_, cause_)->to_be_sure;
      if (!to_be_sure.empty()) say(Basis::ToDo, to_be_sure);
    } else if (const Finding* behind = findingBehind(report_, process_, cause_)) {
      // Most advice is to look what the fds are.
      if (unreadFdsOf(process_) < process_.fds_last) say(Basis::ToDo, behind->advice);
    } else if (const Finding* told = findingOfVerdict(); told != nullptr && told->id != "unread") {
      say(Basis::ToDo, told->advice);
    }
    for (const Finding* other : otherLeaks())
      say(Basis::ToDo, fmt::format("{}: {}", capitalized(other->title), other->advice));
    if (unreadFdsOf(process_) > 0 && process_.is_refused)
      say(Basis::ToDo, "Record again as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.");
    if (unknownSocketsOf(process_) * 2 > process_.fds_last && !process_.has_ended) {
      say(Basis::ToDo,
          "If it was recorded with --no-autopsy, or without root or CAP_SYS_PTRACE, record again "
          "otherwise: then the kernel is asked what these sockets were.");
    }
    if (sharedFinding() != nullptr) {
      say(Basis::ToDo,
          "See why the other processes hold these sockets: a child after fork has to close what it "
          "does not serve, and O_CLOEXEC keeps them out of programs that are executed.");
    }
  }

  const Report& report_;
  const ProcessReport& process_;
  Cause cause_;
  std::vector<Statement> statements_;
};

}  // namespace

std::vector<Statement> statementsOn(const Report& report, const ProcessReport& process) {
  return ProcessStatements(report, process).take();
}

std::string capitalized(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z')
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace fdmortem
