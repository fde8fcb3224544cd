#include "analyze/report_command.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include <fmt/core.h>

#include "analyze/report_render.h"

namespace fdmortem {

int runReport(const ReportOptions& options) {
  Report report;
  for (const std::string& path : options.databases) {
    addToReport(Analysis(path, options.analysis), report);
  }
  sortReport(report);
  const std::string text =
      options.format == ReportFormat::Json ? renderReportJson(report) : renderReportText(report);
  if (options.output.empty()) {
    fmt::print("{}", text);
    return 0;
  }
  std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw std::system_error(errno, std::generic_category(), options.output);
  return 0;
}

}  // namespace fdmortem
