// An archive that nobody vouches for, opened so that it can do no harm.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

namespace fdmortem {

/// A connection that only reads, with SQLite hardened against the file. Whatever the file makes
/// SQLite do, it ends within ten minutes.
class ArchiveReader {
 public:
  /// Opens the archive at `path` (a private copy). Throws std::runtime_error, one line, if its
  /// schema is not exactly the one of this format version.
  explicit ArchiveReader(const std::string& path);
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  SQLite::Database& database() { return database_; }
  /// What SQLite's integrity_check finds damaged, up to `maximum` lines; empty: nothing.
  std::vector<std::string> damage(int maximum);

 private:
  void harden();

  std::chrono::steady_clock::time_point deadline_;
  SQLite::Database database_;
};

}  // namespace fdmortem
