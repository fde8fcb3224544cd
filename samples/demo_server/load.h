// The clients of a server: by the clock or by command.
#pragma once

#include "samples/demo_server/options.h"

namespace fdmortem::demo {

/// The subcommand. Failing connections are counted; the summary goes to stdout.
int load(const LoadOptions& options);

}  // namespace fdmortem::demo
