// What a file on disk is, before anything trusts it.
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

namespace SQLite {
class Database;
}

namespace fdmortem {

/// What the header of an fdmortem archive says.
struct ArchiveHeader {
  bool is_wal = false;      ///< in write-ahead mode: being recorded, or the recording did not end
  int64_t file_bytes = 0;   ///< that are there
  int64_t whole_bytes = 0;  ///< that there should be, at least; in write-ahead mode perhaps fewer
};

/// No archive that is read is larger, and neither is its -wal.
inline constexpr int64_t kMaximumArchiveBytes = int64_t{4} << 30;

/// Reads the first 100 bytes of `path` (https://www.sqlite.org/fileformat2.html, section 1.3) and
/// nothing else; SQLite itself takes an empty file for a new database. Returns the header of an
/// archive of this format version, or one line that says what the file is instead, without its
/// path. One that is cut is taken for one only with `takes_cut`.
tl::expected<ArchiveHeader, std::string> readArchiveHeader(const std::string& path,
                                                           bool takes_cut = false);

/// Compares the schema of an opened archive with the one of this format version. Returns one line
/// that names the first difference; empty if there is none. Throws SQLite::Exception if it can't be
/// read.
std::string schemaDifference(SQLite::Database& database);

/// Makes the empty tables of this format version and marks the file as an archive, in whatever
/// transaction is open. Throws SQLite::Exception.
void createArchiveTables(SQLite::Database& database);

}  // namespace fdmortem
