// Network namespaces of a test's own.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace fdmortem::test {

/// Moves the calling process into a new network namespace, with its loopback interface up. Throws
/// std::system_error. Only in an Actor: the test itself stays where it is.
void enterNewNetns();

/// Likewise, into one whose TCP tables are read in no time: nobody else fills them, and where the
/// kernel can (Linux 6.1) they are small. In a host's large ones what lives shortly is gone before
/// it is asked.
void enterSmallNetns();

/// Moves the calling process into the network namespace of another one. Throws std::system_error.
void joinNetns(pid_t pid);

/// Why no network namespace can be made here; empty if it can.
std::optional<std::string> whyNoNetns();

}  // namespace fdmortem::test
