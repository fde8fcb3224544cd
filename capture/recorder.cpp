#include "capture/recorder.h"

#include <signal.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "capture/archive_writer.h"
#include "capture/changes.h"
#include "capture/collector.h"
#include "capture/priority.h"
#include "schema/printable.h"
#include "schema/readers/host.h"

namespace fdmortem {
namespace {

/// A full listing this often makes dropping what is older possible, and costs little beside it.
constexpr int64_t kSnapshotsPerKeyframe = 256;
/// So many different failures are named on stderr; all are in the archive.
constexpr size_t kMaximumNamedFailures = 20;
constexpr int kPartlyRead = 3;

/// A message for whoever watches. That nobody does, a closed terminal for instance, must end no
/// recording.
void say(const std::string& text) {
  fputs(fmt::format("fdcapture: {}\n", text).c_str(), stderr);
}

/// SIGINT, SIGTERM and SIGHUP as events to wait for: a snapshot that has begun is always finished.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      // Who started us with a signal ignored, nohup for instance, wants us to outlive it.
      struct sigaction action {};
      sigaction(signal, nullptr, &action);
      if (action.sa_handler != SIG_IGN) sigaddset(&signals_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    signal(SIGPIPE, SIG_IGN);
  }

  /// Waits until CLOCK_BOOTTIME says `deadline_ns`. Returns the signal that came first, or 0.
  int waitUntil(int64_t deadline_ns) const {
    while (true) {
      const int64_t left_ns = std::max<int64_t>(deadline_ns - readClocks().boottime_ns, 0);
      // sigtimedwait stands still in suspend, so it must not be asked to wait for long.
      const int64_t slice_ns = std::min<int64_t>(left_ns, 1'000'000'000);
      const timespec slice{.tv_sec = slice_ns / 1'000'000'000, .tv_nsec = slice_ns % 1'000'000'000};
      const int signal = sigtimedwait(&signals_, nullptr, &slice);
      if (signal > 0) return signal;
      if (errno == EAGAIN && slice_ns == left_ns) return 0;
    }
  }

 private:
  sigset_t signals_{};
};

RecordingInfo describeRecording(const RecordOptions& options, const ProcSource& source) {
  RecordingInfo info;
  info.started_at_ns = readClocks().wall_ns;
  std::string text;
  if (ProcSource::read(source.root(), "sys/kernel/random/boot_id", text) == 0) {
    if (auto boot_id = parseBootId(text)) info.boot_id = std::move(*boot_id);
  }
  utsname system{};
  if (uname(&system) != 0) throw std::system_error(errno, std::generic_category(), "uname");
  info.host_name = system.nodename;
  info.kernel_release = system.release;
  info.machine = system.machine;
  info.clock_ticks_per_second = sysconf(_SC_CLK_TCK);
  info.recorder_pid = getpid();
  info.recorder_uid = getuid();
  info.interval_ms = options.interval.count();
  info.options = nlohmann::json(options.arguments)
                     .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  info.note = options.note;
  return info;
}

std::string describe(const Failure& failure) {
  std::string reason = failure.detail;
  if (failure.error_number) reason = strerror(*failure.error_number);
  return fmt::format("{}: {}: {}", printable(failure.subject), failure.operation,
                     printable(reason));
}

/// Says what can't be read, each thing once.
class Notices {
 public:
  explicit Notices(const RecordOptions& options) : options_(options) {}

  void failures(const std::vector<Failure>& failures) {
    for (const Failure& failure : failures) {
      if (!named_.insert(describe(failure)).second) continue;
      if (named_.size() <= kMaximumNamedFailures) {
        say(describe(failure));
      } else if (named_.size() == kMaximumNamedFailures + 1) {
        say("more could not be read; the archive has all of it");
      }
      // What was said is remembered to say it once, but not without end.
      if (named_.size() > 100 * kMaximumNamedFailures) named_.erase(std::prev(named_.end()));
    }
  }

  void snapshot(int64_t id, const Snapshot& snapshot) const {
    if (!options_.verbose) return;
    size_t fd_count = 0;
    for (const ProcessRecord& process : snapshot.processes)
      fd_count += process.fds.size();
    const PhaseTimes& times = snapshot.times;
    say(fmt::format(
        "snapshot {}: {} processes, {} fds, {} failures, read in {} ms", id,
        snapshot.processes.size(), fd_count, snapshot.failures.size(),
        (times.processes_us + times.fds_us + times.tables_us + times.second_look_us) / 1000));
  }

  bool hadFailures() const { return !named_.empty(); }

