// The part of the text report that tells of one process.
#pragma once

#include "analyze/report/report.h"
#include "analyze/report/text_writer.h"

namespace fdmortem {

void writeProcess(const Report& report, const ProcessReport& process, TextWriter& writer);

}  // namespace fdmortem
