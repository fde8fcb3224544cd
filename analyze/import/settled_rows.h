// The rows of an archive for SettledFds, and what it says of each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "analyze/import/archive_tables.h"
#include "analyze/import/read_ahead.h"
#include "analyze/import/references.h"
#include "analyze/import/row_progress.h"
#include "analyze/import/row_reader.h"
#include "analyze/import/settled.h"

namespace fdmortem {

/// Goes through the tables that tell of fds and sockets once before they are taken over, so that
/// then the rows that are left out need not be read again.
class SettledRows {
 public:
  /// `archive`, `references` and `progress` outlive this object.
  SettledRows(SQLite::Database& archive, const References& references, RowProgress& progress,
              const SettledFds::Thresholds& thresholds)
      : archive_(archive), references_(references), progress_(progress), settled_(thresholds) {}

  /// As SettledFds has it.
  void addSnapshot(int64_t snapshot, int64_t recording, int64_t boottime_ns) {
    settled_.addSnapshot(snapshot, recording, boottime_ns);
  }

  /// After the last snapshot and when all that rows refer to is known: reads all rows and fills the
  /// tables `_left_out*` of `analysis`. Throws std::runtime_error, one line that names the table
  /// and the row, and SQLite::Exception.
  void find(SQLite::Database& analysis);

  /// Whether the rows of the table were gone through.
  static bool knows(const ArchiveTable& table) { return table.rows != TableRows::Other; }

  /// Of such a table: gives `take` the rows that are not left out, and what becomes of each.
  template <class Take>
  void forEachKept(const ArchiveTable& table, const Take& take) const {
    constexpr size_t kCheaperToRead = 8;  // than to look for the row
    const Extent& extent = extents_.at(table.name);
    RowReader rows(archive_, table.name);
    size_t read = 0;
    for (size_t place = 0; place < extent.rows; ++place) {
      const auto fate = fateOf(table, place);
      if (fate == SettledFds::Fate::LeftOut) continue;
      if (extent.has_no_gaps && place > read + kCheaperToRead) {
        read = place;
        rows.seek(extent.first + static_cast<int64_t>(place), place);
      }
      for (; read <= place; ++read) {
        if (!rows.next()) return;
      }
      take(rows, fate);
    }
  }

 private:
  /// The rows of a table and their rowids.
  struct Extent {
    int64_t first = 0;
    size_t rows = 0;
    bool has_no_gaps = true;

    void add(int64_t rowid) {
      if (rows == 0) first = rowid;
      const auto place = static_cast<uint64_t>(rowid) - static_cast<uint64_t>(first);
      has_no_gaps = has_no_gaps && place == rows;
      ++rows;
    }
  };

  template <class Take>
  void forEachOf(const char* table, const Take& take);
  void tellProcesses();
  void tellTables();
  void tellRows();
  bool readBlock(RowReader& rows, const ArchiveTable& table, RowBlock& block) const;
  void checkRow(const RowReader& rows, const ArchiveTable& table,
                std::vector<int64_t>& numbers) const;
  int64_t checkValue(const RowReader& rows, const Column& column, int index) const;
  void takeBlock(const ArchiveTable& table, const RowBlock& block);
  void tell(const ArchiveTable& table, const int64_t* row);
  SettledFds::Names namesIn(SQLite::Database& analysis) const;
  SettledFds::Fate fateOf(const ArchiveTable& table, size_t place) const;

  SQLite::Database& archive_;
  const References& references_;
  RowProgress& progress_;
  SettledFds settled_;
  std::map<std::string_view, Extent> extents_;
};

}  // namespace fdmortem
