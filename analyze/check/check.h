// Whether an archive is what schema/README.md says an archive is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/options.h"
#include "analyze/progress.h"
#include "schema/evidence/digest.h"

namespace fdmortem {

struct CheckResult {
  std::vector<std::string> problems;  ///< one line each; empty: all holds
  std::vector<std::string> doubts;    ///< what is no problem and yet to be known; one line each
  std::string sha256;  ///< of the file, in hexadecimal digits; empty: it was not read
  int64_t recordings = 0;
  int64_t snapshots = 0;
  std::string head;        ///< of the hash chain, in hexadecimal digits; empty: it was not read
  int64_t links = 0;       ///< of the chain
  int64_t texts = 0;       ///< bundles of texts that were read again and compared with the rows
  std::string known_head;  ///< where in the chain the head given is, in words; empty: nowhere
};

/// Checks, one after the other: the header, the schema, SQLite's integrity_check, the type and
/// range of each value and what it refers to, the rules between rows, the hash chain, and the texts
/// as they were read against the rows. A check that makes no sense after a problem is left out.
/// Throws std::system_error if the file can't be read, and std::runtime_error, one line with the
/// path, if it takes more than the limits.
CheckResult checkArchive(const CheckOptions& options, const OnProgress& on_progress = {});

/// Prints the result. 0: all holds; else 1.
int runCheck(const CheckOptions& options);

}  // namespace fdmortem
