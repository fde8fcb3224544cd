#include "analyze/report/connection_statements.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/core.h>

#include "analyze/report/words.h"

namespace fdmortem {
namespace {

using Basis = Statement::Basis;

constexpr size_t kMaximumPeers = 3;

class ConnectionStatements {
 public:
  ConnectionStatements(const Report& report, const ProcessReport& process, Cause cause)
      : report_(report), process_(process), cause_(cause) {}

  std::vector<Statement> take() {
    connections();
    return std::move(statements_);
  }

 private:
  int64_t verdictCount(std::string_view verdict) const {
    return countOf(process_.verdicts, verdict);
  }
  void say(Basis basis, std::string text) { statements_.push_back({basis, std::move(text)}); }

  void connections() {
    const int64_t outlived = verdictCount("outlived");
    const int64_t closed = verdictCount("peer-closed");
    if (outlived > 0) outlivedLine(outlived);
    if (closed > 0) peerClosedLine(closed);
    growing();
    unixPeers();
    const bool has_told = told();
    if (outlived == 0 && closed == 0) withoutDead(has_told);
  }

  void outlivedLine(int64_t outlived) {
    const bool has_ended = process_.has_ended;
    std::string line = fmt::format(
        "{} of its {} fds at the end {} {} gone{}", outlived, process_.fds_last,
        outlived == 1
            ? (has_ended ? "was a socket whose connection" : "is a socket whose connection")
            : (has_ended ? "were sockets whose connections" : "are sockets whose connections"),
        isOrWas(process_, outlived), peersOf("outlived"));
    if (!isShorterThanGrace(report_, process_)) {
      line += fmt::format(", {} for longer than the grace period of {}",
                          leaksOf(process_) == 0 ? "none" : std::to_string(leaksOf(process_)),
                          grace(report_));
    }
    say(Basis::Observed, line + proofs() + ".");
  }

  void peerClosedLine(int64_t closed) {
    const char* has = process_.has_ended ? "had" : "has";
    say(Basis::Observed,
        fmt::format("{} of its {} fds at the end {} in CLOSE_WAIT{}: the peer {} ended its "
                    "side, the program {} not closed.",
                    closed, process_.fds_last, isOrWas(process_, closed), peersOf("peer-closed"),
                    has, has));
  }

  /// Where no fd outlived its connection and no peer has closed. `has_told`: something was said of
  /// sockets that no table lists.
  void withoutDead(bool has_told) {
    const int64_t closing = verdictCount("closing");
    const int64_t alive = establishedOf(process_);
    const int64_t attempts = verdictCount("connected") - alive;
    if (attempts > 0) {
      say(Basis::Observed,
          fmt::format("{} of its sockets {} to connect{} and {} not connected (SYN_SENT).",
                      attempts,
                      process_.has_ended ? "tried"
                      : attempts == 1    ? "tries"
                                         : "try",
                      peersOf("connected", "SYN_SENT"), isOrWas(process_, attempts)));
    }
    if (closing > 0) {
      say(Basis::Observed, fmt::format("{} the program {} shut down and not closed{}.",
                                       plural(closing, "connection", "connections"),
                                       process_.has_ended ? "had" : "has", peersOf("closing")));
    }
    if (alive > 0) {
      say(Basis::Observed, liveLine(alive, attempts + closing > 0));
    } else if (!has_told && attempts + closing == 0 && allIsKnown() && hasTcp()) {
      say(Basis::Observed, "No fd outlived its TCP connection.");
    }
  }

  bool allIsKnown() const { return verdictCount("unlisted") == 0 && unreadFdsOf(process_) == 0; }

  /// Of a process without a TCP socket there is nothing to say.
  bool hasTcp() const {
    return std::any_of(process_.verdicts.begin(), process_.verdicts.end(),
                       [](const auto& entry) { return entry.first != "other"; });
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

  /// "is alive", or what is known where peers do not answer.
  std::string aliveOf(int64_t count) const {
    if (unansweredOf(report_, process_) == 0 && cause_ != Cause::UnreadData)
      return fmt::format("{} alive", isOrWas(process_, count));
    return fmt::format("{} listed as ESTABLISHED", isOrWas(process_, count));
  }

  /// ", though the peers of 20 do not answer"
  std::string unansweredClause(int64_t alive) const {
    const int64_t count = unansweredOf(report_, process_);
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
    if (has_others || !allIsKnown()) {
      return fmt::format("{} {}{}{}{}; no fd is known to have outlived its connection.",
                         plural(alive, "connection", "connections"), aliveOf(alive), held,
                         peersOf("connected", "ESTABLISHED"), unansweredClause(alive));
    }
    return fmt::format(
        "{} {}{}{}{}{}; none outlived: no fd {} of a connection that {} gone.",
        alive == 1 ? "Its only connection" : fmt::format("All its {} connections", alive),
        aliveOf(alive), held, process_.is_tcp6_only ? ", listed in tcp6 and none in tcp" : "",
        peersOf("connected", "ESTABLISHED"), unansweredClause(alive), isOrWas(process_, 1),
        isOrWas(process_, 1));
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

  const Report& report_;
  const ProcessReport& process_;
  Cause cause_;
  std::vector<Statement> statements_;
};

}  // namespace

std::vector<Statement> connectionStatements(const Report& report, const ProcessReport& process,
                                            Cause cause) {
  return ConnectionStatements(report, process, cause).take();
}

}  // namespace fdmortem
