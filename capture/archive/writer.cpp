#include "capture/archive/writer.h"

#include <algorithm>
#include <new>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "capture/archive/chain_writer.h"
#include "capture/archive/insert.h"
#include "capture/archive/row_ids.h"
#include "capture/archive/row_writer.h"
#include "capture/archive/text_archive.h"
#include "capture/archive/write_transaction.h"
#include "capture/clocks.h"
#include "capture/finally.h"
#include "schema/evidence/row_digest.h"
#include "schema/format.h"

namespace fdmortem {

class ArchiveWriter::Impl {
 public:
  Impl(const std::string& path, const RetentionLimits& limits, const Redaction& redaction)
      : archive_(path, limits.max_bytes),
        database_(archive_.connection()),
        retention_(archive_, limits),
        redactor_(redaction),
        chain_(database_) {
    trimmed_snapshots_ = retention_.trim();
  }

  ArchiveDatabase& archive() { return archive_; }
  const Digest& head() const { return chain_.head(); }

  int64_t trimmedSnapshots() const { return trimmed_snapshots_; }

  void beginRecording(const RecordingInfo& info) {
    boot_id_ = info.boot_id;
    WriteTransaction transaction(database_);
    chain_.begin();
    rows_.emplace(database_, redactor_, digest_);
    writeRecording(info);
    transaction.commit();
    chain_.committed();
  }

  std::optional<NotStored> beginAnew(const RecordingInfo& info, const Clocks& at,
                                     const std::string& reason, const std::string& missed) {
    const int64_t recording = recording_;
    texts_.startAnew();
    rows_->ids.forgetAll();
    database_.tryExec("PRAGMA shrink_memory");
    auto error = storeForSure([&] {
      if (!missed.empty()) writeEvent(at, "missed-at-end", missed);
      writeEnd(at.wall_ns, reason);
      writeRecording(info);
    });
    if (error) recording_ = recording;
    return error;
  }

  bool wantsKeyframe(const Clocks& now) const { return retention_.wantsKeyframe(now); }

  tl::expected<int64_t, NotStored> write(const Snapshot& snapshot, const ChangeSet& changes,
                                         const SnapshotTiming& timing) {
    auto stored = attempt(snapshot, changes, timing);
    const auto is_over_limit = [&] {
      return !stored && stored.error().why == StoreFailure::OverLimit;
    };
    if (!is_over_limit()) return stored;
    // While somebody reads the archive its log can't be emptied: then dropping makes no room.
    if (!archive_.emptyLog()) {
      return tl::unexpected(
          NotStored{StoreFailure::OverLimit,
                    "does not fit into --max-size while somebody reads the archive"});
    }
    stored = attempt(snapshot, changes, timing);
    if (!is_over_limit()) return stored;
    // More than was foreseen: the oldest go first, and at last all, if this can stand alone.
    if (const auto error = freeSpace([&] { return retention_.dropAllButNewest(); })) {
      return tl::unexpected(*error);
    }
    stored = attempt(snapshot, changes, timing);
    if (!is_over_limit()) return stored;
    if (!timing.keyframe) {
      retention_.requireKeyframe();
      return stored;
    }
    if (!retention_.couldStandAlone(attempted_bytes_)) return stored;
    const auto drop_all = [&] {
      archive_.dropBefore(snapshot_ + 1, "max-size");
      archive_.shrink(0);
      return true;
    };
    if (const auto error = freeSpace(drop_all)) return tl::unexpected(*error);
    return attempt(snapshot, changes, timing);
  }

  std::optional<NotStored> makeRoom(const Clocks& now) {
    return freeSpace([&] { return retention_.dropOld(now, boot_id_); });
  }

  std::optional<NotStored> note(const Clocks& at, const std::string& kind,
                                const std::optional<std::string>& detail) {
    return storeForSure([&] { writeEvent(at, kind, detail); });
  }

