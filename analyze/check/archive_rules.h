// The rules of an archive that hold between rows: schema/README.md, "Changes and keyframes".
#pragma once

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

namespace fdmortem {

/// Replays the changes of `archive` (of an ArchiveReader; importArchive has checked each row for
/// itself) from the first snapshot to the last, and says which rows do not fit those before them:
/// what changes or goes without being there, what appears while it is there, what a keyframe lacks,
/// rows out of order, rows of another recording, clocks that go back, texts used beyond a keyframe.
/// One line each, of those alike the first few and how many more there are; empty: all fits.
std::vector<std::string> brokenRules(SQLite::Database& archive);

}  // namespace fdmortem
