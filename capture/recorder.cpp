#include "capture/recorder.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <SQLiteCpp/Exception.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include "capture/archive/writer.h"
#include "capture/burst.h"
#include "capture/changes.h"
#include "capture/collect/collector.h"
#include "capture/disk_retry.h"
#include "capture/hints.h"
#include "capture/own_limits.h"
#include "capture/priority.h"
#include "capture/progress.h"
#include "capture/recording_info.h"
#include "capture/schedule.h"
#include "capture/stop_signals.h"
#include "schema/command_line/duration.h"
#include "schema/command_line/exit_status.h"
#include "schema/printable.h"
#include "schema/readers/host.h"

namespace fdmortem {
namespace {

constexpr const char* kExhausted = "the selected processes have ended";
constexpr uint64_t kSnapshotsBetweenHeads = 360;  // an hour at the interval that is the default

/// After so many snapshots in a row that needed more memory than there is, what they are compared
/// with is given up; more, up to a bound, where that did not help for long.
constexpr int kMemoryFailures = 3;
constexpr int kMostMemoryFailures = 96;

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

/// Whether an archive that can't be opened for that may be opened later: the host is out of disk,
/// of files or of memory, or somebody has locked it.
bool mayPass(const std::system_error& error) {
  const int number = error.code().value();
  return number == ENOSPC || number == EDQUOT || number == ENFILE || number == ENOMEM;
}
bool mayPass(const SQLite::Exception& error) {
  switch (error.getErrorCode() & 0xff) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return true;
    default:
      return error.getExtendedErrorCode() == SQLITE_IOERR_WRITE ||
             error.getExtendedErrorCode() == SQLITE_IOERR_SHMSIZE ||
             error.getExtendedErrorCode() == SQLITE_IOERR_SHMMAP;
  }
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
        schedule_(0, options.interval.count() * 1'000'000) {
    if (options.burst_above_percent) {
      burst_.emplace(source_, *options.burst_above_percent, spares_);
    }
  }

  int run() {
    requireOneProcess();
    for (const std::string& refused : lowerPriority())
      progress_.detail(refused);
    if (!limitOwnMemory(options_.max_memory_bytes)) {
      progress_.detail("its memory could not be limited");
    }
    is_continued_ = access(options_.output.c_str(), F_OK) == 0;
    if (!begin()) return kFailed;
    const char* reason = loop();
    // The end is to be stored in any case.
    previous_.reset();
    collector_.giveUpMemory();
    const bool has_end = storeEnd(reason);
    unlessOutOfMemory([&] { tellEnd(reason); });
    return progress_.hadFailures() || has_lost_ || !has_end ? kPartlyRead : 0;
  }

