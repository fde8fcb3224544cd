// The formats of a report. Each is a function of its value alone. Whatever bytes the value holds,
// they are shown as text and do nothing.
#pragma once

#include <cstddef>
#include <string>

#include "analyze/report/report.h"

namespace fdmortem {

struct TextStyle {
  size_t width = 100;       ///< columns
  bool has_colour = false;  ///< ANSI escape sequences
};

/// For a terminal or a mail: what happened in the first lines, then the rest.
std::string renderReportText(const Report& report, const TextStyle& style = {});

/// For a ticket: CommonMark with tables, no HTML.
std::string renderReportMarkdown(const Report& report);

/// One page that needs nothing else: no script, nothing to load, and a policy that forbids both.
std::string renderReportHtml(const Report& report);

/// The keys of README.md, report_version 1; schema/report.schema.json describes them.
std::string renderReportJson(const Report& report);

}  // namespace fdmortem
