#include "capture/archive/drop_snapshots.h"

#include <string_view>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

namespace fdmortem {
namespace {

/// The tables whose rows belong to a snapshot.
std::vector<std::string> tablesBySnapshot(SQLite::Database& database) {
  std::vector<std::string> tables;
  SQLite::Statement query(database,
                          "SELECT t.name FROM sqlite_schema t, pragma_table_info(t.name) c "
                          "WHERE t.type = 'table' AND c.name = 'snapshot' ORDER BY t.rowid");
  while (query.executeStep())
    tables.push_back(query.getColumn(0).getString());
  return tables;
}

void run(SQLite::Database& database, const std::string& sql, int64_t snapshot) {
  SQLite::Statement statement(database, sql);
  statement.bind(1, snapshot);
  statement.exec();
}

/// Adds the snapshots with `condition` to those that were dropped before for the same reason.
void writeDown(SQLite::Database& database, std::string_view condition, int64_t snapshot,
               const std::string& reason) {
  SQLite::Statement insert(
      database,
      fmt::format("INSERT INTO dropped SELECT ?2, sum(n), min(first), max(last), max(id) FROM ("
                  "SELECT count(*) AS n, min(wall_ns) AS first, max(wall_ns) AS last, "
                  "max(id) AS id FROM snapshot WHERE id {} UNION ALL "
                  "SELECT snapshots, first_wall_ns, last_wall_ns, last_snapshot FROM dropped "
                  "WHERE reason = ?2) HAVING sum(n) > 0",
                  condition));
  insert.bind(1, snapshot);
  insert.bind(2, reason);
  insert.exec();
  SQLite::Statement remove(database,
                           "DELETE FROM dropped WHERE reason = ?1 AND rowid < "
                           "(SELECT max(rowid) FROM dropped WHERE reason = ?1)");
  remove.bind(1, reason);
  remove.exec();
}

/// Recordings, processes and namespaces that no snapshot speaks of any more; the newest recording
/// stays.
void dropUnreferenced(SQLite::Database& database) {
  database.exec(
      "DELETE FROM recording WHERE id NOT IN (SELECT recording FROM snapshot) "
      "AND id < (SELECT max(id) FROM recording);"
      "DELETE FROM recording_end WHERE recording NOT IN (SELECT id FROM recording);"
      "DELETE FROM recorder_event WHERE recording NOT IN (SELECT id FROM recording);"
      "DELETE FROM chain WHERE kind IN (1, 4) AND subject NOT IN (SELECT id FROM recording);"
      "DELETE FROM chain WHERE kind = 3 AND subject NOT IN (SELECT id FROM recorder_event);"
      "DELETE FROM process WHERE id NOT IN (SELECT process FROM process_change);"
      "DELETE FROM netns WHERE id NOT IN (SELECT netns FROM net_table_change "
      "UNION SELECT netns FROM process_change WHERE netns IS NOT NULL);");
}

}  // namespace

void dropSnapshotsBefore(SQLite::Database& database, int64_t first_kept,
                         const std::string& reason) {
  writeDown(database, "< ?1", first_kept, reason);
  run(database, "DELETE FROM snapshot WHERE id < ?", first_kept);
  run(database, "DELETE FROM chain WHERE kind = 2 AND subject < ?", first_kept);
}

bool removeRemains(SQLite::Database& database, int64_t first_kept, int row_count) {
  for (const std::string& table : tablesBySnapshot(database)) {
    // Rows lie in the order of their snapshots: only what goes is looked at.
    SQLite::Statement remove(
        database, fmt::format("DELETE FROM {0} WHERE rowid IN (SELECT id FROM (SELECT rowid AS id, "
                              "snapshot FROM {0} ORDER BY rowid LIMIT ?1) WHERE snapshot < ?2)",
                              table));
    remove.bind(1, row_count);
    remove.bind(2, first_kept);
    if (remove.exec() > 0) return true;
  }
  dropUnreferenced(database);
  return false;
}

void dropSnapshotsAfter(SQLite::Database& database, int64_t last_kept, const std::string& reason) {
  writeDown(database, "> ?1", last_kept, reason);
  for (const std::string& table : tablesBySnapshot(database)) {
    run(database, fmt::format("DELETE FROM {} WHERE snapshot > ?", table), last_kept);
  }
  // The links are in the order in which all was written.
  run(database,
      "DELETE FROM chain WHERE id > (SELECT id FROM chain WHERE kind = 2 AND subject = ?)",
      last_kept);
  database.exec(
      "DELETE FROM recording_end WHERE recording NOT IN (SELECT subject FROM chain WHERE kind = 4);"
      "DELETE FROM recorder_event WHERE id NOT IN (SELECT subject FROM chain WHERE kind = 3)");
  run(database, "DELETE FROM snapshot WHERE id > ?", last_kept);
  database.exec("DELETE FROM recording WHERE id > (SELECT max(recording) FROM snapshot)");
  dropUnreferenced(database);
}

}  // namespace fdmortem
