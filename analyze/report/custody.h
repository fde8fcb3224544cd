// Where a report's archives come from: who recorded them, how, and what they can be told by.
#pragma once

#include <string>
#include <vector>

#include "analyze/report/report.h"

namespace fdmortem {

/// Of one archive, a sentence or two each, to be escaped for the format of the report: the host;
/// each recording with who made it, when, how, and what of it was left out; the head of the hash
/// chain. All but the file's name and its SHA-256.
std::vector<std::string> custodyOf(const Report& report, const DatabaseReport& database);

}  // namespace fdmortem
