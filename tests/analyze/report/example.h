// Reports for the tests of what they say and of their formats.
#pragma once

#include <string>

#include "analyze/report/report.h"

namespace fdmortem::test {

/// A process that leaks, with one of everything that a report can hold.
Report leakReport();

/// The same with this text wherever a name from outside can be.
Report reportWith(const std::string& text);

/// The only process of leakReport().
ProcessReport leakingProcess();

}  // namespace fdmortem::test
