// The checked import: rows of an archive that nobody vouches for, into tables of our own.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analyze/progress.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

class Salvage;

/// Takes one line that says what is wrong in a table.
using ImportProblem = std::function<void(const std::string&)>;

enum class RowsKept {
  All,
  NoRepetitions,  ///< not those of keyframes that say what is known already (see Repetitions)
  Unsettled  ///< nor those of fds of which a report tells no more than their number (SettledFds)
};

/// Copies the rows of `archive` (of an ArchiveReader) into the tables of schema/analysis.sql in
/// `analysis`. Each value is checked for type and range, each reference for what it refers to.
/// Throws std::runtime_error, one line that names the table and the row. With `on_problem` that of
/// a table to which no other refers goes there instead; the rest of that table is left out.
/// `kept` says which rows are taken over. With `salvage`, rows that can't be read or are wrong are
/// left out and told to it, and all others are kept.
void importArchive(SQLite::Database& archive, SQLite::Database& analysis,
                   const ImportProblem& on_problem = {}, const OnProgress& on_progress = {},
                   RowsKept kept = RowsKept::All, Salvage* salvage = nullptr);

/// The tables, of the archive and of schema/analysis.sql alike, whose rows are each of a snapshot.
std::vector<std::string> tablesOfSnapshots();

}  // namespace fdmortem
