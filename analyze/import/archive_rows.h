// The rows of an archive's tables, whole or damaged.
#pragma once

#include <string>

#include "analyze/import/row_reader.h"
#include "analyze/import/save_rows.h"

namespace fdmortem {

/// Reads them for the import; of a damaged archive what can be had.
class ArchiveRows {
 public:
  /// `salvage` is null where the archive has to be whole. Both outlive this object.
  ArchiveRows(SQLite::Database& archive, Salvage* salvage) : archive_(archive), salvage_(salvage) {}

  SQLite::Database& archive() const { return archive_; }
  bool isSalvaged() const { return salvage_ != nullptr; }

  /// Gives each row of a table to `take`, in the order in which they were added. Throws
  /// SQLite::Exception, and what `take` throws where nothing is salvaged.
  template <class Take>
  void forEach(const std::string& table, const Take& take) const {
    if (salvage_ != nullptr) return saveRows(archive_, table, *salvage_, take);
    RowReader rows(archive_, table);
    while (rows.next())
      take(rows);
  }

 private:
  SQLite::Database& archive_;
  Salvage* salvage_;
};

}  // namespace fdmortem
