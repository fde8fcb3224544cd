// The signals that end the demo: SIGTERM and SIGINT.
#pragma once

#include "schema/file_handle.h"

namespace fdmortem::demo {

/// Blocks them in this thread. A non-blocking signalfd(2) that is readable when one came. Throws
/// std::system_error.
FileHandle makeEndSignalFd();

}  // namespace fdmortem::demo
