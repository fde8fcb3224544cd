// Reads what a snapshot holds of one process.
#pragma once

#include <optional>

#include "capture/collect/failure_log.h"
#include "capture/collect/known_mounts.h"
#include "capture/collect/proc_source.h"
#include "capture/collect/selection.h"
#include "capture/collect/text_log.h"
#include "capture/snapshot.h"

namespace fdmortem {

/// Reads what a process is and which limits it has; where `opened` is null it is opened first.
/// Empty if it has ended. With no right to look at it, or no descriptor left to do it, it is there
/// with what could be read and the rest is in `failures`.
std::optional<ProcessRecord> readProcess(const ProcSource& source, const ProcessIdentity& identity,
                                         const SelectedProcess* opened, TextLog& texts,
                                         FailureLog& failures);

/// Lists its fds and reads each fdinfo and link into `process`; a link that `mounts` tells is not
/// read. `previous` is the same process in
/// the snapshot before, or null: what a file is and which protocol a socket has is taken over from
/// there for fds that did not change. Returns false if the process ended meanwhile; what was read
/// is half then.
bool readFds(const ProcSource& source, const KnownMounts& mounts, const ProcessRecord* previous,
             ProcessRecord& process, TextLog& texts, FailureLog& failures);

/// The directory through which a process's files are read: its own, or that of a thread that still
/// runs if the main thread has ended (then /proc/PID/fd is empty though the fds are open).
FileHandle filesDirectory(const SelectedProcess& process);

}  // namespace fdmortem