  std::optional<NotStored> endRecording(const Clocks& at, const std::string& reason,
                                        const std::string& missed) {
    const auto store_all = [&] {
      if (!missed.empty()) writeEvent(at, "missed-at-end", missed);
      writeEnd(at.wall_ns, reason);
    };
    auto error = storeForSure(store_all);
    if (error) {
      archive_.spendBallast();
      archive_.checkpoint();
      error = storeForSure(store_all);
    }
    // How many were missed then follows from the interval and the end.
    if (error && error->why != StoreFailure::NoMemory && !missed.empty()) {
      error = storeForSure([&] { writeEnd(at.wall_ns, reason); });
    }
    rows_.reset();
    archive_.seal();
    return error;
  }

 private:
  /// What writes the rows of one recording.
  struct Rows {
    Rows(SQLite::Database& database, Redactor& redactor, RowDigest& digest)
        : ids(database, digest),
          writer(database, redactor, ids, digest),
          snapshot(database, HashedTable::Snapshot, 22, digest),
          delay(database, HashedTable::Delay, 3, digest),
          verbatim(database, HashedTable::Verbatim, 6, digest) {}

    RowIds ids;
    RowWriter writer;
    Insert snapshot, delay, verbatim;
  };

  /// What `action` gives, or why it could not be done if that may pass.
  template <class Action>
  auto guarded(const Action& action) -> tl::expected<decltype(action()), NotStored> {
    try {
      return action();
    } catch (const SQLite::Exception& error) {
      auto reason = archive_.explain(error);
      if (!reason) throw;
      return tl::unexpected(std::move(*reason));
    } catch (const std::bad_alloc&) {
      return tl::unexpected(NotStored{StoreFailure::NoMemory, {}});
    }
  }

  /// A row that has to be there in any case, in a transaction of its own; `action` returns the
  /// head with it. The error, if it could not be stored all the same.
  template <class Action>
  std::optional<NotStored> storeForSure(const Action& action) {
    archive_.leaveRoomForDropping(false);
    const auto done = guarded([&] {
      WriteTransaction transaction(database_);
      chain_.begin();
      action();
      transaction.commit();
      chain_.committed();
      return true;
    });
    archive_.leaveRoomForDropping(true);
    return done ? std::nullopt : std::optional(done.error());
  }

  /// Drops snapshots by what `action` does, which returns whether it did. The error, if it could
  /// not.
  template <class Action>
  std::optional<NotStored> freeSpace(const Action& action) {
    const auto done = guarded(action);
    // Also after an error some may be gone.
    if (!done || *done) must_forget_ = true;
    const auto forgotten = guarded([&] {
      forgetDropped();
      return true;
    });
    if (!done) return done.error();
    return forgotten ? std::nullopt : std::optional(forgotten.error());
  }

  /// Stores a snapshot whole or not at all.
  tl::expected<int64_t, NotStored> attempt(const Snapshot& snapshot, const ChangeSet& changes,
                                           const SnapshotTiming& timing) {
    const auto forgotten = guarded([&] {
      forgetDropped();
      return true;
    });
    if (!forgotten) return tl::unexpected(forgotten.error());
    RowIds::Known known = rows_->ids.known();
    const int64_t number = snapshot_;
    attempted_bytes_ = 0;
    bool is_stored = false;
    // Whatever is thrown here: nobody has memory for certain.
    const Finally take_back([&] {
      if (is_stored) return;
      // What was given a number in it is not there.
      snapshot_ = number;
      rows_->ids.restore(known);
      rows_->ids.forgetValues();
    });
    auto stored = guarded([&] {
      const int64_t started_ns = nowNs(CLOCK_MONOTONIC);
      WriteTransaction transaction(database_);
      chain_.begin();
      const int64_t bytes_before = archive_.contentBytes();
      ++snapshot_;
      digest_.reset();
      writeRows(snapshot, changes, timing);
      const int64_t bytes = std::max<int64_t>(archive_.contentBytes() - bytes_before, 0);
      attempted_bytes_ = bytes;
      const int64_t store_us = timing.compare_us + (nowNs(CLOCK_MONOTONIC) - started_ns) / 1000;
      writeSnapshot(snapshot, timing, store_us, bytes);
      chain_.add(LinkKind::Snapshot, snapshot_, digest_.finish());
      commit(transaction);
      is_stored = true;
      chain_.committed();
      texts_.stored(snapshot_, snapshot.texts);
      retention_.stored(snapshot.clocks, timing.keyframe, bytes);
      return snapshot_;
    });
    if (stored) {
      archive_.checkpointSometimes();
    } else {
      stored.error().needed_bytes = static_cast<uint64_t>(attempted_bytes_);
    }
    return stored;
  }

