// What a report as a page says of one process: facts, charts with their data, tables.
#pragma once

#include <string>

#include "analyze/report/report.h"

namespace fdmortem {

/// HTML without the heading. `id` begins the ids of its elements and is a word of letters and
/// digits.
std::string processElement(const Report& report, const ProcessReport& process,
                           const std::string& id);

}  // namespace fdmortem
