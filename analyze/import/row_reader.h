// Reads the rows of a table of an archive and checks what type their values have.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "schema/evidence/digest.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

/// The rows of one table in the order in which they were added. Says where it is when something is
/// wrong: what checks a value throws std::runtime_error with the table, the row and the column.
class RowReader {
 public:
  static constexpr int64_t kAny = std::numeric_limits<int64_t>::min();
  static constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  /// The longest command line that Linux takes is 6 MiB, and no other text is longer.
  static constexpr size_t kMaximumNameBytes = size_t{8} << 20;

  /// Begins at rowid `from`. `archive` outlives it.
  RowReader(SQLite::Database& archive, std::string table, int64_t from = kAny);

  /// False: there are no more. Throws SQLite::Exception.
  bool next();
  /// The next row is the one with this rowid; it is at `place` (the first is 0) among all.
  void seek(int64_t rowid, size_t place);
  [[noreturn]] void fail(int column, std::string_view reason) const;

  int64_t rowid() const { return sqlite3_column_int64(query_.get(), columns_); }
  bool isNull(int column) const { return typeOf(column) == SQLITE_NULL; }

  int64_t integer(int column, int64_t minimum = 0, int64_t maximum = kMax) const {
    return numberOf(valueOf(column), column, minimum, maximum);
  }

  /// The same; `other` where there is NULL.
  int64_t integerOrNull(int column, int64_t minimum, int64_t maximum, int64_t other) const {
    sqlite3_value* const value = valueOf(column);
    return sqlite3_value_type(value) == SQLITE_NULL ? other
                                                    : numberOf(value, column, minimum, maximum);
  }

  /// Unchecked: `other` where there is no number.
  int64_t numberOr(int column, int64_t other) const {
    sqlite3_value* const value = valueOf(column);
    return sqlite3_value_type(value) == SQLITE_INTEGER ? sqlite3_value_int64(value) : other;
  }

  /// Of the table.
  int columnCount() const { return columns_; }

  /// Of a name, made printable.
  std::string text(int column) const;
  /// As it is, not printable; valid until the next row.
  std::string_view rawText(int column) const { return textOf(column); }
  void checkText(int column) const { textOf(column); }
  Digest digest(int column) const;
  /// As it is; valid until the next row.
  std::string_view blob(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  /// Valid until the next row. To look at it is safe where one thread only has the connection, and
  /// costs half of what asking for type and number by column does.
  sqlite3_value* valueOf(int column) const { return sqlite3_column_value(query_.get(), column); }
  int64_t numberOf(sqlite3_value* value, int column, int64_t minimum, int64_t maximum) const {
    if (sqlite3_value_type(value) != SQLITE_INTEGER) fail(column, "not a number");
    const int64_t number = sqlite3_value_int64(value);
    if (number < minimum || number > maximum) fail(column, "out of range");
    return number;
  }
  int typeOf(int column) const { return sqlite3_column_type(query_.get(), column); }
  std::string_view textOf(int column) const;
  std::string_view bytesOf(const void* bytes, int column) const;

  std::string table_;
  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> query_;
  int columns_ = 0;
  int64_t row_;
};

}  // namespace fdmortem
