// Marks on the time line: from logs, and put there by hand.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "analyze/import/log_marks.h"

namespace fdmortem {

struct MarkOptions {
  std::vector<std::string> logs;  ///< FILE or HOST=FILE; the file `-` is stdin
  bool needs_host = false;        ///< there are several archives: FILE alone is of none of them
  int log_offset_s = 0;           ///< east of UTC, of times in logs that say no zone
  bool has_log_zone = false;      ///< that was said, and not left to be UTC
  std::vector<Mark> marks;        ///< by hand
};

/// What a log is to an archive of these names (its hosts, its path): the file to read if HOST is
/// one of them, or if no host is needed; else empty.
std::optional<std::string> logFileOf(const std::string& log, const std::vector<std::string>& names,
                                     bool needs_host);

/// Fills `mark` and `log` of schema/analysis.sql; the snapshots are there already. Throws
/// std::system_error, one line with the path, if a log can't be read. `path` is the archive's.
void importMarks(const MarkOptions& options, const std::string& path, SQLite::Database& analysis);

}  // namespace fdmortem
