#include "analyze/import/import.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/import/archive_rows.h"
#include "analyze/import/archive_tables.h"
#include "analyze/import/limits.h"
#include "analyze/import/recording_import.h"
#include "analyze/import/references.h"
#include "analyze/import/repetition.h"
#include "analyze/import/row_progress.h"
#include "analyze/import/settled_rows.h"
#include "schema/address.h"
#include "schema/evidence/text_codec.h"
#include "schema/format.h"
#include "schema/printable.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr int64_t kAny = RowReader::kAny;
constexpr int64_t kMax = RowReader::kMax;

std::string printableCmdline(std::string arguments) {
  if (!arguments.empty() && arguments.back() == '\0') arguments.pop_back();
  std::replace(arguments.begin(), arguments.end(), '\0', ' ');
  return printable(arguments);
}

SettledFds::Thresholds thresholdsOf(SQLite::Database& analysis) {
  constexpr int64_t kNsPerMs = 1'000'000;
  const auto number = [&](const char* query) { return analysis.execAndGet(query).getInt64(); };
  return {.grace_ns = kNsPerMs * number("SELECT value FROM setting WHERE name = 'grace_ms'"),
          .few_free = number("SELECT few_free FROM threshold")};
}

class Importer {
 public:
  Importer(const ArchiveRows& archive, SQLite::Database& analysis, const ImportProblem& on_problem,
           const OnProgress& on_progress, RowsKept kept)
      : archive_(archive), analysis_(analysis), on_problem_(on_problem), progress_(on_progress) {
    // What is saved begins at any keyframe.
    if (archive.isSalvaged()) return;
    if (kept != RowsKept::All) repetitions_.emplace();
    if (kept == RowsKept::Unsettled && !on_problem)
      settled_.emplace(archive.archive(), references_, progress_, thresholdsOf(analysis));
  }

  void run() {
    SQLite::Transaction transaction(analysis_);
    // Else the file would be locked anew for each row that is looked for.
    const SQLite::Transaction reading(archive_.archive());
    countRows();
    boots_ = importRecordings(archive_, analysis_);
    importSnapshots();
    importRecorderEvents(archive_, boots_, analysis_);
    importDropped(archive_, analysis_);
    tolerantly([&] { importChain(archive_, analysis_); });
    tolerantly([&] { checkVerbatim(); });
    references_.readTexts(archive_);
    references_.readAddresses(archive_);
    if (repetitions_) references_.findAlike();
    references_.importProcesses(archive_, boots_, analysis_);
    references_.importNamespaces(archive_, boots_, analysis_);
    if (settled_) settled_->find(analysis_);
    for (const ArchiveTable& table : plainTables())
      tolerantly([&] { importTable(table); });
    transaction.commit();
  }

 private:
  /// For a table to which no other refers.
  template <class Import>
  void tolerantly(Import import) {
    try {
      import();
    } catch (const SQLite::Exception& error) {
      if (!on_problem_ || isLimit(error)) throw;
      on_problem_(error.what());
    } catch (const std::runtime_error& error) {
      if (!on_problem_) throw;
      on_problem_(error.what());
    }
  }

  /// About how many there are; without deleted ones exactly.
  void countRows() {
    if (!progress_.isAsked() || archive_.isSalvaged()) return;
    for (const ArchiveTable& table : plainTables()) {
      const std::string last = fmt::format("SELECT coalesce(max(rowid), 0) FROM {}", table.name);
      progress_.expect(
          std::clamp(archive_.archive().execAndGet(last).getInt64(), int64_t{0}, kMaximumSum));
    }
  }

