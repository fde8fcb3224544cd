// A transaction that leaves nothing open behind, even if memory runs out while it is taken back.
#pragma once

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

namespace fdmortem {

/// As SQLite::Transaction, which takes back by a call that can throw in its destructor: without
/// memory, or where SQLite has taken the transaction back itself, as it does on a full disk.
class WriteTransaction {
 public:
  /// Throws SQLite::Exception.
  explicit WriteTransaction(SQLite::Database& database) : database_(database) {
    takeBack();  // one before this that could not be taken back then
    database_.exec("BEGIN");
  }
  ~WriteTransaction() { takeBack(); }
  WriteTransaction(const WriteTransaction&) = delete;
  WriteTransaction& operator=(const WriteTransaction&) = delete;

  /// Throws SQLite::Exception; then nothing of it is stored.
  void commit() { database_.exec("COMMIT"); }

 private:
  void takeBack() noexcept {
    if (sqlite3_get_autocommit(database_.getHandle()) == 0) database_.tryExec("ROLLBACK");
  }

  SQLite::Database& database_;
};

}  // namespace fdmortem
