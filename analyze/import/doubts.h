// What an archive itself gives reason to doubt.
#pragma once

#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "analyze/import/private_copy.h"

namespace fdmortem {

/// One line each; none of them is an error. `database` holds the imported `copy`,
/// all of it.
std::vector<std::string> doubtsOf(const PrivateCopy& copy, SQLite::Database& database);

/// In a few words, if the newest snapshots of a file may be missing; else empty.
std::string lossOf(const PrivateCopy& copy);

}  // namespace fdmortem
