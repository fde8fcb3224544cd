// fdanalyze report.
#pragma once

#include "analyze/options.h"

namespace fdmortem {

/// Writes the report. Returns the exit status. Throws std::runtime_error or std::system_error, one
/// line.
int runReport(const ReportOptions& options);

}  // namespace fdmortem
