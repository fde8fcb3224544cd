// Reads the socket tables of a network namespace, through a process that lives in it.
#pragma once

#include <optional>
#include <vector>

#include "capture/collect/failure_log.h"
#include "capture/collect/proc_source.h"
#include "capture/collect/text_log.h"
#include "capture/snapshot.h"

namespace fdmortem {

/// Reads all tables of `netns` through the first of `processes` that still lives in it afterwards.
/// Empty if all of them have ended. If some have not and none could be used, every table's status
/// is Failed: rows of which nobody knows the namespace are worse than none.
std::optional<NetnsRecord> readNetns(const ProcSource& source, uint64_t netns,
                                     const std::vector<ProcessIdentity>& processes, TextLog& texts,
                                     FailureLog& failures);

/// Reads tcp and tcp6 of `netns` once more. Empty if that was not possible.
struct TcpTables {
  std::vector<InetRow> tcp;
  std::vector<InetRow> tcp6;
};
std::optional<TcpTables> readTcpTables(const ProcSource& source, uint64_t netns,
                                       const std::vector<ProcessIdentity>& processes,
                                       TextLog& texts);

}  // namespace fdmortem
