// What a report says in its first lines.
#pragma once

#include <string>
#include <vector>

#include "analyze/report/report.h"

namespace fdmortem {

struct Summary {
  std::string verdict;                ///< one sentence without its full stop
  std::vector<Statement> statements;  ///< what it rests on, what follows and what is not known
};

/// The verdict on a sorted report: on its first process in detail, on others by their findings.
Summary summarize(const Report& report);

/// "Observed", "Inferred", "Not known", "To do".
std::string wordOf(Statement::Basis basis);

}  // namespace fdmortem
