// The checked import: rows of an archive that nobody vouches for, into tables of our own.
#pragma once

#include <string>

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Opens the archive at `path` (a private copy) with SQLite hardened against it, checks its
/// integrity and that its schema is exactly the one of this format version, and copies its rows
/// into the tables of schema/analysis.sql in `analysis`. Each value is checked for type and range,
/// each reference for what it refers to. Throws std::runtime_error, one line that names the table
/// and the row.
void importArchive(const std::string& path, SQLite::Database& analysis);

}  // namespace fdmortem
