#include "capture/recorder.h"

#include <signal.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "capture/archive_writer.h"
#include "capture/burst.h"
#include "capture/changes.h"
#include "capture/collector.h"
#include "capture/hints.h"
#include "capture/own_limits.h"
#include "capture/priority.h"
#include "capture/progress.h"
#include "capture/schedule.h"
#include "schema/printable.h"
#include "schema/readers/host.h"

namespace fdmortem {
namespace {

/// A disk that was full is written to again when it has so much room.
constexpr uint64_t kRoomBytes = 4 << 20;
constexpr int kPartlyRead = 3;
constexpr uint64_t kSnapshotsBetweenHeads = 360;  // an hour at the interval that is the default

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
    signal(SIGXFSZ, SIG_IGN);  // a limit of the size of files is an error of a write
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

/// Who logged in, whatever he became since; empty if nobody did (-1) or the kernel does not tell.
std::optional<uint32_t> loginUid() {
  std::ifstream file("/proc/self/loginuid");
  uint32_t uid = 0;
  if (!(file >> uid) || uid == std::numeric_limits<uint32_t>::max()) return {};
  return uid;
}

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
  info.options = options.arguments;
  info.keeps_texts = options.keeps_texts;
  info.recorder_login_uid = loginUid();
  info.note = options.note;
  return info;
}

/// What a snapshot that could not be stored is missed for.
const char* reasonOf(StoreFailure why) {
  switch (why) {
    case StoreFailure::DiskFull:
      return delay_reason::kDiskFull;
    case StoreFailure::OverLimit:
      return delay_reason::kMaxSize;
    case StoreFailure::NoMemory:
      return delay_reason::kMemory;
    case StoreFailure::InputOutput:
      break;
  }
  return delay_reason::kInputOutput;
}

RetentionLimits retentionOf(const RecordOptions& options) {
  RetentionLimits limits{.max_bytes = options.max_size_bytes};
  if (options.keep) limits.keep_ns = options.keep->count() * 1'000'000;
  return limits;
}

class Recorder {
 public:
  explicit Recorder(const RecordOptions& options)
      : options_(options),
        source_(options.proc_root),
        collector_(source_, options.selection, options.with_autopsies,
                   {.keeps_texts = options.keeps_texts,
                    .keeps_environ = options.keeps_environ,
                    .redaction = options.redaction}),
        progress_(options),
        schedule_(readClocks().boottime_ns, options.interval.count() * 1'000'000) {
    if (options.burst_above_percent) burst_.emplace(source_, *options.burst_above_percent);
  }

  int run() {
    requireOneProcess();
    for (const std::string& refused : lowerPriority())
      progress_.detail(refused);
    if (!limitOwnMemory(options_.max_memory_bytes)) {
      progress_.detail("its memory could not be limited");
    }
    archive_.emplace(options_.output, retentionOf(options_), options_.redaction);
    archive_->beginRecording(describeRecording(options_, source_));
    progress_.announce(fmt::format("recording into {} every {} ms", printable(options_.output),
                                   options_.interval.count()));
    if (options_.selection.scansProcesses()) {
      const std::string hint = hintOnHiddenProcesses(source_);
      if (!hint.empty()) progress_.announce(hint);
    }
    const std::string reason = loop();
    tellUnstoredDelays();
    const auto error = archive_->endRecording(readClocks().wall_ns, reason);
    if (error) progress_.warn("the end of the recording could not be stored: " + error->message);
    progress_.announce(fmt::format("{} snapshots in {}, ended: {}; head {}", taken_,
                                   printable(options_.output), reason, toHex(archive_->head())));
    return progress_.hadFailures() || has_lost_ || error ? kPartlyRead : 0;
  }

 private:
  /// A mistyped pid is told at once, before there is a file.
  void requireOneProcess() const {
    const Selection& selection = options_.selection;
    if (selection.scansProcesses()) return;
    for (const int32_t pid : selection.pids) {
      const auto process = openProcess(source_, pid);
      if (process || process.error() != ESRCH) return;
    }
    throw std::runtime_error(fmt::format("no such process: {}; {}", fmt::join(selection.pids, ", "),
                                         hintOnMissingProcess(source_, selection.pids.front())));
  }

