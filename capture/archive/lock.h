// One recorder an archive, and no moment at which a kill leaves one that is refused afterwards.
#pragma once

#include <string>

#include "schema/file_handle.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Makes the archive, readable by its owner only, or opens one to continue it, and locks it
/// (flock): as long as the handle is open. Throws std::system_error or std::runtime_error, one line
/// with the path, if the file is anything else or another recorder has it, which is named by its
/// pid; it is not touched then.
FileHandle openExclusively(const std::string& path);

/// Lets a second recorder see our pid. To be called when SQLite is in write-ahead mode: until then
/// it takes away all POSIX locks that the process has on the file.
void markRecorder(const FileHandle& archive);

/// Into write-ahead mode and out of it, without the -journal that SQLite makes for a moment
/// otherwise: what is written is the header, one sector. Entering throws std::runtime_error if the
/// file system does not allow it. Leaving fails in silence while somebody else reads the archive:
/// then the -wal stays and belongs to it.
void enterWriteAheadMode(SQLite::Database& database, const std::string& path);
void leaveWriteAheadMode(SQLite::Database& database);

}  // namespace fdmortem
