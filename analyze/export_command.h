// fdanalyze export.
#pragma once

#include "analyze/options.h"

namespace fdmortem {

/// Writes what `fdanalyze sql` offers, of one archive after the other, for other programs. The
/// output appears whole or not at all, and never takes the place of anything. Returns the exit
/// status. Throws std::runtime_error or std::system_error, one line.
int runExport(const ExportOptions& options);

}  // namespace fdmortem
