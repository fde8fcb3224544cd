// Writes snapshots into an archive: one transaction a snapshot.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "capture/archive/database.h"
#include "capture/archive/retention.h"
#include "capture/changes.h"
#include "capture/redaction.h"
#include "capture/snapshot.h"
#include "schema/evidence/digest.h"

namespace fdmortem {

/// What a recording says of itself.
struct RecordingInfo {
  int64_t started_at_ns = 0;
  std::optional<std::string> boot_id;
  std::string host_name;
  std::string kernel_release;
  std::string machine;
  int64_t clock_ticks_per_second = 100;
  int32_t recorder_pid = 0;
  uint32_t recorder_uid = 0;
  int64_t interval_ms = 0;
  std::optional<uint32_t> recorder_login_uid;  ///< /proc/self/loginuid; empty: none
  std::vector<std::string> options;            ///< the command line
  bool keeps_texts = false;
  std::optional<std::string> note;
};

/// Why snapshots that were due were not taken, or one was late.
struct Delay {
  std::string reason;  ///< see `delay` in schema/README.md
  int64_t missed = 0;  ///< how many were not taken; 0: the one that follows was late
};

/// How a snapshot came about.
struct SnapshotTiming {
  bool keyframe = false;
  bool is_burst = false;      ///< taken between two regular ones
  int64_t late_us = 0;        ///< after the time it was due
  std::vector<Delay> delays;  ///< since the snapshot before
  int64_t compare_us = 0;     ///< detecting the changes
  int64_t cpu_us = 0;         ///< that the recorder used since the snapshot before was stored
};

/// One recording in an archive file; what is to be redacted is pseudonyms there. Throws
/// SQLite::Exception or std::system_error on what it can't go on from; the file then holds every
/// snapshot that was committed.
class ArchiveWriter {
 public:
  /// As ArchiveDatabase: makes the file or continues an archive.
  explicit ArchiveWriter(const std::string& path, const RetentionLimits& limits = {},
                         const Redaction& redaction = {});
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  /// How many snapshots an archive lost when it was opened because it was larger than --max-size.
  int64_t trimmedSnapshots() const;

  void beginRecording(const RecordingInfo& info);

  /// Ends the recording for `reason` and begins another one in the same file, which needs nothing
  /// of what the first one knew: its first snapshot is compared with none. `missed`: what was due
  /// after the last snapshot, see `missed-at-end` in schema/README.md. The error, if it could not
  /// be stored: then no snapshot may be written before this was called again.
  std::optional<NotStored> beginAnew(const RecordingInfo& info, const Clocks& at,
                                     const std::string& reason, const std::string& missed);

  /// Whether the snapshot that is taken at `now` has to be a keyframe.
  bool wantsKeyframe(const Clocks& now) const;

  /// Returns the number of the snapshot, or why it is not in the archive: then the next one is to
  /// be compared with the last one that is. What is older than the limits allow may go for it.
  tl::expected<int64_t, NotStored> write(const Snapshot& snapshot, const ChangeSet& changes,
                                         const SnapshotTiming& timing);

  /// Drops what is older, or takes more, than the limits allow. The error, if it could not.
  std::optional<NotStored> makeRoom(const Clocks& now);

  /// Writes down what the recorder tells of itself, see `recorder_event` in schema/README.md. The
  /// error, if it could not.
  std::optional<NotStored> note(const Clocks& at, const std::string& kind,
                                const std::optional<std::string>& detail = {});

  /// Ends the recording and leaves one file: checkpointed, without -wal and -shm. The error, if the
  /// end could not be written down.
  std::optional<NotStored> endRecording(int64_t ended_at_ns, const std::string& reason);

  /// The same of a recording whose last snapshots were missed: `missed` is the detail of that
  /// event, empty if none were. If there is no room for both, the end alone is stored.
  std::optional<NotStored> endRecording(const Clocks& at, const std::string& reason,
                                        const std::string& missed);

  ArchiveDatabase& archive();

  /// The head of the hash chain: who keeps it can tell later that all up to now is as it was.
  const Digest& head() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fdmortem
