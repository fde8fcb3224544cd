// Writes snapshots into an archive: one transaction a snapshot, rows only ever added.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "capture/changes.h"
#include "capture/snapshot.h"

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
  std::string options;  ///< the command line, a JSON array of strings
  std::optional<std::string> note;
};

/// How a snapshot came about.
struct SnapshotTiming {
  bool keyframe = false;
  int64_t late_us = 0;        ///< after the time it was due
  int64_t missed_before = 0;  ///< snapshots that were due since the one before and were not taken
  int64_t compare_us = 0;     ///< detecting the changes
};

/// One recording in an archive file. Throws SQLite::Exception or std::system_error on what it can't
/// go on from; the file then holds every snapshot that was committed.
class ArchiveWriter {
 public:
  /// Makes the file, readable by its owner only, or continues an archive. Throws
  /// std::runtime_error, one line with the path, if the file is anything else or another recorder
  /// has it; it is not touched then.
  explicit ArchiveWriter(const std::string& path);
  ~ArchiveWriter();
  ArchiveWriter(const ArchiveWriter&) = delete;
  ArchiveWriter& operator=(const ArchiveWriter&) = delete;

  void beginRecording(const RecordingInfo& info);

  /// Returns the number of the snapshot.
  int64_t write(const Snapshot& snapshot, const ChangeSet& changes, const SnapshotTiming& timing);

  /// Ends the recording and leaves one file: checkpointed, without -wal and -shm.
  void endRecording(int64_t ended_at_ns, const std::string& reason);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fdmortem
