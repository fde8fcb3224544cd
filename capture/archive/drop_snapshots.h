// Takes whole snapshots out of an archive.
#pragma once

#include <cstdint>
#include <string>

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Drops, in the transaction that is open, all snapshots before the keyframe `first_kept`, and adds
/// them to the row of `dropped` with that reason. From now on the archive begins at that keyframe;
/// what other tables hold of the snapshots before it says nothing any more, see schema/README.md.
/// Throws SQLite::Exception.
void dropSnapshotsBefore(SQLite::Database& database, int64_t first_kept, const std::string& reason);

/// Takes out at most that many rows of the dropped snapshots before `first_kept`, and at last what
/// only they referred to. Returns whether there may be more. Takes time by what goes, not by what
/// stays. Throws SQLite::Exception.
bool removeRemains(SQLite::Database& database, int64_t first_kept, int row_count);

/// Drops all snapshots after `last_kept`, with their rows, and what the recorder said after it.
void dropSnapshotsAfter(SQLite::Database& database, int64_t last_kept, const std::string& reason);

}  // namespace fdmortem
