// fdcapture copy.
#pragma once

#include "capture/options.h"

namespace fdmortem {

/// Makes a consistent copy of an archive as one sealed file (no -wal), also while it is being
/// recorded, and prints its SHA-256 on stdout. The copy appears under its name only when it is
/// whole. Throws std::runtime_error, one line with the path. Returns the exit status.
int copyArchive(const CopyOptions& options);

}  // namespace fdmortem
