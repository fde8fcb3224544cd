// The growth of each process, in the analysis database.
#pragma once

namespace SQLite {
class Database;
}

namespace fdmortem {

class LimitGuard;

/// Fills the tables `growth` and `growing_group` (schema/views/growth.sql) from the other views.
/// Throws SQLite::Exception, also when the time of `limits` is over; null: there is no limit.
void fillGrowth(SQLite::Database& database, const LimitGuard* limits = nullptr);

}  // namespace fdmortem
