#include "samples/demo_server/load.h"

#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "samples/demo_server/client.h"
#include "samples/demo_server/end_signals.h"
#include "samples/demo_server/socket.h"
#include "schema/file_handle.h"

namespace fdmortem::demo {

namespace {

using Clock = Client::Clock;
using std::chrono::milliseconds;

constexpr auto kSweepInterval = std::chrono::seconds(1);
constexpr auto kShortSweepInterval = milliseconds(100);
constexpr rlim_t kOtherFds = 64;
// More connections at once than a listener's queue holds would be answered a second later.
constexpr size_t kMostBusy = 64;
constexpr auto kFailurePause = milliseconds(100);
constexpr auto kMostCatchUp = milliseconds(100);

void raiseFdLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) throwErrno("getrlimit");
  const rlim_t wanted = std::min<rlim_t>(limit.rlim_max, kMostConnections + kOtherFds);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throwErrno("setrlimit");
}

/// Handles what happens until `deadline`, or only the first of it. False on an end signal, for
/// which `end_signal` is watched unless it is negative.
bool handleUntil(Client& client, Clock::time_point deadline, int end_signal) {
  std::array<pollfd, 2> fds{{{client.pollFd(), POLLIN, 0}, {end_signal, POLLIN, 0}}};
  const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  const auto wait = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
  if (::poll(fds.data(), fds.size(), wait) < 0 && errno != EINTR) throwErrno("poll");
  client.handleEvents();
  return fds[1].revents == 0;
}

Ending endingOf(const LoadOptions& options) {
  if (options.step) return Ending::Stay;
  switch (options.mode) {
    case Mode::Keep:
      return Ending::Stay;
    case Mode::Churn:
      return Ending::Close;
    case Mode::Reset:
      return Ending::Reset;
    case Mode::HalfClose:
      return Ending::HalfClose;
  }
  return Ending::Close;
}

/// Opens connections by the clock.
class TimedLoad {
 public:
  TimedLoad(const LoadOptions& options, Client& client)
      : options_(options), client_(client), most_(options.connections.value_or(defaultMost())) {}

  void run() {
    const FileHandle end_signal = makeEndSignalFd();
    const auto end = Clock::now() + options_.duration;
    next_open_ = Clock::now();
    while (Clock::now() < end && !isComplete()) {
      openDue();
      const auto next_open = mayOpen() ? next_open_ : Clock::time_point::max();
      if (!handleUntil(client_, std::min({end, next_sweep_, next_open}), end_signal.get())) return;
      sweepWhenDue();
    }
    while (isUnfinished()) {
      if (!handleUntil(client_, next_sweep_, end_signal.get())) return;
      sweepWhenDue();
    }
  }

 private:
  uint64_t defaultMost() const {
    if (options_.mode == Mode::Keep) return kMostConnections;
    return std::numeric_limits<uint64_t>::max();
  }

  bool isComplete() const {
    return options_.mode != Mode::Keep && started_count_ >= most_ && !isUnfinished();
  }

  bool isUnfinished() const {
    return client_.busyCount() > 0 || (options_.mode != Mode::Keep && client_.openCount() > 0);
  }

  bool mayOpen() const {
    const uint64_t count = options_.mode == Mode::Keep ? client_.openCount() : started_count_;
    const size_t most_busy = options_.rate > 0 ? kMostConnections : kMostBusy;
    return count < most_ && client_.openCount() < kMostConnections &&
           client_.busyCount() < most_busy;
  }

  void sweepWhenDue() {
    if (Clock::now() < next_sweep_) return;
    client_.giveUpLate();
    client_.endHeld();
    if (options_.mode == Mode::Keep) client_.askAgain();
    next_sweep_ = Clock::now() + sweepInterval();
  }

  Clock::duration sweepInterval() const {
    if (options_.hold.count() > 0) return kShortSweepInterval;
    return kSweepInterval;
  }

