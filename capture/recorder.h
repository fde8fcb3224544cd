// The interval loop of fdcapture record.
#pragma once

#include "capture/options.h"

namespace fdmortem {

/// Records until what was asked for is done, the selected processes have ended, or SIGINT,
/// SIGTERM or SIGHUP comes. Returns the exit status: 0, or 3 if part of what was asked could not be
/// read. Throws what it can't go on from; every snapshot that was taken by then is in the archive.
int record(const RecordOptions& options);

}  // namespace fdmortem