  void importSnapshots() {
    SQLite::Statement insert(
        analysis_, "INSERT INTO snapshot VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    int64_t previous_id = 0;
    int64_t previous_recording = 0;
    archive_.forEach("snapshot", [&](const RowReader& rows) {
      const int64_t id = rows.integer(0, previous_id + 1, kMaximumSum);
      const int64_t recording = rows.integer(1, previous_recording);
      if (!boots_.has(recording)) rows.fail(1, "no such recording");
      const bool is_keyframe = rows.integer(2, 0, 1) == 1;
      if (!is_keyframe && recording != previous_recording) rows.fail(2, "no keyframe at the start");
      // That without a commit before it is the first of its recording, or may be.
      const bool is_repeating = is_keyframe && recording == previous_recording && !rows.isNull(16);
      if (repetitions_ && is_repeating) repetitions_->addKeyframe(id);
      previous_id = id;
      previous_recording = recording;
      references_.addSnapshot(id);
      if (settled_) settled_->addSnapshot(id, recording, rows.integer(6, 0, kMaximumTime));
      importSnapshot(rows, insert);
    });
    analysis_.exec(
        "UPDATE recording SET (first_snapshot, last_snapshot) = "
        "(SELECT min(id), max(id) FROM snapshot WHERE recording = recording.id)");
  }

  static void importSnapshot(const RowReader& rows, SQLite::Statement& insert) {
    insert.reset();
    insert.clearBindings();
    for (int column = 0; column <= 3; ++column)
      insert.bind(column + 1, rows.integer(column, 0, column < 2 ? kMax : 1));
    insert.bind(5, formatTime(rows.integer(4, 0, kMaximumTime)));
    for (int column = 4; column <= 21; ++column) {
      const bool is_nullable = column >= 16;
      if (is_nullable && rows.isNull(column)) continue;
      // The clocks are 4 to 6; what the kernel says of the host is as large as it likes.
      insert.bind(column + 2, rows.integer(column, is_nullable && column > 16 ? kAny : 0,
                                           column <= 6    ? kMaximumTime
                                           : column <= 16 ? kMaximumSum
                                                          : kMax));
    }
    insert.exec();
  }

  /// The texts stay where they are; whether they are what they should be is for `check`.
  void checkVerbatim() {
    std::set<std::pair<int64_t, int64_t>> known;
    archive_.forEach("verbatim", [&](const RowReader& rows) {
      const int64_t snapshot = rows.integer(0);
      if (!known.emplace(snapshot, rows.integer(1, 1, 2)).second) rows.fail(1, "there twice");
      if (!rows.isNull(2)) rows.integer(2, 0, snapshot);
      rows.integer(3, 0, kMaximumTextBytes);
      rows.digest(4);
    });
  }

  void importTable(const ArchiveTable& table) {
    std::string placeholders = "?";
    for (size_t i = 1; i < table.columns.size(); ++i)
      placeholders += ",?";
    SQLite::Statement insert(analysis_,
                             fmt::format("INSERT INTO {} VALUES ({})", table.name, placeholders));
    bool has_begun = false;
    const auto take = [&](const RowReader& rows, SettledFds::Fate fate) {
      if (repetitions_ && !std::exchange(has_begun, true))
        repetitions_->begin(table.name, rows.columnCount());
      if (fate == SettledFds::Fate::End) return importEnd(rows, insert);
      importRow(rows, table, insert);
    };
    // Those that were gone through before were counted then.
    if (settled_ && SettledRows::knows(table)) return settled_->forEachKept(table, take);
    archive_.forEach(table.name, [&](const RowReader& rows) {
      progress_.add(1);
      take(rows, SettledFds::Fate::Kept);
    });
  }

  void importRow(const RowReader& rows, const ArchiveTable& table, SQLite::Statement& insert) {
    const auto number = [&](int column) {
      return references_.comparable(rows, table.columns[static_cast<size_t>(column)], column,
                                    Repetitions::kNone);
    };
    if (references_.isRemains(rows)) return;
    if (repetitions_ && repetitions_->isRepetition(number)) return;
    insert.reset();
    insert.clearBindings();
    for (size_t i = 0; i < table.columns.size(); ++i)
      importValue(rows, table.columns[i], static_cast<int>(i), insert);
    insert.exec();
    if (repetitions_ && std::string_view(table.name) == "net_table_change" && number(3) == 0)
      repetitions_->addEnd(number(1), number(2), number(0));
  }

  /// Of a row of fd_change only that it ends what was there before.
  void importEnd(const RowReader& rows, SQLite::Statement& insert) {
    insert.reset();
    insert.clearBindings();
    insert.bind(1, references_.snapshot(rows, 0));
    insert.bind(2, references_.process(rows, 1));
    insert.bind(3, rows.integer(2));
    insert.bind(4, static_cast<int>(Change::Gone));
    insert.exec();
    repetitions_->isRepetition([&](int column) {
      return column < 3 ? rows.numberOr(column, 0) : column == 3 ? 0 : Repetitions::kNone;
    });
  }

  void importValue(const RowReader& rows, const Column& column, int index,
                   SQLite::Statement& insert) const {
    const int target = index + 1;
    if (column.is_nullable && rows.isNull(index)) return;
    switch (column.kind) {
      case ColumnKind::Integer:
        insert.bind(target, rows.integer(index, column.minimum, column.maximum));
        break;
      case ColumnKind::Text:
        insert.bind(target, rows.text(index));
        break;
      case ColumnKind::TextId:
        insert.bind(target, printable(references_.text(rows, index)));
        break;
      case ColumnKind::Cmdline:
        insert.bind(target, printableCmdline(references_.text(rows, index)));
        break;
      case ColumnKind::Snapshot:
        insert.bind(target, references_.snapshot(rows, index));
        break;
      case ColumnKind::Process:
        insert.bind(target, references_.process(rows, index));
        break;
      case ColumnKind::Netns:
        insert.bind(target, references_.netns(rows, index));
        break;
      case ColumnKind::Endpoint:
        insert.bind(target,
                    formatEndpoint(references_.address(rows, index),
                                   static_cast<uint16_t>(rows.integer(index + 1, 0, 65535))));
        break;
    }
  }

  const ArchiveRows& archive_;
  SQLite::Database& analysis_;
  const ImportProblem& on_problem_;
  RowProgress progress_;
  Boots boots_;
  References references_;
  std::optional<Repetitions> repetitions_;
  std::optional<SettledRows> settled_;
};

}  // namespace

void importArchive(SQLite::Database& archive, SQLite::Database& analysis,
                   const ImportProblem& on_problem, const OnProgress& on_progress, RowsKept kept,
                   Salvage* salvage) {
  const ArchiveRows rows(archive, salvage);
  Importer(rows, analysis, on_problem, on_progress, kept).run();
}

std::vector<std::string> tablesOfSnapshots() {
  std::vector<std::string> names;
  for (const ArchiveTable& table : plainTables())
    names.emplace_back(table.name);
  return names;
}

}  // namespace fdmortem