  void openDue() {
    noteFailures();
    while (mayOpen() && next_open_ <= Clock::now()) {
      client_.open();
      ++started_count_;
      noteFailures();
      if (options_.rate > 0) schedule();
    }
  }

  void schedule() {
    next_open_ += std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(1 / options_.rate));
    // What could not be done for a longer time is not made up for all at once.
    next_open_ = std::max(next_open_, Clock::now() - kMostCatchUp);
  }

  /// As fast as it can is no reason to hammer a server that is not there.
  void noteFailures() {
    if (client_.counters().failed == failures_noted_) return;
    failures_noted_ = client_.counters().failed;
    if (options_.rate == 0) next_open_ = Clock::now() + kFailurePause;
  }

  const LoadOptions& options_;
  Client& client_;
  uint64_t most_;
  uint64_t started_count_ = 0;
  uint64_t failures_noted_ = 0;
  Clock::time_point next_open_;
  Clock::time_point next_sweep_ = Clock::now() + sweepInterval();
};

struct StepCommand {
  std::string_view verb;
  size_t count = 0;
};

std::optional<StepCommand> parseStep(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  StepCommand command{.verb = line.substr(0, space)};
  const std::string_view count = line.substr(space + 1);
  const auto [stop, error] =
      std::from_chars(count.data(), count.data() + count.size(), command.count);
  if (error != std::errc{} || stop != count.data() + count.size()) return std::nullopt;
  return command;
}

/// Does what stdin says, one command after the other.
class SteppedLoad {
 public:
  explicit SteppedLoad(Client& client) : client_(client) {}

  void run() {
    std::string line;
    while (std::getline(std::cin, line) && line != "quit") {
      fmt::print("{}\n", execute(line));
      std::fflush(stdout);
    }
  }

 private:
  std::string execute(std::string_view line) {
    const auto command = parseStep(line);
    if (!command) return "error: not a command";
    if (command->verb == "open") return open(command->count);
    if (command->verb == "reset") return end(command->count, Ending::Reset);
    if (command->verb == "close") return end(command->count, Ending::Close);
    return "error: not a command";
  }

  std::string open(size_t count) {
    if (count > kMostConnections - client_.openCount()) return "error: too many connections";
    const uint64_t answered_before = client_.counters().answered;
    size_t started = 0;
    while (started < count || client_.busyCount() > 0) {
      for (; started < count && client_.busyCount() < kMostBusy; ++started)
        client_.open();
      handleUntil(client_, next_sweep_, -1);
      sweepWhenDue();
    }
    // Older connections may fail meanwhile, but only new ones are answered.
    const uint64_t failed = count - (client_.counters().answered - answered_before);
    return failed == 0 ? "done" : fmt::format("done failed={}", failed);
  }

  std::string end(size_t count, Ending ending) {
    client_.handleEvents();
    if (count > client_.openCount()) {
      return fmt::format("error: only {} open", client_.openCount());
    }
    client_.endOldest(count, ending);
    return "done";
  }

  void sweepWhenDue() {
    if (Clock::now() < next_sweep_) return;
    client_.giveUpLate();
    next_sweep_ = Clock::now() + kShortSweepInterval;
  }

  Client& client_;
  Clock::time_point next_sweep_;
};

}  // namespace

int load(const LoadOptions& options) {
  raiseFdLimit();
  ClientOptions client_options{.server = SocketAddress::parse(options.connect),
                               .requests = options.requests,
                               .timeout = options.timeout,
                               .ending = endingOf(options),
                               .hold = options.hold};
  if (options.source) client_options.source = SocketAddress(*options.source, 0);
  if (options.http_push) client_options.exchange = httpPush(*options.http_push);
  Client client(std::move(client_options));
  if (options.step) {
    SteppedLoad(client).run();
  } else {
    TimedLoad(options, client).run();
  }
  const Counters& counters = client.counters();
  fmt::print("connections opened={} answered={} failed={}\n", counters.opened, counters.answered,
             counters.failed);
  return 0;
}

}  // namespace fdmortem::demo
