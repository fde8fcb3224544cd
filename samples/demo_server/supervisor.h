// Keeps a server running.
#pragma once

#include "samples/demo_server/options.h"

namespace fdmortem::demo {

/// The subcommand: starts the server, and starts it again on the same port whenever it fails. Ends
/// when the server ended without failure or on SIGTERM or SIGINT, after the server.
int supervise(const SuperviseOptions& options);

}  // namespace fdmortem::demo
