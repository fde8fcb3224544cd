#include "analyze/analysis.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include "analyze/growth_table.h"
#include "analyze/import/archive_reader.h"
#include "analyze/import/doubts.h"
#include "analyze/import/file_check.h"
#include "analyze/import/import.h"
#include "analyze/import/private_copy.h"
#include "analyze/import/salvage.h"
#include "schema/printable.h"
#include "schema/sha256.h"
#include "schema/sql.h"

namespace fdmortem {
namespace {

/// A database that one thread uses and nobody keeps: it needs no locks and nothing to go back to.
std::unique_ptr<SQLite::Database> openInMemory() {
  auto database = std::make_unique<SQLite::Database>(
      ":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | SQLite::OPEN_NOMUTEX);
  // Larger pages make flatter trees. A large cache lets sorting do without merging.
  database->exec(
      "PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA temp_store = MEMORY;"
      "PRAGMA cache_size = -262144");
  return database;
}

void runAll(SQLite::Database& database, std::span<const sql::SqlFile> files) {
  for (const sql::SqlFile& file : files)
    database.exec(std::string(file.text));
}

void deriveViews(SQLite::Database& database, const OnProgress& on_progress) {
  const auto views = sql::views();
  for (size_t i = 0; i < views.size(); ++i) {
    if (on_progress) on_progress("deriving", static_cast<int>(100 * i / views.size()));
    database.exec(std::string(views[i].text));
  }
}

/// Only reads from here on, from this database and no other.
void lock(SQLite::Database& database) {
  sqlite3* handle = database.getHandle();
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  database.exec("PRAGMA query_only = ON");
  sqlite3_set_authorizer(
      handle,
      [](void*, int action, const char*, const char*, const char*, const char*) {
        const bool is_reading = action == SQLITE_SELECT || action == SQLITE_READ ||
                                action == SQLITE_FUNCTION || action == SQLITE_RECURSIVE;
        return is_reading ? SQLITE_OK : SQLITE_DENY;
      },
      nullptr);
}

Value valueOf(const SQLite::Column& column) {
  if (column.isNull()) return {};
  if (column.isInteger()) return column.getInt64();
  if (column.isFloat()) return column.getDouble();
  if (column.isText()) return column.getString();
  return printable(column.getString());
}

void bind(SQLite::Statement& statement, int index, const Value& value) {
  std::visit(
      [&](const auto& bound) {
        if constexpr (std::is_same_v<std::decay_t<decltype(bound)>, std::monostate>) {
          statement.bind(index);
        } else {
          statement.bind(index, bound);
        }
      },
      value);
}

/// What follows a statement: nothing but blanks, semicolons and comments may.
bool isBlank(std::string_view sql) {
  while (!sql.empty()) {
    const size_t word = sql.find_first_not_of(" \t\r\n;");
    if (word == std::string_view::npos) return true;
    sql.remove_prefix(word);
    const bool is_line = sql.starts_with("--");
    if (!is_line && !sql.starts_with("/*")) return false;
    const size_t end = sql.find(is_line ? "\n" : "*/", 2);
    if (end == std::string_view::npos) return true;
    sql.remove_prefix(end + (is_line ? 1 : 2));
  }
  return true;
}

/// sqlite3_prepare takes the first of several statements and says nothing of the others.
void requireOneStatement(SQLite::Database& database, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const char* rest = nullptr;
  const int error = sqlite3_prepare_v2(database.getHandle(), sql.c_str(),
                                       static_cast<int>(sql.size() + 1), &statement, &rest);
  const bool is_empty = error == SQLITE_OK && statement == nullptr;
  sqlite3_finalize(statement);
  if (error == SQLITE_AUTH)
    throw std::runtime_error("this statement does more than read: only SELECT is allowed");
  if (error != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(database.getHandle()));
  if (is_empty) throw std::runtime_error("the query is empty");
  if (!isBlank(rest)) throw std::runtime_error("more than one statement; give one");
}

}  // namespace

template <class Step>
void Analysis::ofArchive(const Step& step) const {
  try {
    step();
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{}: {}", path_, limits_->reasonOf(error)));
  }
}

Analysis::Analysis(const std::string& path, const AnalysisOptions& options) : path_(path) {
  const PrivateCopy copy(path, options.is_salvage);
  limits_ = std::make_unique<LimitGuard>(
      Limits(options.limits, static_cast<uint64_t>(copy.fileBytes() + copy.missingBytes())));
  if (options.is_salvage) {
    sha256_ = sha256OfFile(copy.path());
    copy.fill();
  }
  database_ = openInMemory();
  limits_->watch(*database_);
  runAll(*database_, sql::analysis());
  ofArchive([&] {
    SQLite::Statement set_grace(*database_, "INSERT INTO setting VALUES ('grace_ms', ?)");
    set_grace.bind(1, static_cast<int64_t>(options.grace.count()));
    set_grace.exec();
    import(copy, options);
    const std::string narrowed = narrow(options.range, *database_);
    if (!narrowed.empty()) doubts_.push_back(narrowed);
  });
  importMarks(options.marks, path, *database_);
  ofArchive([&] {
    deriveViews(*database_, options.on_progress);
    fillGrowth(*database_, limits_.get());
    database_->exec("ANALYZE");
  });
  lock(*database_);
}

void Analysis::import(const PrivateCopy& copy, const AnalysisOptions& options) {
  try {
    importOrSave(copy, options);
  } catch (const SQLite::Exception& error) {
    if (isLimit(error) || copy.missingBytes() == 0) throw;
    throw std::runtime_error(fmt::format("{}; {}", error.what(), copy.cutInWords()));
  } catch (const std::runtime_error& error) {
    if (copy.missingBytes() == 0) throw;
    throw std::runtime_error(fmt::format("{}; {}", error.what(), copy.cutInWords()));
  }
}

void Analysis::importOrSave(const PrivateCopy& copy, const AnalysisOptions& options) {
  ArchiveReader archive(copy.path(), *limits_);
  if (!options.is_salvage) {
    importWhole(copy, archive, options);
    doubts_ = doubtsOf(copy, *database_);
    loss_ = lossOf(copy);
    return;
  }
  Salvage salvage(archive);
  importArchive(archive.database(), *database_, {}, options.on_progress, RowsKept::All, &salvage);
  std::vector<std::string> losses = salvage.finish(*database_);
  if (copy.missingBytes() > 0) {
    losses.insert(losses.begin(), "damaged: " + copy.cutInWords());
  }
  is_damaged_ = !losses.empty();
  doubts_ = doubtsOf(copy, *database_);
  doubts_.insert(doubts_.begin(), losses.begin(), losses.end());
  loss_ = is_damaged_ ? "it is damaged, and a part of it is missing" : lossOf(copy);
}

/// The rows are read while the file is checked; what is wrong with the file counts for more than
/// what was stumbled over in them.
void Analysis::importWhole(const PrivateCopy& copy, ArchiveReader& archive,
                           const AnalysisOptions& options) {
  // A part of the time is cut out by its keyframe.
  const bool keeps_all = options.shows_changes || options.range.from_ns || options.range.to_ns;
  FileCheck check(copy.path(), *limits_);
  try {
    importArchive(archive.database(), *database_, {}, options.on_progress,
                  keeps_all              ? RowsKept::All
                  : options.shows_closed ? RowsKept::NoRepetitions
                                         : RowsKept::Unsettled);
  } catch (...) {
    check.finish();
    throw;
  }
  sha256_ = check.finish();
}

Analysis::~Analysis() = default;
Analysis::Analysis(Analysis&&) noexcept = default;

ResultTable Analysis::query(const std::string& sql, const std::vector<Value>& parameters) const {
  ResultTable result;
  stream(
      sql, parameters, [&](const std::vector<std::string>& columns) { result.columns = columns; },
      [&](const std::vector<Value>& row) { result.rows.push_back(row); });
  return result;
}

void Analysis::stream(const std::string& sql, const std::vector<Value>& parameters,
                      const OnColumns& on_columns, const OnRow& on_row) const {
  try {
    run(sql, parameters, on_columns, on_row);
  } catch (const SQLite::Exception& error) {
    if (!isLimit(error)) throw;
    throw std::runtime_error(fmt::format("{}: {}", path_, limits_->reasonOf(error)));
  }
}

void Analysis::run(const std::string& sql, const std::vector<Value>& parameters,
                   const OnColumns& on_columns, const OnRow& on_row) const {
  requireOneStatement(*database_, sql);
  SQLite::Statement statement(*database_, sql);
  for (size_t i = 0; i < parameters.size(); ++i) {
    bind(statement, static_cast<int>(i + 1), parameters[i]);
  }
  std::vector<std::string> columns;
  columns.reserve(static_cast<size_t>(statement.getColumnCount()));
  for (int i = 0; i < statement.getColumnCount(); ++i) {
    columns.emplace_back(statement.getColumnName(i));
  }
  on_columns(columns);
  std::vector<Value> row;
  while (statement.executeStep()) {
    row.clear();
    for (int i = 0; i < statement.getColumnCount(); ++i) {
      row.push_back(valueOf(statement.getColumn(i)));
    }
    on_row(row);
  }
}

}  // namespace fdmortem
