// Rows into a table of the archive, digested for the hash chain as they are stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "schema/evidence/row_digest.h"

namespace fdmortem {

/// A blob that is stored and not digested.
struct Undigested {
  std::string_view bytes;
};

/// An INSERT that is prepared once and run with one value a column.
class Insert {
 public:
  Insert(SQLite::Database& database, std::string_view table, int column_count)
      : statement_(database, sql(table, column_count)) {}

  /// What it stores goes into `digest`, too.
  Insert(SQLite::Database& database, HashedTable table, int column_count, RowDigest& digest)
      : Insert(database, kHashedTableNames.at(static_cast<size_t>(table)), column_count) {
    digest_ = &digest;
    table_ = table;
  }

  /// Values that are digested behind those of the next row.
  template <class... Values>
  Insert& with(const Values&... values) {
    more_.clear();
    (digestValue(more_, values), ...);
    return *this;
  }

  template <class... Values>
  void operator()(const Values&... values) {
    // Whatever became of it the last time.
    statement_.tryReset();
    row_.clear();
    int index = 0;
    (bind(++index, values), ...);
    statement_.exec();
    statement_.reset();
    (digestValue(row_, values), ...);
    row_.append(more_);
    more_.clear();
    if (digest_ != nullptr) digest_->add(table_, row_);
  }

  /// The row that was stored last, as bytes.
  const RowBytes& row() const { return row_; }

 private:
  static std::string sql(std::string_view table, int column_count) {
    std::string text = fmt::format("INSERT INTO {} VALUES (?", table);
    for (int i = 1; i < column_count; ++i)
      text += ", ?";
    return text + ")";
  }

  void bind(int index, std::nullopt_t) { statement_.bind(index); }
  void bind(int index, const std::string& text) { statement_.bind(index, text); }
  void bind(int index, std::string_view bytes) {
    statement_.bind(index, bytes.data(), static_cast<int>(bytes.size()));
  }
  void bind(int index, const Undigested& blob) { bind(index, blob.bytes); }
  template <class Number>
  requires std::is_integral_v<Number>
  void bind(int index, Number number) {
    // SQLite's integers are signed 64 bit: a larger number keeps its bits, as schema/README.md
    // says.
    statement_.bind(index, static_cast<int64_t>(number));
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void bind(int index, Enum value) { bind(index, static_cast<int64_t>(value)); }
  template <class Value>
  void bind(int index, const std::optional<Value>& value) {
    if (value) {
      bind(index, *value);
    } else {
      statement_.bind(index);
    }
  }

  static void digestValue(RowBytes& row, std::nullopt_t) { row.addNull(); }
  static void digestValue(RowBytes& row, std::string_view bytes) { row.addBytes(bytes); }
  static void digestValue(RowBytes& /*row*/, const Undigested& /*blob*/) {}
  template <class Number>
  requires std::is_integral_v<Number> || std::is_enum_v<Number>
  static void digestValue(RowBytes& row, Number number) {
    row.addInteger(static_cast<int64_t>(number));
  }
  template <class Value>
  static void digestValue(RowBytes& row, const std::optional<Value>& value) {
    if (value) {
      digestValue(row, *value);
    } else {
      row.addNull();
    }
  }

  SQLite::Statement statement_;
  RowDigest* digest_ = nullptr;
  HashedTable table_{};
  RowBytes row_, more_;
};

}  // namespace fdmortem
