// What the first lines of a report say of the connections of one process.
#pragma once

#include <vector>

#include "analyze/report/cause.h"
#include "analyze/report/report.h"

namespace fdmortem {

/// What became of its connections, of its other sockets and of what else grows; empty where there
/// is nothing to say.
std::vector<Statement> connectionStatements(const Report& report, const ProcessReport& process,
                                            Cause cause);

}  // namespace fdmortem
