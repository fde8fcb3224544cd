// Reading a table of an archive that may be damaged.
#pragma once

#include <functional>
#include <string>

#include "analyze/import/row_reader.h"
#include "analyze/import/salvage.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Gives `take` those rows of a table that can be read, from both ends of it, and tells `salvage`
/// what could not be, or was refused by `take`, which throws std::runtime_error or
/// SQLite::Exception for that. Throws SQLite::Exception where a limit was reached.
void saveRows(SQLite::Database& archive, const std::string& table, Salvage& salvage,
              const std::function<void(const RowReader&)>& take);

}  // namespace fdmortem