  /// Returns why it ended.
  std::string loop() {
    const int64_t start_ns = schedule_.dueNs();
    std::optional<int64_t> end_ns;
    if (options_.duration) end_ns = start_ns + options_.duration->count() * 1'000'000;
    while (true) {
      takeSnapshot(false);
      if (collector_.isExhausted()) return "the selected processes have ended";
      if (options_.count && taken_ >= *options_.count) return "count";
      const int64_t now_ns = readClocks().boottime_ns;
      schedule_.advance(now_ns, std::max(now_ns, earliest_ns_));
      const bool is_last = end_ns && schedule_.dueNs() >= *end_ns;
      if (const auto reason = waitAndWatch(is_last ? *end_ns : schedule_.dueNs())) return *reason;
      if (is_last) return "duration";
    }
  }

  /// Waits, and takes the snapshots of bursts meanwhile. Returns why the recording ends, if it
  /// does.
  std::optional<std::string> waitAndWatch(int64_t until_ns) {
    const Clocks before = readClocks();
    const int64_t step_ns = options_.burst_interval.count() * 1'000'000;
    while (burst_) {
      const int64_t look_ns = std::max(readClocks().boottime_ns + step_ns, earliest_ns_);
      if (look_ns >= until_ns) break;
      if (const int signal = signals_.waitUntil(look_ns)) return signalName(signal);
      if (!seesBurst()) continue;
      takeSnapshot(true);
      if (collector_.isExhausted()) return "the selected processes have ended";
      if (options_.count && taken_ >= *options_.count) return "count";
    }
    // What the bursts took counts as well.
    const int64_t woken_ns = std::max(until_ns, earliest_ns_);
    const bool is_slow = readClocks().boottime_ns > woken_ns;
    if (const int signal = signals_.waitUntil(woken_ns)) return signalName(signal);
    const Clocks now = readClocks();
    const int64_t suspended_ns =
        (now.boottime_ns - before.boottime_ns) - (now.monotonic_ns - before.monotonic_ns);
    const char* reason = delay_reason::kStopped;
    if (suspended_ns > (now.boottime_ns - until_ns) / 2) reason = delay_reason::kSuspended;
    if (is_slow) reason = delay_reason::kSlow;
    if (woken_ns > until_ns) reason = delay_reason::kCpuBudget;
    schedule_.wake(now.boottime_ns, reason);
    return {};
  }

  static std::string signalName(int signal) {
    return signal == SIGINT ? "SIGINT" : signal == SIGHUP ? "SIGHUP" : "SIGTERM";
  }

  /// Whether a process has that many fds now; its beginning and its end are events.
  bool seesBurst() {
    const std::string who = burst_->look();
    if (who.empty() == !in_burst_) return in_burst_;
    in_burst_ = !who.empty();
    tell(in_burst_ ? "burst-began" : "burst-ended", who);
    return in_burst_;
  }

  /// Says what the recorder has to tell of itself, and writes it into the archive.
  void tell(const std::string& kind, const std::string& detail) {
    progress_.announce(detail.empty() ? kind : fmt::format("{}: {}", kind, detail));
    archive_->note(readClocks(), kind, detail.empty() ? std::nullopt : std::optional(detail));
  }

  /// What was missed since the last snapshot that is in the archive, if that is the last because
  /// none could be stored any more.
  void tellUnstoredDelays() {
    if (!is_failing_) return;
    std::string text;
    for (const Delay& delay : schedule_.delays()) {
      if (delay.missed == 0) continue;
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", delay.reason, delay.missed);
    }
    if (!text.empty()) archive_->note(readClocks(), "missed-at-end", text);
  }

