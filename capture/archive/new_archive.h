// The beginning of an archive file.
#pragma once

#include <string>

namespace fdmortem {

/// Of an archive that is made here.
inline constexpr int kPageBytes = 2048;

/// Makes an archive without rows, in write-ahead mode, mode 0600. It gets its name when it is whole
/// and on disk, so whoever is killed meanwhile leaves no half of one (only, perhaps, a file
/// PATH.partial-XXXXXX). Returns false if there is something by that name already. Throws
/// std::system_error, or std::runtime_error if a -wal or -journal of another file by that name was
/// left behind: SQLite would take it for the new archive's.
bool makeArchive(const std::string& path);

/// Throws what `errno` says of a file that could not be made, with its path; of a folder that is
/// missing, which one.
[[noreturn]] void failToMake(const std::string& path);

}  // namespace fdmortem