 private:
  /// False: it could not be stored, which was said. Memory that is short may come back within a
  /// moment.
  bool storeEnd(const char* reason) {
    constexpr int kTries = 10;
    for (int tried = 1;; ++tried) {
      try {
        const auto error = archive_->endRecording(readClocks(), reason, unstoredDelays());
        if (!error) return true;
        if (error->why != StoreFailure::NoMemory) {
          progress_.warn("the end of the recording could not be stored: " + error->message);
          return false;
        }
      } catch (const std::bad_alloc&) {  // as above
      }
      if (tried == kTries) break;
      usleep(100'000);
    }
    progress_.warnWithoutMemory(
        "fdcapture: the end of the recording could not be stored: out of memory\n");
    return false;
  }

  void tellEnd(const char* reason) {
    progress_.endStatus();
    if (taken_ > 0 && !has_found_) {
      progress_.warn("no process matched the selection, so none is recorded");
    }
    const int64_t missed = schedule_.allMissed();
    progress_.announce(fmt::format(
        "{} {} in {}{}, ended: {}; head {}", taken_, taken_ == 1 ? "snapshot" : "snapshots",
        printable(options_.output), missed > 0 ? fmt::format(", {} missed", missed) : std::string(),
        reason, toHex(archive_->head())));
  }

  /// Does it; without memory for it what was to be said is lost, and the recording goes on.
  template <class Action>
  void unlessOutOfMemory(const Action& action) {
    try {
      action();
    } catch (const std::bad_alloc&) {
      progress_.addLost();
    }
  }

  /// Opens the archive and begins the recording, as soon as that can be done. False: it was to end
  /// before.
  bool begin() {
    const int64_t start_ns = readClocks().boottime_ns;
    Backoff backoff;
    std::string first_problem;
    while (true) {
      const std::string problem = tryToBegin();
      const int64_t now_ns = readClocks().boottime_ns;
      schedule_ = Schedule(now_ns, options_.interval.count() * 1'000'000);
      if (problem.empty()) {
        tellBegin(now_ns - start_ns, first_problem);
        return true;
      }
      if (std::exchange(first_problem, problem) != problem) {
        unlessOutOfMemory([&] {
          progress_.warn(fmt::format("{}: can't be recorded into now, tries again: {}",
                                     printable(options_.output), printable(problem)));
        });
      }
      backoff.failed(now_ns);
      int64_t until_ns = backoff.nextNs();
      const int64_t end_ns =
          options_.duration ? start_ns + options_.duration->count() * 1'000'000 : until_ns;
      if (signals_.waitUntil(std::min(until_ns, end_ns)) != nullptr || until_ns > end_ns) {
        progress_.warn("ended, nothing was recorded");
        return false;
      }
    }
  }

  /// Returns what it can't be done for, if that may pass. Throws everything else.
  std::string tryToBegin() {
    try {
      archive_.emplace(options_.output, retentionOf(options_), options_.redaction);
      archive_->beginRecording(describeRecording(options_, source_));
      return {};
    } catch (const std::system_error& error) {
      if (!mayPass(error)) throw;
      archive_.reset();
      return error.code().message();
    } catch (const SQLite::Exception& error) {
      if (!mayPass(error)) throw;
      archive_.reset();
      return error.what();
    } catch (const std::bad_alloc&) {
      archive_.reset();
      return "out of memory";
    }
  }

  void tellBegin(int64_t waited_ns, const std::string& problem) {
    unlessOutOfMemory([&] {
      progress_.announce(
          fmt::format("{} {} every {}", is_continued_ ? "continuing" : "recording into",
                      printable(options_.output),
                      durationText(static_cast<uint64_t>(options_.interval.count()))));
      for (const std::string& missing : missing_)
        progress_.announce(missing);
      for (const std::string& thread : threads_)
        progress_.announce(thread);
      if (archive_->trimmedSnapshots() > 0) {
        progress_.warn(fmt::format(
            "the archive was larger than --max-size: its oldest snapshots were dropped, {} of them",
            archive_->trimmedSnapshots()));
      }
      if (!problem.empty()) {
        tell("began-late", fmt::format("{} s: {}", waited_ns / 1'000'000'000, problem));
      }
      if (!options_.selection.scansProcesses()) return;
      const std::string hint = hintOnHiddenProcesses(source_);
      if (!hint.empty()) progress_.announce(hint);
    });
  }

  /// A mistyped pid is told at once, if there is no other before there is a file.
  void requireOneProcess() {
    const Selection& selection = options_.selection;
    for (const int32_t pid : selection.pids) {
      const auto process = openProcess(source_, pid);
      if (process) {
        if (auto hint = hintOnThread(source_, pid); !hint.empty())
          threads_.push_back(std::move(hint));
      }
      if (process || process.error() != ESRCH) continue;
      missing_.push_back(
          fmt::format("no such process: {}; {}", pid, hintOnMissingProcess(source_, pid)));
    }
    if (selection.scansProcesses() || missing_.size() < selection.pids.size()) return;
    throw std::runtime_error(fmt::format("no such process: {}; {}", fmt::join(selection.pids, ", "),
                                         hintOnMissingProcess(source_, selection.pids.front())));
  }

  /// Returns why it ended.
  const char* loop() {
    std::optional<int64_t> end_ns;
    if (options_.duration) end_ns = schedule_.dueNs() + options_.duration->count() * 1'000'000;
    const char* reason = takeUntil(end_ns);
    // After the last of --count, and of a process that has ended, none was due.
    if (!has_taken_last_) {
      const int64_t now_ns = readClocks().boottime_ns;
      schedule_.end(end_ns ? std::min(*end_ns, now_ns) : now_ns);
    }
    return reason;
  }

  const char* takeUntil(std::optional<int64_t> end_ns) {
    while (true) {
      takeSnapshot(false);
      if (const char* reason = reasonToEnd()) return reason;
      const int64_t now_ns = readClocks().boottime_ns;
      schedule_.advance(now_ns, std::max(now_ns, earliest_ns_));
      const bool is_last = end_ns && schedule_.dueNs() >= *end_ns;
      if (const char* reason = waitAndWatch(is_last ? *end_ns : schedule_.dueNs())) return reason;
      if (is_last) return "duration";
    }
  }

  /// Why the snapshot that was just taken is the last one, if it is.
  const char* reasonToEnd() {
    has_taken_last_ = true;
    if (collector_.isExhausted()) return kExhausted;
    if (options_.count && taken_ >= *options_.count) return "count";
    has_taken_last_ = false;
    return nullptr;
  }

  /// Waits, and takes the snapshots of bursts meanwhile. Returns why the recording ends, if it
  /// does.
  const char* waitAndWatch(int64_t until_ns) {
    const Clocks before = readClocks();
    const int64_t step_ns = options_.burst_interval.count() * 1'000'000;
    while (burst_) {
      const int64_t look_ns = std::max(readClocks().boottime_ns + step_ns, earliest_ns_);
      if (look_ns >= until_ns) break;
      if (const char* signal = signals_.waitUntil(look_ns)) return signal;
      if (!seesBurst()) continue;
      takeSnapshot(true);
      if (const char* reason = reasonToEnd()) return reason;
    }
    // What the bursts took counts as well.
    const int64_t woken_ns = std::max(until_ns, earliest_ns_);
    const bool is_slow = readClocks().boottime_ns > woken_ns;
    if (const char* signal = signals_.waitUntil(woken_ns)) return signal;
    const Clocks now = readClocks();
    const int64_t suspended_ns =
        (now.boottime_ns - before.boottime_ns) - (now.monotonic_ns - before.monotonic_ns);
    const char* reason = delay_reason::kStopped;
    if (suspended_ns > (now.boottime_ns - until_ns) / 2) reason = delay_reason::kSuspended;
    if (is_slow) reason = delay_reason::kSlow;
    if (woken_ns > until_ns) reason = delay_reason::kCpuBudget;
    schedule_.wake(now.boottime_ns, reason);
    return nullptr;
  }

  /// Whether a process has that many fds now; its beginning and its end are events. Without memory
  /// to look it is as it was.
  bool seesBurst() {
    const int64_t started_ns = readClocks().boottime_ns;
    const int64_t cpu_before_us = ownCpuUs();
    unlessOutOfMemory([&] {
      const std::string who = burst_->look();
      if (who.empty() == !in_burst_) return;
      in_burst_ = !who.empty();
      tell(in_burst_ ? "burst-began" : "burst-ended", who);
    });
    chargeCpu(started_ns, cpu_before_us);
    return in_burst_;
  }

  /// With --max-cpu: what follows has to wait for what was used since then.
  void chargeCpu(int64_t started_ns, int64_t cpu_before_us) {
    if (!options_.max_cpu_percent) return;
    const int64_t cpu_ns = (ownCpuUs() - cpu_before_us) * 1000;
    earliest_ns_ = std::max(earliest_ns_, started_ns) + cpu_ns * 100 / *options_.max_cpu_percent;
  }

  /// Says what the recorder has to tell of itself, and writes it into the archive.
  void tell(const std::string& kind, const std::string& detail) {
    progress_.announce(detail.empty() ? kind : fmt::format("{}: {}", kind, detail));
    archive_->note(readClocks(), kind, detail.empty() ? std::nullopt : std::optional(detail));
  }

  /// What was missed since the last snapshot that is in the archive; empty: none was.
  std::string unstoredDelays() const {
    std::string text;
    for (const Delay& delay : schedule_.delays()) {
      if (delay.missed == 0) continue;
      text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", delay.reason, delay.missed);
    }
    return text;
  }

  void takeSnapshot(bool is_burst) {
    if (disk_.isFull() && !hasRoomAgain()) {
      if (!is_burst) schedule_.miss(delay_reason::kDiskFull);
      return;
    }
    const int64_t started_ns = readClocks().boottime_ns;
    const int64_t cpu_before_us = ownCpuUs();
    try {
      store(is_burst);
    } catch (const std::bad_alloc&) {
      notStored({StoreFailure::NoMemory, {}}, is_burst);
    }
    spares_.take();
    chargeCpu(started_ns, cpu_before_us);
  }

  void store(bool is_burst) {
    if (has_to_begin_anew_) {
      if (const auto error = beginAnew()) return notStored(*error, is_burst);
    }
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
    if (!id) {
      unlessOutOfMemory([&] { progress_.failures(now.failures); });
      return notStored(id.error(), is_burst);
    }
    // First of all what the next one is compared with: what follows may run out of memory.
    if (previous_) collector_.reuse(*previous_);
    previous_ = std::move(now);
    stored_cpu_us_ = cpu_us;
    schedule_.stored();
    ++taken_;
    // Only what the next one is compressed against is needed on.
    if (previous_->texts) previous_->texts->again = {};
    is_failing_ = false;
    memory_failures_ = 0;
    if (stored_in_recording_++ > 0) most_memory_failures_ = kMemoryFailures;
    unlessOutOfMemory([&] { tellStored(*id); });
  }

  void tellStored(int64_t id) {
    const bool was_full = disk_.isFull();
    disk_.stored();
    if (burst_) burst_->follow(*previous_);
    if (was_full) tell("disk-room", "there is room again");
    progress_.failures(previous_->failures);
    if (!previous_->processes.empty()) {
      has_found_ = true;
    } else if (taken_ == 1) {
      progress_.announce("no process matches the selection yet");
    }
    progress_.stored(id, *previous_, archive_->archive().diskBytes());
    if (taken_ % kSnapshotsBetweenHeads == 0) {
      progress_.announce(fmt::format("snapshot {}: head {}", id, toHex(archive_->head())));
    }
  }

  /// A snapshot is lost, and the recording goes on.
  void notStored(const NotStored& error, bool is_burst) {
    has_lost_ = true;
    // Those of a burst were not due.
    if (!is_burst) schedule_.miss(reasonOf(error.why));
    const bool is_news = !std::exchange(is_failing_, true);
    const bool was_full = disk_.isFull();
    if (error.why == StoreFailure::DiskFull) {
      disk_.snapshotFailed(readClocks().boottime_ns, error.needed_bytes);
    }
    if (error.why == StoreFailure::NoMemory) giveUpMemory();
    unlessOutOfMemory([&] {
      if (is_news) {
        progress_.warn(
            fmt::format("{}: a snapshot could not be stored: {}", printable(options_.output),
                        error.why == StoreFailure::NoMemory ? "it needs more than --max-memory"
                                                            : error.message));
      }
      if (disk_.isFull() && !was_full) tellDiskFull();
    });
  }

  void tellDiskFull() {
    archive_->archive().spendBallast();
    if (archive_->note(readClocks(), "disk-full")) {
      progress_.warn("not even that the disk is full could be stored");
    }
  }

  /// A snapshot that is compared with none takes less. Nothing may be derived from the gap: the
  /// next one begins a recording.
  void giveUpMemory() {
    if (++memory_failures_ < most_memory_failures_ || !previous_) return;
    memory_failures_ = 0;
    most_memory_failures_ = std::min(2 * most_memory_failures_, kMostMemoryFailures);
    previous_.reset();
    collector_.giveUpMemory();
    giveBackFreeMemory();
    has_to_begin_anew_ = true;
  }

  /// The error, if not even that can be stored now.
  std::optional<NotStored> beginAnew() {
    auto error = archive_->beginAnew(describeRecording(options_, source_), readClocks(), "memory",
                                     unstoredDelays());
    if (error) return error;
    has_to_begin_anew_ = false;
    stored_in_recording_ = 0;
    schedule_.stored();
    unlessOutOfMemory(
        [&] { progress_.warn("begins a new recording in the archive, to need less memory"); });
    return {};
  }

  bool hasRoomAgain() {
    const int64_t now_ns = readClocks().boottime_ns;
    if (!disk_.mayTry(now_ns)) return false;
    spares_.release();
    const bool has_room = archive_->archive().hasRoom(disk_.roomBytes());
    spares_.take();
    if (!has_room) disk_.roomRefused(now_ns);
    return has_room;
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
  int64_t stored_in_recording_ = 0;
  int64_t stored_cpu_us_ = 0;
  int64_t earliest_ns_ = 0;  ///< of the next snapshot, by --max-cpu; CLOCK_BOOTTIME
  int memory_failures_ = 0;  ///< in a row
  int most_memory_failures_ = kMemoryFailures;
  DiskRetry disk_;
  bool in_burst_ = false;
  bool is_failing_ = false;           ///< the last snapshot could not be stored
  std::vector<std::string> missing_;  ///< what to say of each --pid that was not there
  std::vector<std::string> threads_;  ///< and of each that is a thread
  bool is_continued_ = false;         ///< there was an archive
  bool has_lost_ = false;
  bool has_found_ = false;  ///< a process was in a snapshot
  bool has_taken_last_ = false;
  bool has_to_begin_anew_ = false;
};

}  // namespace

int record(const RecordOptions& options) {
  return Recorder(options).run();
}

}  // namespace fdmortem
