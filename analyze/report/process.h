// The part of a report that tells of single processes.
#pragma once

#include <vector>

#include "analyze/report/report.h"

namespace fdmortem {

/// Processes of an archive, by pid: those whose process.id is in `wanted`, which is sorted. Throws
/// std::runtime_error. `on_progress` may be empty.
std::vector<ProcessReport> describeProcesses(const Analysis& analysis,
                                             const std::vector<int64_t>& wanted,
                                             const OnProgress& on_progress);

}  // namespace fdmortem
