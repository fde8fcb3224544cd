#include "analyze/import/row_reader.h"

#include <stdexcept>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "schema/printable.h"

namespace fdmortem {

// SQLite::Column holds a counted pointer, which costs as much again as the value.
RowReader::RowReader(SQLite::Database& archive, std::string table, int64_t from)
    : table_(std::move(table)), database_(archive.getHandle()), row_(from == kAny ? 0 : from - 1) {
  const std::string sql =
      fmt::format("SELECT *, rowid FROM {} WHERE rowid >= ?1 ORDER BY rowid", table_);
  sqlite3_stmt* statement = nullptr;
  const int error = sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, nullptr);
  if (error != SQLITE_OK) throw SQLite::Exception(database_, error);
  query_.reset(statement);
  sqlite3_bind_int64(statement, 1, from);
  columns_ = sqlite3_column_count(statement) - 1;
}

bool RowReader::next() {
  ++row_;
  const int result = sqlite3_step(query_.get());
  if (result != SQLITE_ROW && result != SQLITE_DONE) throw SQLite::Exception(database_, result);
  return result == SQLITE_ROW;
}

void RowReader::seek(int64_t rowid, size_t place) {
  sqlite3_reset(query_.get());
  sqlite3_bind_int64(query_.get(), 1, rowid);
  row_ = static_cast<int64_t>(place);
}

void RowReader::fail(int column, std::string_view reason) const {
  throw std::runtime_error(fmt::format("table {}, row {}, column {}: {}", table_, row_,
                                       sqlite3_column_name(query_.get(), column), reason));
}

std::string_view RowReader::bytesOf(const void* bytes, int column) const {
  const auto size = static_cast<size_t>(sqlite3_column_bytes(query_.get(), column));
  if (bytes == nullptr && size > 0) throw SQLite::Exception(database_, SQLITE_NOMEM);
  return {static_cast<const char*>(bytes), size};
}

std::string_view RowReader::textOf(int column) const {
  if (typeOf(column) != SQLITE_TEXT) fail(column, "not a text");
  const std::string_view text = bytesOf(sqlite3_column_blob(query_.get(), column), column);
  if (text.size() > kMaximumNameBytes) fail(column, "longer than any name");
  return text;
}

std::string RowReader::text(int column) const {
  return printable(textOf(column));
}

Digest RowReader::digest(int column) const {
  const auto digest = digestFromBytes(blob(column));
  if (!digest) fail(column, "not of 32 bytes");
  return *digest;
}

std::string_view RowReader::blob(int column) const {
  if (typeOf(column) != SQLITE_BLOB) fail(column, "not a blob");
  return bytesOf(sqlite3_column_blob(query_.get(), column), column);
}

}  // namespace fdmortem
