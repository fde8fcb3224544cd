// The charts of a report as SVG elements. Each is empty where there is nothing to draw. `id` is
// unique in the page. What they show is also in tables: see report_tables.h.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "analyze/report/report.h"

namespace fdmortem {

/// The number of fds against the soft limit, with restarts and marks.
std::string fdsChart(const std::string& id, const Report& report, const ProcessReport& process);

/// Parts stacked over time: kinds, or verdicts. `parts` have one count for each of the process's
/// `counts`; the classes of their colours are `class_prefix` and the place or the name.
struct StackedPart {
  std::string name;
  std::string css_class;
  std::vector<int64_t> counts;
};
std::string stackedChart(const std::string& id, const Report& report, const ProcessReport& process,
                         const std::vector<StackedPart>& parts, std::string_view title);

/// The kinds, most first, the rest of more than seven as one.
std::vector<StackedPart> kindParts(const ProcessReport& process);
/// The verdicts, what is wrong at the bottom.
std::vector<StackedPart> verdictParts(const ProcessReport& process);

/// When the fds that outlived their connections were open, with and without them.
std::string lifetimesChart(const std::string& id, const Report& report,
                           const ProcessReport& process);

/// When the dead sockets last carried data, also before the recording.
std::string lastDataChart(const std::string& id, const Report& report,
                          const ProcessReport& process);

}  // namespace fdmortem
