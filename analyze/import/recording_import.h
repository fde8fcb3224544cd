// The import of what is of a recording and not of one of its snapshots.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "analyze/import/archive_rows.h"

namespace fdmortem {

/// Which boot of the host each recording was made in.
class Boots {
 public:
  void add(int64_t recording, std::optional<std::string> boot_id) {
    boot_ids_[recording] = std::move(boot_id);
  }
  bool has(int64_t recording) const { return boot_ids_.contains(recording); }

  /// Of the recording in `column`: its boot id; one that is not known is a boot of its own, for two
  /// unknown ones must not be taken for the same. Throws what RowReader::fail does.
  std::string of(const RowReader& rows, int column) const;

 private:
  std::map<int64_t, std::optional<std::string>> boot_ids_;
};

/// Fill the tables of these names in `analysis` (schema/analysis.sql) from those of the archive.
/// Throw std::runtime_error, one line that names the table and the row, and SQLite::Exception.
Boots importRecordings(const ArchiveRows& archive, SQLite::Database& analysis);
void importRecorderEvents(const ArchiveRows& archive, const Boots& boots,
                          SQLite::Database& analysis);
void importDropped(const ArchiveRows& archive, SQLite::Database& analysis);
/// Of the hash chain only the head is taken over.
void importChain(const ArchiveRows& archive, SQLite::Database& analysis);

}  // namespace fdmortem
