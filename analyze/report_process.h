// The part of a report that tells of single processes.
#pragma once

#include <vector>

#include "analyze/report.h"

namespace fdmortem {

/// All processes of an archive, by pid. Throws std::runtime_error.
std::vector<ProcessReport> describeProcesses(const Analysis& analysis);

}  // namespace fdmortem
