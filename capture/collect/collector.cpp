#include "capture/collect/collector.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

#include "capture/clocks.h"
#include "capture/collect/net_collector.h"
#include "capture/collect/process_collector.h"
#include "capture/collect/second_look.h"
#include "schema/readers/host.h"

namespace fdmortem {
namespace {

/// Measures one phase after the other.
class PhaseTimer {
 public:
  int64_t lapUs() {
    const int64_t now = nowNs(CLOCK_MONOTONIC);
    return (now - std::exchange(last_, now)) / 1000;
  }

 private:
  int64_t last_ = nowNs(CLOCK_MONOTONIC);
};

/// The tree numbers processes as our own calls do: it is no saved one, and of no other pid
/// namespace. Only then does a pid in it name the process that pidfd_open would take.
bool isOwnProc(const ProcSource& source) {
  std::string self;
  return ProcSource::readLink(source.root(), "self", self) == 0 && self == std::to_string(getpid());
}

const ProcessRecord* findProcess(const Snapshot* snapshot, const ProcessIdentity& identity) {
  if (snapshot == nullptr) return nullptr;
  const auto found =
      std::lower_bound(snapshot->processes.begin(), snapshot->processes.end(), identity,
                       [](const ProcessRecord& process, const ProcessIdentity& id) {
                         return process.identity < id;
                       });
  const bool is_there = found != snapshot->processes.end() && found->identity == identity;
  return is_there ? &*found : nullptr;
}

/// Reads a host-wide file; a failure leaves the value empty.
template <class Value>
std::optional<Value> readHostFile(const ProcSource& source, const char* path,
                                  Parsed<Value> (*reader)(std::string_view), TextLog& texts,
                                  FailureLog& failures) {
  const auto text = texts.readWhole(source.root(), path, path);
  if (!text) {
    failures.add("read", path, {}, text.error());
    return {};
  }
  auto value = reader(*text);
  if (value) return std::move(*value);
  failures.addUnparsable(path, {}, value.error());
  return {};
}

/// About as much as there was in the snapshot before.
size_t expectedBytes(const Snapshot* previous) {
  if (previous == nullptr || !previous->texts) return 0;
  return previous->texts->first.bytes().size();
}

}  // namespace

Clocks readClocks() {
  return {.wall_ns = nowNs(CLOCK_REALTIME),
          .monotonic_ns = nowNs(CLOCK_MONOTONIC),
          .boottime_ns = nowNs(CLOCK_BOOTTIME)};
}

Collector::Collector(const ProcSource& source, Selection selection, bool with_autopsies,
                     TextPolicy policy)
    : source_(source),
      mounts_(source),
      selector_(source, std::move(selection)),
      with_autopsies_(with_autopsies && isOwnProc(source)),
      policy_(policy) {}

Snapshot Collector::take(const Snapshot* previous) {
  Snapshot snapshot;
  FailureLog failures;
  TextLog texts(policy_, expectedBytes(previous), std::exchange(spare_texts_, {}));
  TextLog again(policy_);
  snapshot.clocks = readClocks();
  PhaseTimer timer;

  readHost(snapshot, texts, failures);
  // Each while it is open: to open it once more would cost a read of its stat.
  selector_.select(failures, [&](const ProcessIdentity& identity, const SelectedProcess* opened) {
    if (auto process = readProcess(source_, identity, opened, texts, failures))
      snapshot.processes.push_back(std::move(*process));
  });
  std::sort(snapshot.processes.begin(), snapshot.processes.end(),
            [](const auto& a, const auto& b) { return a.identity < b.identity; });
  snapshot.times.processes_us = timer.lapUs();

  std::erase_if(snapshot.processes, [&](ProcessRecord& process) {
    return !readFds(source_, mounts_, findProcess(previous, process.identity), process, texts,
                    failures);
  });
  snapshot.times.fds_us = timer.lapUs();

  std::map<uint64_t, std::vector<ProcessIdentity>> inhabitants;
  for (const ProcessRecord& process : snapshot.processes) {
    if (process.netns) inhabitants[*process.netns].push_back(process.identity);
  }
  for (const auto& [netns, processes] : inhabitants) {
    if (auto record = readNetns(source_, netns, processes, texts, failures)) {
      snapshot.namespaces.push_back(std::move(*record));
    }
  }
  snapshot.times.tables_us = timer.lapUs();

  takeSecondLook(source_, previous, snapshot, with_autopsies_, again, failures);
  snapshot.times.second_look_us = timer.lapUs();
  keepTexts(texts, again, snapshot, failures);
  snapshot.failures = failures.take();
  return snapshot;
}

void Collector::reuse(const Snapshot& snapshot) {
  // Nobody else reads them.
  if (snapshot.texts && snapshot.texts.use_count() == 1) {
    spare_texts_ = std::move(snapshot.texts->first);
  }
}

void Collector::keepTexts(TextLog& first, TextLog& again, Snapshot& snapshot,
                          FailureLog& failures) const {
  if (!policy_.keeps_texts) return;
  if (first.isTooLong() || again.isTooLong()) {
    failures.add(Failure{.operation = "keep",
                         .subject = "the texts as they were read",
                         .pid = {},
                         .error_number = {},
                         .detail = "they are longer than 256 MiB"});
    return;
  }
  snapshot.texts = std::make_shared<SnapshotTexts>(SnapshotTexts{first.take(), again.take()});
}

void Collector::readHost(Snapshot& snapshot, TextLog& texts, FailureLog& failures) const {
  snapshot.file_nr = readHostFile(source_, "sys/fs/file-nr", parseFileNr, texts, failures);
  snapshot.nr_open = readHostFile(source_, "sys/fs/nr_open", parseSingleNumber, texts, failures);
  snapshot.file_max = readHostFile(source_, "sys/fs/file-max", parseSingleNumber, texts, failures);
  snapshot.uptime_ms = readHostFile(source_, "uptime", parseUptimeMs, texts, failures);
  if (!texts.keeps()) return;
  for (const char* path : {"loadavg", "meminfo"}) {
    const auto text = texts.readWhole(source_.root(), path, path);
    // A saved tree need not have them.
    if (!text && text.error() != ENOENT) failures.add("read", path, {}, text.error());
  }
}

}  // namespace fdmortem
