#include "capture/collector.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>
#include <utility>

#include "capture/net_collector.h"
#include "capture/process_collector.h"
#include "capture/second_look.h"
#include "schema/readers/host.h"

namespace fdmortem {
namespace {

int64_t nowNs(clockid_t clock) {
  timespec time{};
  if (clock_gettime(clock, &time) != 0) {
    throw std::system_error(errno, std::generic_category(), "clock_gettime");
  }
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

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
                                  Parsed<Value> (*reader)(std::string_view), FailureLog& failures) {
  std::string text;
  if (const int error = ProcSource::read(source.root(), path, text)) {
    failures.add("read", path, {}, error);
    return {};
  }
  auto value = reader(text);
  if (value) return std::move(*value);
  failures.addUnparsable(path, {}, value.error());
  return {};
}

}  // namespace

Clocks readClocks() {
  return {.wall_ns = nowNs(CLOCK_REALTIME),
          .monotonic_ns = nowNs(CLOCK_MONOTONIC),
          .boottime_ns = nowNs(CLOCK_BOOTTIME)};
}

Collector::Collector(const ProcSource& source, Selection selection, bool with_autopsies)
    : source_(source),
      selector_(source, std::move(selection)),
      with_autopsies_(with_autopsies && isOwnProc(source)) {}

Snapshot Collector::take(const Snapshot* previous) {
  Snapshot snapshot;
  FailureLog failures;
  snapshot.clocks = readClocks();
  PhaseTimer timer;

  readHost(snapshot, failures);
  for (const ProcessIdentity& identity : selector_.select(failures)) {
    if (auto process = readProcess(source_, identity, failures)) {
      snapshot.processes.push_back(std::move(*process));
    }
  }
  snapshot.times.processes_us = timer.lapUs();

  std::erase_if(snapshot.processes, [&](ProcessRecord& process) {
    return !readFds(source_, findProcess(previous, process.identity), process, failures);
  });
  snapshot.times.fds_us = timer.lapUs();

  std::map<uint64_t, std::vector<ProcessIdentity>> inhabitants;
  for (const ProcessRecord& process : snapshot.processes) {
    if (process.netns) inhabitants[*process.netns].push_back(process.identity);
  }
  for (const auto& [netns, processes] : inhabitants) {
    if (auto record = readNetns(source_, netns, processes, failures)) {
      snapshot.namespaces.push_back(std::move(*record));
    }
  }
  snapshot.times.tables_us = timer.lapUs();

  takeSecondLook(source_, previous, snapshot, with_autopsies_, failures);
  snapshot.times.second_look_us = timer.lapUs();
  snapshot.failures = failures.take();
  return snapshot;
}

void Collector::readHost(Snapshot& snapshot, FailureLog& failures) const {
  snapshot.file_nr = readHostFile(source_, "sys/fs/file-nr", parseFileNr, failures);
  snapshot.nr_open = readHostFile(source_, "sys/fs/nr_open", parseSingleNumber, failures);
  snapshot.file_max = readHostFile(source_, "sys/fs/file-max", parseSingleNumber, failures);
  snapshot.uptime_ms = readHostFile(source_, "uptime", parseUptimeMs, failures);
}

}  // namespace fdmortem
