// The growth of each process, in the analysis database.
#pragma once

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Fills the table `growth` (schema/views/growth.sql) from the views before it. Throws
/// SQLite::Exception.
void fillGrowth(SQLite::Database& database);

}  // namespace fdmortem
