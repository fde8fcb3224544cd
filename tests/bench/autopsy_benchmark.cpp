// What the second look costs a process that holds 10,000 dead sockets: with the autopsies that the
// first snapshot needs, without any, and in the next snapshot, which needs none.
#include <sys/resource.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "capture/collect/collector.h"
#include "capture/collect/failure_log.h"
#include "capture/collect/proc_source.h"
#include "capture/collect/second_look.h"
#include "tests/support/actor.h"
#include "tests/support/pair.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

constexpr int64_t kDead = 10'000;

void playHolder(Cue& cue) {
  const rlimit limit{kDead + 100, kDead + 100};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("setrlimit");
  const Socket listener = listenOn("127.0.0.1");
  std::vector<Socket> dead;
  for (int64_t i = 0; i < kDead; ++i) {
    Pair pair = makePair(listener, "127.0.0.1");
    endByReset(pair);
    dead.push_back(std::move(pair.subject));
  }
  cue.tell("ready");
  cue.await();
}

const TextPolicy kNoTexts;

/// The holder, and a snapshot of it as it is before its second look.
class Holder {
 public:
  Holder() : actor_(playHolder) {
    actor_.hear();
    Selection selection;
    selection.pids.push_back(actor_.pid());
    fresh_ = Collector(source_, selection, false).take(nullptr);
    fresh_.second_looks.clear();
    for (FdRecord& fd : fresh_.processes.at(0).fds)
      fd.protocol = {};
  }

  const ProcSource& source() const { return source_; }
  const Snapshot& fresh() const { return fresh_; }

  /// Its next snapshot: what is known of each fd is taken over.
  Snapshot next() const {
    Snapshot now = fresh_;
    FailureLog failures;
    TextLog texts(kNoTexts);
    takeSecondLook(source_, nullptr, now, true, texts, failures);
    now.autopsies.clear();
    now.second_looks.clear();
    return now;
  }

 private:
  Actor actor_;
  ProcSource source_{"/proc"};
  Snapshot fresh_;
};

/// One for all benchmarks: it takes longer to make than to measure.
const Holder& holder() {
  static const Holder kHolder;
  return kHolder;
}

/// Counts for each socket what one second look at `before` costs.
void measure(benchmark::State& state, const Snapshot& before, bool with_autopsies) {
  size_t autopsies = 0;
  while (state.KeepRunning()) {
    state.PauseTiming();
    Snapshot now = before;
    FailureLog failures;
    TextLog texts(kNoTexts);
    state.ResumeTiming();
    takeSecondLook(holder().source(), nullptr, now, with_autopsies, texts, failures);
    state.PauseTiming();
    autopsies = now.autopsies.size();
    now = Snapshot();
    state.ResumeTiming();
  }
  state.counters["autopsies"] = static_cast<double>(autopsies);
  // CPU seconds a socket
  state.counters["socket"] =
      benchmark::Counter(static_cast<double>(kDead), benchmark::Counter::kIsIterationInvariantRate |
                                                         benchmark::Counter::kInvert);
}

void firstSnapshot(benchmark::State& state) {
  measure(state, holder().fresh(), state.range(0) != 0);
}
void nextSnapshot(benchmark::State& state) {
  measure(state, holder().next(), state.range(0) != 0);
}

BENCHMARK(firstSnapshot)->ArgName("autopsies")->Arg(1)->Arg(0)->Unit(benchmark::kMillisecond);
BENCHMARK(nextSnapshot)->ArgName("autopsies")->Arg(1)->Arg(0)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace fdmortem::test

BENCHMARK_MAIN();
