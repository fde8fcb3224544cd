// The file that a recorder writes into, and what keeps it whole: lock, write-ahead log, ballast.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <SQLiteCpp/Database.h>

#include "capture/archive/quota.h"
#include "schema/file_handle.h"

namespace fdmortem {

/// What a snapshot could not be stored for. All that was stored before it is there.
enum class StoreFailure {
  DiskFull,     ///< the file system has no room
  OverLimit,    ///< it does not fit into --max-size
  NoMemory,     ///< the recorder may not have more memory
  InputOutput,  ///< the file system fails
};

struct NotStored {
  StoreFailure why = StoreFailure::InputOutput;
  std::string message;        ///< of SQLite or of the system
  uint64_t needed_bytes = 0;  ///< that the snapshot takes in the archive; 0: nobody knows
};

/// Bytes beside the archive that are given up for one last row when the disk is full.
inline constexpr int64_t kBallastBytes = 64 << 10;
/// Bytes of --max-size that snapshots leave for dropping others.
inline constexpr int64_t kDroppingBytes = 128 << 10;

/// An archive that is open for one recorder: locked, in write-ahead mode, with one connection.
class ArchiveDatabase {
 public:
  /// Makes the archive or opens one to continue it, see openExclusively() in archive_lock.h. With
  /// `max_bytes` nothing makes the file, and what lies beside it, larger, unless isTooLarge().
  ArchiveDatabase(const std::string& path, std::optional<uint64_t> max_bytes);
  ~ArchiveDatabase();
  ArchiveDatabase(const ArchiveDatabase&) = delete;
  ArchiveDatabase& operator=(const ArchiveDatabase&) = delete;

  SQLite::Database& connection() { return database_; }

  /// What `error`, just thrown by the connection, means for a snapshot; empty: it is nothing that
  /// passes, and the recorder can't go on.
  std::optional<NotStored> explain(const SQLite::Exception& error);

  /// Pages in use, in bytes: what is in the archive, also in its write-ahead log.
  int64_t contentBytes();
  /// What the archive takes on disk, with what lies beside it.
  uint64_t diskBytes() const;

  /// Whether it was larger than `max_bytes` allows when it was opened. Until enforceLimit() it may
  /// become larger by some MB, which it takes to make it smaller.
  bool isTooLarge() const { return is_too_large_; }
  /// Throws std::runtime_error if the file has no means to become smaller.
  void requireShrinkable();
  /// From now on `max_bytes` holds. Throws std::runtime_error if the file still is too large.
  void enforceLimit();

  /// Moves the write-ahead log into the main file, if it has grown or is old. What can't be done
  /// now, because somebody reads the archive, is done later.
  void checkpointSometimes();
  void checkpoint();
  /// Moves all of it. False: somebody reads the archive, and it can't become smaller.
  bool emptyLog();

  /// With --max-size: whether room is left for dropping others. What has to be stored in any case
  /// is stored without.
  void leaveRoomForDropping(bool leaves);

  /// Gives pages that are free back to the file system until the main file has no more than that,
  /// or has none that are free. A few at a time, so that this itself takes little room. Throws
  /// SQLite::Exception.
  void shrink(int64_t bytes);

  /// Drops all snapshots before the keyframe `first_kept`. When this returns they are gone; what is
  /// left of their rows is taken out in small transactions. Throws SQLite::Exception.
  void dropBefore(int64_t first_kept, const std::string& reason);

  /// Gives up the ballast, so that there is room for a row.
  void spendBallast();
  /// Takes it again. False: the file system still gives no room for it and for `bytes` more, or as
  /// much of that as --max-size leaves. Asked by setting it aside for a moment, since quotas and
  /// reserved blocks are not seen in what the file system calls free.
  bool hasRoom(uint64_t bytes);

  /// Leaves one file: checkpointed, out of write-ahead mode.
  void seal();

 private:
  static std::string folderOf(const std::string& path);
  int64_t walBytes() const;
  [[noreturn]] void refuseSize() const;
  /// Snapshots need some of it to be dropped for others.
  uint64_t bytesToStartWith() const;
  /// Does `action` with fewer and fewer things at a time until it fits into --max-size. Returns
  /// what it returns: whether there is more to do.
  template <class Action>
  bool inSmallSteps(int things, const Action& action);
  /// What is left of snapshots before that one, in small transactions.
  void removeRemainsBefore(int64_t first_kept);
  void removeOldRemains();
  bool takeBallast();

  const std::string path_;  ///< as it was given
  /// That of the file itself, not of a symbolic link to it: SQLite names what lies beside it so.
  const std::string file_path_ = std::filesystem::weakly_canonical(path_).string();
  /// What is called when memory has run out must not need any.
  const std::string wal_path_ = file_path_ + "-wal", shm_path_ = file_path_ + "-shm",
                    ballast_path_ = file_path_ + "-ballast", folder_ = folderOf(file_path_);
  std::optional<uint64_t> max_bytes_;
  FileHandle
      lock_;  // closed after the database: closing any handle of the file drops SQLite's locks
  std::optional<Quota> quota_;
  SQLite::Database database_;
  bool is_too_large_ = false;
  int64_t checkpointed_ns_ = 0;
  bool has_ballast_ = false;
};

}  // namespace fdmortem
