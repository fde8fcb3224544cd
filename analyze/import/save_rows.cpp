#include "analyze/import/save_rows.h"

#include <algorithm>
#include <stdexcept>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/import/import.h"
#include "analyze/import/limits.h"

namespace fdmortem {
namespace {

constexpr int64_t kAny = RowReader::kAny;

using Take = std::function<void(const RowReader&)>;

void saveRow(const RowReader& rows, const Salvage& salvage, TableDamage& damage, const Take& take) {
  try {
    const int64_t snapshot = damage.hasSnapshots() ? rows.integer(0, kAny) : 0;
    if (!damage.isInOrder(snapshot)) {
      damage.disordered(snapshot, fmt::format("table {}, row {}: it is older than the row before",
                                              damage.name(), rows.rowid()));
      return;
    }
    // That the snapshot itself is missing was said.
    if (damage.name() == "snapshot" || !salvage.lacksSnapshot(snapshot)) take(rows);
    damage.good(snapshot);
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
    damage.bad(error.what());
  } catch (const std::runtime_error& error) {
    damage.bad(error.what());
  }
}

/// False: it could not get to the end.
bool saveRowsFrom(SQLite::Database& archive, int64_t from, const Salvage& salvage,
                  TableDamage& damage, const Take& take) {
  RowReader rows(archive, damage.name(), from);
  while (true) {
    try {
      if (!rows.next()) return true;
    } catch (const SQLite::Exception& error) {
      if (isLimit(error)) throw;
      return false;
    }
    if (!damage.follows(rows.rowid())) return false;
    saveRow(rows, salvage, damage, take);
  }
}

}  // namespace

void saveRows(SQLite::Database& archive, const std::string& table, Salvage& salvage,
              const Take& take) {
  const auto of_snapshots = tablesOfSnapshots();
  // That one was late is known of no snapshot that lacks anything else.
  const bool has_snapshots =
      table == "snapshot" ||
      (table != "delay" &&
       std::find(of_snapshots.begin(), of_snapshots.end(), table) != of_snapshots.end());
  TableDamage& damage = salvage.begin(table, has_snapshots);
  if (!saveRowsFrom(archive, kAny, salvage, damage, take)) {
    const auto next = salvage.reachedFromEnd(table, damage.lastRowid());
    damage.lose(next);
    if (next && !saveRowsFrom(archive, *next, salvage, damage, take)) damage.lose({});
  }
  damage.end();
}

}  // namespace fdmortem