  void commit(WriteTransaction& transaction) {
    const int64_t started_ns = nowNs(CLOCK_MONOTONIC);
    transaction.commit();
    last_commit_us_ = (nowNs(CLOCK_MONOTONIC) - started_ns) / 1000;
  }

  void writeRows(const Snapshot& snapshot, const ChangeSet& changes, const SnapshotTiming& timing) {
    if (timing.keyframe) rows_->ids.forgetValues();
    rows_->ids.setSnapshot(recording_, snapshot_);
    for (const Delay& delay : timing.delays)
      rows_->delay(snapshot_, delay.reason, delay.missed);
    rows_->writer.write(snapshot_, snapshot, changes, timing.keyframe);
    if (snapshot.texts) writeTexts(*snapshot.texts, timing.keyframe);
  }

  void writeTexts(const SnapshotTexts& texts, bool is_keyframe) {
    for (const EncodedText& text : texts_.encode(snapshot_, texts, is_keyframe)) {
      rows_->verbatim(snapshot_, text.part, text.base, text.size, bytesOf(text.digest),
                      Undigested{text.frame});
    }
  }

  /// What was dropped may have taken with it the rows of processes and namespaces that come back.
  void forgetDropped() {
    if (!must_forget_) return;
    if (rows_) rows_->ids.forgetDropped();
    must_forget_ = false;
  }

  void writeRecording(const RecordingInfo& info) {
    recording_ = nextId(database_, "recording");
    // The numbers of snapshots that were dropped are not used again.
    snapshot_ = std::max(
        nextId(database_, "snapshot") - 1,
        database_.execAndGet("SELECT coalesce(max(last_snapshot), 0) FROM dropped").getInt64());
    Insert insert(database_, "recording", 16);
    insert(
        recording_, info.started_at_ns, info.boot_id, info.host_name, info.kernel_release,
        info.machine, info.clock_ticks_per_second, std::string(FDMORTEM_VERSION), info.recorder_pid,
        info.recorder_uid, info.recorder_login_uid, info.interval_ms, optionsText(info.options),
        info.keeps_texts,
        redactor_.redaction().any() ? std::optional(redactor_.redaction().names()) : std::nullopt,
        info.note);
    chain_.add(LinkKind::RecordingBegan, recording_, digestOf(insert.row().view()));
    texts_.startAnew();
    retention_.requireKeyframe();
  }

  void writeEvent(const Clocks& at, const std::string& kind,
                  const std::optional<std::string>& detail) {
    Insert insert(database_, "recorder_event", 6);
    const int64_t id = nextId(database_, "recorder_event");
    insert(id, recording_, at.wall_ns, at.boottime_ns, kind, detail);
    chain_.add(LinkKind::RecorderEvent, id, digestOf(insert.row().view()));
  }

  void writeEnd(int64_t ended_at_ns, const std::string& reason) {
    Insert insert(database_, "recording_end", 4);
    insert(recording_, ended_at_ns, reason, last_commit_us_);
    chain_.add(LinkKind::RecordingEnded, recording_, digestOf(insert.row().view()));
  }