 private:
  const RecordOptions& options_;
  std::set<std::string> named_;
};

/// When snapshots are due: at whole intervals after the first, none twice. What is missed is
/// counted.
class Schedule {
 public:
  Schedule(int64_t start_ns, int64_t interval_ns)
      : start_ns_(start_ns), interval_ns_(interval_ns) {}

  int64_t dueNs() const { return start_ns_ + slot_ * interval_ns_; }
  int64_t missed() const { return missed_; }

  /// Goes to the first slot that is not over at `now_ns`.
  void advance(int64_t now_ns) {
    const int64_t next =
        std::max(slot_ + 1, (now_ns - start_ns_ + interval_ns_ - 1) / interval_ns_);
    missed_ = next - slot_ - 1;
    slot_ = next;
  }

 private:
  int64_t start_ns_;
  int64_t interval_ns_;
  int64_t slot_ = 0;
  int64_t missed_ = 0;
};

class Recorder {
 public:
  explicit Recorder(const RecordOptions& options)
      : options_(options),
        source_(options.proc_root),
        collector_(source_, options.selection, options.with_autopsies),
        notices_(options) {}

  int run() {
    requireOneProcess();
    for (const std::string& refused : lowerPriority())
      if (options_.verbose) say(refused);
    ArchiveWriter archive(options_.output);
    archive.beginRecording(describeRecording(options_, source_));
    announce(fmt::format("recording into {} every {} ms", printable(options_.output),
                         options_.interval.count()));
    const std::string reason = loop(archive);
    archive.endRecording(readClocks().wall_ns, reason);
    announce(
        fmt::format("{} snapshots in {}, ended: {}", taken_, printable(options_.output), reason));
    return notices_.hadFailures() ? kPartlyRead : 0;
  }

 private:
  void announce(const std::string& text) const {
    if (!options_.quiet) say(text);
  }

  /// A mistyped pid is told at once, before there is a file.
  void requireOneProcess() const {
    const Selection& selection = options_.selection;
    if (selection.scansProcesses()) return;
    for (const int32_t pid : selection.pids) {
      const auto process = openProcess(source_, pid);
      if (process || process.error() != ESRCH) return;
    }
    throw std::runtime_error(fmt::format("no such process: {}", fmt::join(selection.pids, ", ")));
  }

  std::string loop(ArchiveWriter& archive) {
    const int64_t interval_ns = options_.interval.count() * 1'000'000;
    const int64_t start_ns = readClocks().boottime_ns;
    Schedule schedule(start_ns, interval_ns);
    while (true) {
      takeSnapshot(archive, schedule);
      if (collector_.isExhausted()) return "the selected processes have ended";
      if (options_.count && taken_ >= *options_.count) return "count";
      schedule.advance(readClocks().boottime_ns);
      int64_t wake_ns = schedule.dueNs();
      if (options_.duration) {
        const int64_t end_ns = start_ns + options_.duration->count() * 1'000'000;
        if (wake_ns >= end_ns) {
          const int signal = signals_.waitUntil(end_ns);
          return signal != 0 ? signalName(signal) : "duration";
        }
      }
      if (const int signal = signals_.waitUntil(wake_ns)) return signalName(signal);
    }
  }

  static std::string signalName(int signal) {
    return signal == SIGINT ? "SIGINT" : signal == SIGHUP ? "SIGHUP" : "SIGTERM";
  }

  void takeSnapshot(ArchiveWriter& archive, const Schedule& schedule) {
    const bool keyframe = taken_ % kSnapshotsPerKeyframe == 0;
    const Snapshot* previous = previous_ ? &*previous_ : nullptr;
    Snapshot now = collector_.take(previous);
    const int64_t compare_start_ns = readClocks().monotonic_ns;
    if (previous != nullptr) carryOver(*previous, now);
    const ChangeSet changes = detectChanges(previous, now, keyframe);
    SnapshotTiming timing{.keyframe = keyframe, .missed_before = schedule.missed()};
    timing.late_us = std::max<int64_t>((now.clocks.boottime_ns - schedule.dueNs()) / 1000, 0);
    timing.compare_us = (readClocks().monotonic_ns - compare_start_ns) / 1000;
    const int64_t id = archive.write(now, changes, timing);
    ++taken_;
    notices_.failures(now.failures);
    notices_.snapshot(id, now);
    previous_ = std::move(now);
  }

  const RecordOptions& options_;
  StopSignals signals_;
  ProcSource source_;
  Collector collector_;
  Notices notices_;
  std::optional<Snapshot> previous_;
  uint64_t taken_ = 0;
};

}  // namespace

int record(const RecordOptions& options) {
  return Recorder(options).run();
}

}  // namespace fdmortem
