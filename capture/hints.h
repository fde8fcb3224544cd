// What somebody can do where a recording cannot see what it was asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capture/collect/proc_source.h"
#include "capture/snapshot.h"

namespace fdmortem {

/// Why `source` may have no process `pid`, and what helps: it is hidden, it is the number in
/// another pid namespace, fdcapture itself is in one, or it has ended. One line, never empty. Sends
/// no signal.
std::string hintOnMissingProcess(const ProcSource& source, int32_t pid);

/// Empty if `pid` is a process, else (a thread) whose thread it is and what is recorded of it.
std::string hintOnThread(const ProcSource& source, int32_t pid);

/// The numbers that a process has in the pid namespaces that it is in, from the one of the proc
/// file system to its own: NSpid of /proc/PID/status. Empty if the text has none.
std::vector<int32_t> pidsInNamespaces(const std::string& status);

/// Whether a process has CAP_SYS_PTRACE, to which nothing is hidden (fs/proc/base.c,
/// has_pid_permissions). `status` is the text of /proc/PID/status.
bool maySeeAll(const std::string& status);

/// Whether a proc file system is mounted with hidepid=, so that it does not show others' processes
/// to everybody. `mounts` is the text of /proc/self/mounts.
bool hidesProcesses(const std::string& mounts);

/// Empty if nothing hides the processes of others from fdcapture, else what does and what helps.
std::string hintOnHiddenProcesses(const ProcSource& source);

/// Empty if `failures` are not for want of a right, else which rights these reads take.
std::string hintOnRights(const std::vector<Failure>& failures);

}  // namespace fdmortem
