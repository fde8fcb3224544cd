// An archive, imported and worked out: the database that everything fdanalyze says is asked of.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "analyze/import/limits.h"
#include "analyze/import/mark_import.h"
#include "analyze/narrow.h"
#include "analyze/progress.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

class ArchiveReader;
class PrivateCopy;

/// A value that a query gave.
using Value = std::variant<std::monostate, int64_t, double, std::string>;

/// What a query gave.
struct ResultTable {
  std::vector<std::string> columns;
  std::vector<std::vector<Value>> rows;
};

struct AnalysisOptions {
  std::chrono::milliseconds grace{30'000};  ///< how long an fd may outlive its connection
  MarkOptions marks;
  TimeRange range;  ///< nothing else is imported
  /// Whether somebody may ask for the change tables: then they have all rows of the archive.
  bool shows_changes = true;
  /// Whether somebody may ask for fds that were closed while it was recorded. If not, those of
  /// which nothing is unusual are counted only (see SettledFds): in fd_count and what is made of
  /// it, and in group_growth.
  bool shows_closed = true;
  LimitOptions limits;
  bool is_salvage = false;  ///< of a damaged archive all that is whole is taken
  OnProgress on_progress;
};

class Analysis {
 public:
  /// Imports the archive at `path` and derives all views. Throws std::runtime_error or
  /// std::system_error, one line with the path.
  Analysis(const std::string& path, const AnalysisOptions& options);
  ~Analysis();
  Analysis(Analysis&&) noexcept;

  const std::string& path() const { return path_; }
  /// SHA-256 of the file as it was given, in hexadecimal digits.
  const std::string& sha256() const { return sha256_; }
  /// What the file itself gives reason to doubt: one line each. "it is still being recorded, ..."
  const std::vector<std::string>& doubts() const { return doubts_; }
  /// Which of them says that snapshots or rows may be missing, in short; empty: none does.
  const std::string& loss() const { return loss_; }
  /// It is damaged, and `doubts` begin with what is missing.
  bool isDamaged() const { return is_damaged_; }

  /// Runs one statement, with `parameters` for its `?`. It can only read. Throws std::runtime_error
  /// with SQLite's words, also where the text holds no statement or more than one, and where it
  /// takes more time or memory than `AnalysisOptions::limits` allow for all that is done with the
  /// archive.
  ResultTable query(const std::string& sql, const std::vector<Value>& parameters = {}) const;

  using OnColumns = std::function<void(const std::vector<std::string>&)>;
  using OnRow = std::function<void(const std::vector<Value>&)>;
  /// As query, but holds one row at a time: the columns first, then each row.
  void stream(const std::string& sql, const std::vector<Value>& parameters,
              const OnColumns& on_columns, const OnRow& on_row) const;

 private:
  void import(const PrivateCopy& copy, const AnalysisOptions& options);
  void importOrSave(const PrivateCopy& copy, const AnalysisOptions& options);
  void importWhole(const PrivateCopy& copy, ArchiveReader& archive, const AnalysisOptions& options);
  void run(const std::string& sql, const std::vector<Value>& parameters,
           const OnColumns& on_columns, const OnRow& on_row) const;
  /// Runs `step`; what it throws becomes one line with the path.
  template <class Step>
  void ofArchive(const Step& step) const;

  std::string path_;
  std::string sha256_;
  std::vector<std::string> doubts_;
  std::string loss_;
  bool is_damaged_ = false;
  std::unique_ptr<LimitGuard> limits_;  ///< outlives the database
  std::unique_ptr<SQLite::Database> database_;
};

}  // namespace fdmortem
