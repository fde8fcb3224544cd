// `fdanalyze show`: an archived file as it was.
#pragma once

#include "analyze/options.h"

namespace fdmortem {

/// Prints the file, or lists what there is. 0: done; 1: it is not there, said on stderr; 3: done,
/// and what makes it doubtful is said on stderr. Throws as PrivateCopy and ArchiveReader do, and
/// UsageError.
int runShow(const ShowOptions& options);

}  // namespace fdmortem
