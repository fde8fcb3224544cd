// An archive that nobody vouches for, opened so that it can do no harm.
#pragma once

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "analyze/import/limits.h"

namespace fdmortem {

/// A connection that only reads, with SQLite hardened against the file.
class ArchiveReader {
 public:
  /// Opens the archive at `path` (a private copy). Throws std::runtime_error, one line, if its
  /// schema is not exactly the one of this format version. Whatever the file makes SQLite do keeps
  /// to `limits`, which must outlive this object.
  ArchiveReader(const std::string& path, LimitGuard& limits);
  ArchiveReader(const ArchiveReader&) = delete;
  ArchiveReader& operator=(const ArchiveReader&) = delete;

  SQLite::Database& database() { return database_; }
  /// What SQLite's integrity_check finds damaged, up to `maximum` lines; empty: nothing.
  std::vector<std::string> damage(int maximum);
  /// Whether it finds nothing damaged in this table.
  bool isSound(const std::string& table);

 private:
  void harden();

  SQLite::Database database_;
};

}  // namespace fdmortem
