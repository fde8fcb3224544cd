// The formats of a report. Each is a function of its value alone.
#pragma once

#include <string>

#include "analyze/report.h"

namespace fdmortem {

/// For a terminal or a mail: what happened in the first three lines, then the rest.
std::string renderReportText(const Report& report);

/// The keys of README.md, report_version 1.
std::string renderReportJson(const Report& report);

}  // namespace fdmortem
