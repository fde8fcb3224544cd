// A file of a snapshot as it was, from the texts or put together from the rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "schema/readers/result.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

struct ArchivedFile {
  std::string bytes;
  std::vector<std::string> notes;  ///< what makes it doubtful or other than it was; one line each
};

/// The file at `path` (below /proc, or of a namespace: `4711/fd`, `4711/net/tcp`, `net:[N]/tcp`) in
/// a snapshot that is there. `is_second`: of tcp and tcp6 the second reading. An error, one line,
/// tells why it is not there. Throws std::runtime_error if the archive can't be read.
Parsed<ArchivedFile> archivedFile(SQLite::Database& archive, int64_t snapshot,
                                  const std::string& path, bool is_second);

struct ArchivedPath {
  std::string path;
  size_t bytes = 0;
  bool is_second = false;  ///< of a second reading

  bool operator<(const ArchivedPath& other) const {
    return std::tie(path, is_second) < std::tie(other.path, other.is_second);
  }
};

/// All that archivedFile() gives for a snapshot but for single fds and other names of the same
/// file, sorted. Throws as above.
std::vector<ArchivedPath> archivedPaths(SQLite::Database& archive, int64_t snapshot);

}  // namespace fdmortem
