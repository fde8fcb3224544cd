// The texts of an archive that is damaged: what is still there without the rows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "analyze/evidence/archived_file.h"
#include "analyze/evidence/text_reader.h"
#include "schema/evidence/text_bundle.h"
#include "schema/readers/result.h"

namespace fdmortem {

/// Gives back only what its digest speaks for. Calls throw SQLite::Exception where a limit is
/// reached.
class SavedTexts {
 public:
  /// `archive` must outlive this object.
  explicit SavedTexts(SQLite::Database& archive);

  /// The first and the last snapshot of which a text can be reached; empty: none.
  std::optional<std::pair<int64_t, int64_t>> snapshots() const { return texts_.snapshots(); }

  /// The text at a path of the list. An error, one line, tells why it is not there.
  Parsed<std::string> text(int64_t snapshot, const std::string& path, bool is_second);

  /// Sorted. An error, one line, if the texts of the snapshot can't be given back.
  Parsed<std::vector<ArchivedPath>> paths(int64_t snapshot);

 private:
  Parsed<std::vector<BundledText>> read(int64_t snapshot, TextPart part);

  TextReader texts_;
};

}  // namespace fdmortem