  void takeSnapshot(bool is_burst) {
    if (is_full_ && !hasRoomAgain()) {
      if (!is_burst) schedule_.miss(delay_reason::kDiskFull);
      return;
    }
    const Clocks started = readClocks();
    const int64_t cpu_before_us = ownCpuUs();
    try {
      store(is_burst);
    } catch (const std::bad_alloc&) {
      notStored({StoreFailure::NoMemory, {}}, is_burst);
    }
    spares_.take();
    if (!options_.max_cpu_percent) return;
    const int64_t cpu_ns = (ownCpuUs() - cpu_before_us) * 1000;
    earliest_ns_ =
        std::max(earliest_ns_, started.boottime_ns) + cpu_ns * 100 / *options_.max_cpu_percent;
  }

  void store(bool is_burst) {
    // If there is too little room even for dropping, storing says so.
    archive_->makeRoom(readClocks());
    const Snapshot* previous = previous_ ? &*previous_ : nullptr;
    spares_.release();
    Snapshot now = collector_.take(previous);
    const int64_t compare_start_ns = readClocks().monotonic_ns;
    if (previous != nullptr) carryOver(*previous, now);
    const bool keyframe = archive_->wantsKeyframe(now.clocks);
    const ChangeSet changes = detectChanges(previous, now, keyframe);
    SnapshotTiming timing{.keyframe = keyframe, .is_burst = is_burst, .delays = schedule_.delays()};
    if (!is_burst) {
      timing.late_us = std::max<int64_t>((now.clocks.boottime_ns - schedule_.dueNs()) / 1000, 0);
    }
    timing.compare_us = (readClocks().monotonic_ns - compare_start_ns) / 1000;
    const int64_t cpu_us = ownCpuUs();
    timing.cpu_us = cpu_us - stored_cpu_us_;
    const auto id = archive_->write(now, changes, timing);
    progress_.failures(now.failures);
    if (!id) return notStored(id.error(), is_burst);
    // First of all what the next one is compared with: what follows may run out of memory.
    previous_ = std::move(now);
    stored_cpu_us_ = cpu_us;
    schedule_.stored();
    ++taken_;
    // Only what the next one is compressed against is needed on.
    if (previous_->texts) previous_->texts->again = {};
    is_failing_ = false;
    if (taken_ % kSnapshotsBetweenHeads == 0) {
      progress_.announce(fmt::format("snapshot {}: head {}", *id, toHex(archive_->head())));
    }
    progress_.stored(*id, *previous_, archive_->archive().diskBytes());
    if (burst_) burst_->follow(*previous_);
  }

  /// A snapshot is lost, and the recording goes on.
  void notStored(const NotStored& error, bool is_burst) {
    has_lost_ = true;
    // Those of a burst were not due.
    if (!is_burst) schedule_.miss(reasonOf(error.why));
    if (!std::exchange(is_failing_, true)) {
      progress_.warn(fmt::format(
          "a snapshot could not be stored: {}",
          error.why == StoreFailure::NoMemory ? "it needs more than --max-memory" : error.message));
    }
    if (error.why != StoreFailure::DiskFull) return;
    is_full_ = true;
    archive_->archive().spendBallast();
    if (archive_->note(readClocks(), "disk-full")) {
      progress_.warn("not even that the disk is full could be stored");
    }
  }

  bool hasRoomAgain() {
    spares_.release();
    const bool has_room = archive_->archive().hasRoom(kRoomBytes);
    spares_.take();
    if (!has_room) return false;
    is_full_ = false;
    tell("disk-room", "there is room again");
    return true;
  }

  const RecordOptions& options_;
  StopSignals signals_;
  ProcSource source_;
  Collector collector_;
  Progress progress_;
  Schedule schedule_;
  SpareDescriptors spares_;
  std::optional<BurstWatch> burst_;
  std::optional<ArchiveWriter> archive_;
  std::optional<Snapshot> previous_;  ///< the last one that is in the archive
  uint64_t taken_ = 0;
  int64_t stored_cpu_us_ = 0;
  int64_t earliest_ns_ = 0;  ///< of the next snapshot, by --max-cpu; CLOCK_BOOTTIME
  bool in_burst_ = false;
  bool is_full_ = false;
  bool is_failing_ = false;  ///< the last snapshot could not be stored
  bool has_lost_ = false;
};

}  // namespace

int record(const RecordOptions& options) {
  return Recorder(options).run();
}

}  // namespace fdmortem
