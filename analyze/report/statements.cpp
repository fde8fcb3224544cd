#include "analyze/report/statements.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "analyze/report/cause.h"
#include "analyze/report/words.h"

namespace fdmortem {
namespace {

using Basis = Statement::Basis;

constexpr size_t kMaximumPeers = 3;
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
    connections();
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

  /// " (94 with 192.0.2.21, 29 with 192.0.2.22)": who the most are with.
  /// `state`: only those in it; empty: all.
  std::string peersOf(std::string_view verdict, std::string_view state = {}) const {
    std::vector<NamedCount> peers;
    for (const PeerGroup& group : process_.peers) {
      if (group.verdict != verdict || !group.peer) continue;
      if (!state.empty() && group.last_state != state) continue;
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

  /// Of a process that has ended nothing is any more.
  std::string_view isOrWas(int64_t count) const {
    if (process_.has_ended) return count == 1 ? "was" : "were";
    return count == 1 ? "is" : "are";
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
    const std::string who =
        fmt::format("{} on {}", nameOf(process_), hostOf(report_, process_.database));
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

  void connections() {
    const int64_t outlived = verdictCount("outlived");
    const int64_t closed = verdictCount("peer-closed");
    const int64_t closing = verdictCount("closing");
    const int64_t alive = establishedOf(process_);
    const int64_t attempts = verdictCount("connected") - alive;
    if (outlived > 0) {
      const bool has_ended = process_.has_ended;
      std::string line = fmt::format(
          "{} of its {} fds at the end {} {} gone{}", outlived, process_.fds_last,
          outlived == 1
              ? (has_ended ? "was a socket whose connection" : "is a socket whose connection")
              : (has_ended ? "were sockets whose connections" : "are sockets whose connections"),
          isOrWas(outlived), peersOf("outlived"));
      line += isShort()
                  ? std::string()
                  : fmt::format(", {} for longer than the grace period of {}",
                                leaksOf(process_) == 0 ? "none" : std::to_string(leaksOf(process_)),
                                grace(report_));
      say(Basis::Observed, line + proofs() + ".");
    }
    if (closed > 0) {
      say(Basis::Observed,
          fmt::format("{} of its {} fds at the end {} in CLOSE_WAIT{}: the peer {} ended its "
                      "side, the program {} not closed.",
                      closed, process_.fds_last, isOrWas(closed), peersOf("peer-closed"),
                      process_.has_ended ? "had" : "has", process_.has_ended ? "had" : "has"));
    }
    growing();
    unixPeers();
    const bool has_told = told();
    if (outlived > 0 || closed > 0) return;
    if (attempts > 0) {
      const bool is_one = attempts == 1;
      say(Basis::Observed,
          fmt::format("{} of its sockets {} to connect{} and {} not connected (SYN_SENT).",
                      attempts,
                      process_.has_ended ? "tried"
                      : is_one           ? "tries"
                                         : "try",
                      peersOf("connected", "SYN_SENT"), isOrWas(attempts)));
    }
    if (closing > 0) {
      say(Basis::Observed, fmt::format("{} the program {} shut down and not closed{}.",
                                       plural(closing, "connection", "connections"),
                                       process_.has_ended ? "had" : "has", peersOf("closing")));
    }
    if (alive == 0) {
      if (!has_told && attempts + closing == 0 && !process_.verdicts.empty() &&
          verdictCount("unlisted") == 0 && unreadFdsOf(process_) == 0) {
        // Of a process without a TCP socket there is nothing to say.
        const bool has_tcp = std::any_of(process_.verdicts.begin(), process_.verdicts.end(),
                                         [](const auto& entry) { return entry.first != "other"; });
        if (has_tcp) say(Basis::Observed, "No fd outlived its TCP connection.");
      }
      return;
    }
    say(Basis::Observed, liveLine(alive, attempts + closing > 0));
  }

  /// What the fds are that the verdict says grow.
  void growing() {
    if (cause_ != Cause::Kind) return;
    if (const int64_t failed = verdictCount("connect-failed"); failed > 0) {
      say(Basis::Observed,
          fmt::format("connect() failed of {}{}.", plural(failed, "socket", "sockets"),
                      peersOf("connect-failed")));
    }
    if (process_.targets.empty() || process_.targets.front().target == "(no name)") return;
    const TargetGroup& most = process_.targets.front();
    say(Basis::Observed, fmt::format("Of what grows the most fds {} of {}: {}.",
                                     process_.has_ended ? "were" : "are", most.target, most.fds));
  }

  void unixPeers() {
    const int64_t count = process_.unix_without_peer;
    if (count == 0) return;
    const bool is_one = count == 1;
    say(Basis::Inferred,
        fmt::format("{} of {} {} closed: {} connected, and no other socket refers to {} (view "
                    "unix_without_peer).",
                    is_one ? "The peer" : "The peers", plural(count, "UNIX socket", "UNIX sockets"),
                    process_.has_ended ? "had"
                    : is_one           ? "has"
                                       : "have",
                    is_one ? (process_.has_ended ? "it was" : "it is")
                           : (process_.has_ended ? "they were" : "they are"),
                    is_one ? "it" : "them"));
  }

  /// What the kernel says of sockets that no table lists; false if it says nothing.
  bool told() {
    std::string states;
    int64_t count = 0;
    for (const auto& [state, sockets] : process_.told) {
      states += fmt::format("{}{} {}", states.empty() ? "" : ", ", sockets, state);
      count += sockets;
    }
    if (count == 0) return false;
    say(Basis::Observed,
        fmt::format("{} of its {} fds at the end {} that no table lists, and the kernel itself "
                    "says of {}: {}{}.",
                    count, process_.fds_last,
                    process_.has_ended ? (count == 1 ? "was a socket" : "were sockets")
                                       : (count == 1 ? "is a socket" : "are sockets"),
                    count == 1 ? "it" : "them", states,
                    process_.unread_netns.empty()
                        ? ""
                        : "; the tables of their network namespace were not read"));
    return true;
  }

  /// Nothing can be seen to outlive its connection for longer than the grace period.
  bool isShort() const {
    return process_.seconds * 1000 <= static_cast<double>(report_.grace_ms) &&
           leaksOf(process_) == 0;
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

  /// Connections whose peers have not answered for longer than the grace period.
  int64_t unanswered() const {
    const Finding* found = finding("unanswered");
    return found == nullptr ? 0 : static_cast<int64_t>(found->all_rows);
  }

  /// "is alive", or what is known where peers do not answer.
  std::string aliveOf(int64_t count) const {
    if (unanswered() == 0 && cause_ != Cause::UnreadData)
      return fmt::format("{} alive", isOrWas(count));
    return fmt::format("{} listed as ESTABLISHED", isOrWas(count));
  }

  /// ", though the peers of 20 do not answer"
  std::string unansweredClause(int64_t alive) const {
    const int64_t count = unanswered();
    if (count == 0) return {};
    return fmt::format(", though {} {} not answer",
                       alive == 1      ? "its peer"
                       : count == 1    ? "the peer of one"
                       : count < alive ? fmt::format("the peers of {}", count)
                                       : "their peers",
                       process_.has_ended ? "did"
                       : count == 1       ? "does"
                                          : "do");
  }

  /// Where nothing is dead.
  std::string liveLine(int64_t alive, bool has_others) const {
    const int64_t fds = alive;
    alive -= process_.duplicate_fds;
    const std::string held = alive == fds ? "" : fmt::format(", held by {} fds", fds);
    if (has_others || verdictCount("unlisted") > 0 || unreadFdsOf(process_) > 0) {
      return fmt::format("{} {}{}{}{}; no fd is known to have outlived its connection.",
                         plural(alive, "connection", "connections"), aliveOf(alive), held,
                         peersOf("connected", "ESTABLISHED"), unansweredClause(alive));
    }
    return fmt::format(
        "{} {}{}{}{}{}; none outlived: no fd {} of a connection that {} gone.",
        alive == 1 ? "Its only connection" : fmt::format("All its {} connections", alive),
        aliveOf(alive), held, process_.is_tcp6_only ? ", listed in tcp6 and none in tcp" : "",
        peersOf("connected", "ESTABLISHED"), unansweredClause(alive), isOrWas(1), isOrWas(1));
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
                      liveClientsOf(process_), process_.fds_last, isOrWas(liveClientsOf(process_)),
                      limitOf(process_)));
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
    if (verdictCount("outlived") > 0 && isShort() && !is_single) {
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
    if (const int64_t count = unanswered(); count > 0) {
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
          "Record again without --no-autopsy, as root or with CAP_SYS_PTRACE: then the kernel is "
          "asked what these sockets were.");
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
