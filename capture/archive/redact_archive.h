// Pseudonyms in an archive that was recorded without them.
#pragma once

#include "capture/redaction.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Replaces what the redaction names in all rows of an archive, with one key for the whole file,
/// and writes that into its recordings. What was there stays in free pages until a VACUUM. Throws
/// SQLite::Exception.
void redactArchive(SQLite::Database& archive, const Redaction& redaction);

}  // namespace fdmortem
