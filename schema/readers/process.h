// Readers of what /proc/PID says of a process.
#pragma once

#include <string_view>
#include <vector>

#include "schema/readers/result.h"
#include "schema/records.h"

namespace fdmortem {

/// /proc/PID/stat, fs/proc/array.c do_task_stat(). comm is between the first '(' and the last ')':
/// it may itself hold parentheses, spaces and newlines. An error without the newline at the end (it
/// is cut) and where comm is over 63 bytes, the kernel's buffer (two texts run together).
Parsed<ProcessStat> parseProcessStat(std::string_view text);

/// /proc/PID/status: its `Uid:` line (real, effective, saved, file system).
Parsed<ProcessStatus> parseProcessStatus(std::string_view text);

/// /proc/PID/limits, fs/proc/base.c proc_pid_limits(): columns of fixed width under a header line.
/// An error where the header is another or a line is cut, since a limit that is missing must not
/// look like one that the kernel does not have.
Parsed<std::vector<Limit>> parseLimits(std::string_view text);

/// /proc/PID/cgroup (cgroups(7)): the first path other than "/", of the unified hierarchy
/// ("0::PATH"), else of a named one ("1:name=systemd:PATH"), else of the others in the kernel's
/// order; "/" if there is none. Raw bytes without the newline. A text that is empty or cut is an
/// error.
Parsed<std::string> parseCgroup(std::string_view text);

/// A namespace link such as `net:[4026531840]`: its inode number.
Parsed<uint64_t> parseNamespaceLink(std::string_view link);

}  // namespace fdmortem
