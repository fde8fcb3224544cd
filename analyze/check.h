// Whether an archive is what schema/README.md says an archive is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/options.h"

namespace fdmortem {

struct CheckResult {
  std::vector<std::string> problems;  ///< one line each; empty: all holds
  std::vector<std::string> doubts;    ///< what is no problem and yet to be known; one line each
  std::string sha256;  ///< of the file, in hexadecimal digits; empty: it was not read
  int64_t recordings = 0;
  int64_t snapshots = 0;
};

/// Checks, one after the other: the header, the schema, SQLite's integrity_check, the type and
/// range of each value and what it refers to, and the rules between rows. A check that makes no
/// sense after a problem is left out. Throws std::system_error if the file can't be read, and
/// std::runtime_error, one line with the path, if it takes more than `limits`.
CheckResult checkArchive(const std::string& path, const LimitOptions& limits = {});

/// Prints the result. 0: all holds; else 1.
int runCheck(const CheckOptions& options);

}  // namespace fdmortem