  std::string optionsText(const std::vector<std::string>& options) const {
    nlohmann::json array = nlohmann::json::array();
    for (const std::string& option : options)
      array.push_back(redactor_.argument(option));
    return array.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  }

  void writeSnapshot(const Snapshot& snapshot, const SnapshotTiming& timing, int64_t store_us,
                     int64_t stored_bytes) {
    std::optional<uint64_t> allocated, maximum;
    if (snapshot.file_nr) {
      allocated = snapshot.file_nr->allocated;
      maximum = snapshot.file_nr->maximum;
    }
    int64_t missed = 0;
    for (const Delay& delay : timing.delays)
      missed += delay.missed;
    rows_->snapshot(
        snapshot_, recording_, timing.keyframe, timing.is_burst, snapshot.clocks.wall_ns,
        snapshot.clocks.monotonic_ns, snapshot.clocks.boottime_ns, timing.late_us, missed,
        snapshot.times.processes_us, snapshot.times.fds_us, snapshot.times.tables_us,
        snapshot.times.second_look_us, store_us, timing.cpu_us, stored_bytes, last_commit_us_,
        allocated, maximum, snapshot.file_max, snapshot.nr_open, snapshot.uptime_ms);
  }

  RowDigest digest_;  ///< of the snapshot that is being stored
  ArchiveDatabase archive_;
  SQLite::Database& database_;
  Retention retention_;
  Redactor redactor_;
  std::optional<std::string> boot_id_;
  ChainWriter chain_;
  TextArchive texts_;
  std::optional<Rows> rows_;
  int64_t recording_ = 0;
  int64_t snapshot_ = 0;
  std::optional<int64_t> last_commit_us_;
  int64_t trimmed_snapshots_ = 0;
  int64_t attempted_bytes_ = 0;  ///< of the last snapshot that was to be stored; 0: not known
  bool must_forget_ = false;     ///< rows were dropped to which there still are numbers
};

ArchiveWriter::ArchiveWriter(const std::string& path, const RetentionLimits& limits,
                             const Redaction& redaction)
    : impl_(std::make_unique<Impl>(path, limits, redaction)) {}
ArchiveWriter::~ArchiveWriter() = default;

void ArchiveWriter::beginRecording(const RecordingInfo& info) {
  impl_->beginRecording(info);
}

std::optional<NotStored> ArchiveWriter::beginAnew(const RecordingInfo& info, const Clocks& at,
                                                  const std::string& reason,
                                                  const std::string& missed) {
  return impl_->beginAnew(info, at, reason, missed);
}

int64_t ArchiveWriter::trimmedSnapshots() const {
  return impl_->trimmedSnapshots();
}

bool ArchiveWriter::wantsKeyframe(const Clocks& now) const {
  return impl_->wantsKeyframe(now);
}

tl::expected<int64_t, NotStored> ArchiveWriter::write(const Snapshot& snapshot,
                                                      const ChangeSet& changes,
                                                      const SnapshotTiming& timing) {
  return impl_->write(snapshot, changes, timing);
}

std::optional<NotStored> ArchiveWriter::makeRoom(const Clocks& now) {
  return impl_->makeRoom(now);
}

std::optional<NotStored> ArchiveWriter::note(const Clocks& at, const std::string& kind,
                                             const std::optional<std::string>& detail) {
  return impl_->note(at, kind, detail);
}

std::optional<NotStored> ArchiveWriter::endRecording(int64_t ended_at_ns,
                                                     const std::string& reason) {
  return impl_->endRecording({.wall_ns = ended_at_ns}, reason, {});
}

std::optional<NotStored> ArchiveWriter::endRecording(const Clocks& at, const std::string& reason,
                                                     const std::string& missed) {
  return impl_->endRecording(at, reason, missed);
}

ArchiveDatabase& ArchiveWriter::archive() {
  return impl_->archive();
}

const Digest& ArchiveWriter::head() const {
  return impl_->head();
}

}  // namespace fdmortem
