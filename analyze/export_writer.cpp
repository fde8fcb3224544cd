#include "analyze/export_writer.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/listing.h"

namespace fdmortem {
namespace {

/// A folder with a file for each table.
class FolderWriter : public ExportWriter {
 public:
  FolderWriter(ExportFormat format, std::string folder)
      : is_csv_(format == ExportFormat::Csv), folder_(std::move(folder)) {
    std::filesystem::create_directory(folder_);
  }

  void begin(const std::string& table, const std::vector<std::string>& columns) override {
    finish();
    path_ = fmt::format("{}/{}.{}", folder_, table, is_csv_ ? "csv" : "ndjson");
    columns_ = columns;
    const bool is_new = !std::filesystem::exists(path_);
    file_.open(path_, std::ios::binary | std::ios::app);
    if (!file_) throw std::system_error(errno, std::generic_category(), path_);
    if (is_new && is_csv_) file_ << renderCsvRow({columns.begin(), columns.end()});
  }
  void row(const std::vector<Value>& values) override {
    file_ << (is_csv_ ? renderCsvRow(values) : renderNdjsonRow(columns_, values));
  }
  void finish() override {
    if (!file_.is_open()) return;
    file_.close();
    if (!file_) throw std::system_error(errno, std::generic_category(), path_);
  }

 private:
  bool is_csv_;
  std::string folder_;
  std::string path_;
  std::vector<std::string> columns_;
  std::ofstream file_;
};

std::string quoted(const std::string& name) {
  std::string text = "\"";
  for (const char c : name) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + "\"";
}

class SqliteWriter : public ExportWriter {
 public:
  explicit SqliteWriter(const std::string& path)
      : database_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
    // Nobody sees the file before it is whole.
    database_.exec("PRAGMA journal_mode = OFF");
    database_.exec("PRAGMA synchronous = OFF");
    transaction_.emplace(database_);
  }

  void begin(const std::string& table, const std::vector<std::string>& columns) override {
    insert_.reset();
    const bool is_new = !tables_.contains(table);
    current_ = &tables_[table];
    if (is_new) {
      current_->columns = columns;
      current_->types.resize(columns.size());
      database_.exec(declaration(table, *current_));
    }
    std::string places = "?";
    for (size_t i = 1; i < columns.size(); ++i)
      places += ", ?";
    insert_.emplace(database_, fmt::format("INSERT INTO {} VALUES ({})", quoted(table), places));
  }

  void row(const std::vector<Value>& values) override {
    insert_->reset();
    for (size_t i = 0; i < values.size(); ++i) {
      const int index = static_cast<int>(i) + 1;
      std::visit(
          [&](const auto& value) {
            if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::monostate>) {
              insert_->bind(index);
            } else {
              insert_->bind(index, value);
            }
          },
          values[i]);
      // The widest of the types: a number is never stored as a text for it.
      current_->types[i] = std::max(current_->types[i], values[i].index());
    }
    insert_->exec();
  }

  void finish() override {
    insert_.reset();
    declareTypes();
    for (const auto& [name, table] : tables_)
      makeIndexes(name, table);
    transaction_->commit();
    transaction_.reset();
    database_.exec("PRAGMA journal_mode = DELETE");
  }

 private:
  struct Table {
    std::vector<std::string> columns;
    std::vector<size_t> types;  ///< of its values: the index in Value; 0: only NULL
  };

  static std::string declaration(const std::string& name, const Table& table) {
    static constexpr const char* kTypes[] = {"", " INTEGER", " REAL", " TEXT"};
    std::string columns;
    for (size_t i = 0; i < table.columns.size(); ++i) {
      columns += (i == 0 ? "" : ", ") + quoted(table.columns[i]) + kTypes[table.types[i]];
    }
    return fmt::format("CREATE TABLE {} ({})", quoted(name), columns);
  }

  /// What type a column has is known when all its values are. They are stored as they are whatever
  /// it says, so only the words of the schema change; other programs go by these.
  void declareTypes() {
    database_.exec("PRAGMA writable_schema = ON");
    SQLite::Statement update(database_,
                             "UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?");
    for (auto& [name, table] : tables_) {
      // A column without a value is a number where its name says so to nobody: TEXT is safest.
      for (size_t& type : table.types)
        type = type == 0 ? 3 : type;
      update.reset();
      update.bind(1, declaration(name, table));
      update.bind(2, name);
      update.exec();
    }
    database_.exec("PRAGMA writable_schema = RESET");
  }

  void makeIndexes(const std::string& name, const Table& table) {
    for (const std::string column : {"id", "process", "inode", "snapshot"}) {
      const auto found = std::find(table.columns.begin(), table.columns.end(), column);
      if (found == table.columns.end() || name == "databases") continue;
      database_.exec(fmt::format("CREATE INDEX {} ON {} (\"database\", {})",
                                 quoted(fmt::format("{}_by_{}", name, column)), quoted(name),
                                 quoted(column)));
    }
  }

  SQLite::Database database_;
  std::optional<SQLite::Transaction> transaction_;
  std::map<std::string, Table> tables_;
  Table* current_ = nullptr;
  std::optional<SQLite::Statement> insert_;
};

}  // namespace

std::unique_ptr<ExportWriter> makeExportWriter(ExportFormat format, const std::string& path) {
  if (format == ExportFormat::Sqlite) return std::make_unique<SqliteWriter>(path);
  return std::make_unique<FolderWriter>(format, path);
}

}  // namespace fdmortem
