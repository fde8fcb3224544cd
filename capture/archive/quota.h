// A bound on the space that an SQLite database takes on disk, with all that lies beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace fdmortem {

/// Counts what a database's file, its -wal and what else SQLite opens through it take, and lets no
/// write make that more than the limit: SQLite then says SQLITE_FULL, as on a full disk, and rolls
/// back. The -shm (32 KiB for each 4096 pages of the -wal, https://www.sqlite.org/walformat.html,
/// section 2) is reckoned by the largest size that the -wal had: it never becomes smaller. What is
/// written to the -wal needs as much room once more, so that a checkpoint, which makes the main
/// file larger while the -wal still is there, never fails.
///
/// Works by being a VFS of its own (https://www.sqlite.org/vfs.html): the default one with another
/// xWrite, xTruncate and xClose. It must outlive every database that is opened through it.
class Quota {
 public:
  /// Throws std::runtime_error if SQLite does not take it.
  explicit Quota(uint64_t limit_bytes);
  ~Quota();
  Quota(const Quota&) = delete;
  Quota& operator=(const Quota&) = delete;

  /// For SQLite::Database's parameter aVfs.
  const std::string& vfsName() const;

  void setLimit(uint64_t bytes);
  /// What is taken now.
  uint64_t usedBytes() const;
  /// Keeps bytes from SQLite for what lies beside the database by other means.
  void reserve(uint64_t bytes);

  /// Whether a write was refused since this was asked last.
  bool takeRefused();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fdmortem
