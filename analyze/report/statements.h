// What the first lines of a report say of one process.
#pragma once

#include <string>
#include <vector>

#include "analyze/report/report.h"

namespace fdmortem {

/// What the verdict on a process rests on, what follows and what is not known, in this order.
std::vector<Statement> statementsOn(const Report& report, const ProcessReport& process);

/// With a capital first letter: a title as a sentence.
std::string capitalized(std::string text);

}  // namespace fdmortem
