// Marks on the time line: from logs, and put there by hand.
#pragma once

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "analyze/log_marks.h"

namespace fdmortem {

struct MarkOptions {
  std::vector<std::string> logs;  ///< files; `-`: stdin
  int log_offset_s = 0;           ///< east of UTC, of times in logs that say no zone
  std::vector<Mark> marks;        ///< by hand
};

/// Fills `mark` and `log` of schema/analysis.sql; the snapshots are there already. Throws
/// std::system_error, one line with the path, if a log can't be read.
void importMarks(const MarkOptions& options, SQLite::Database& analysis);

}  // namespace fdmortem
