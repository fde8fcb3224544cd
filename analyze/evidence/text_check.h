// Whether the texts of an archive and its rows say the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/progress.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

struct TextResult {
  std::vector<std::string> problems;  ///< one line each; empty: they agree
  int64_t bundles = 0;                ///< so many were read
};

/// Reads each text again, as fdcapture did, and compares what it says with the rows as they stand
/// at its snapshot: host, processes, limits, uids, fdinfo, all socket tables with queues and
/// TIME_WAIT. What could not be read then, or was redacted, is not compared. `archive` has passed
/// the checked import. Takes memory for two bundles and for the rows of one snapshot.
TextResult checkTexts(SQLite::Database& archive, const OnProgress& on_progress = {});

}  // namespace fdmortem
