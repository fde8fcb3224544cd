#include "analyze/report_command.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <system_error>

#include <fmt/core.h>

#include "analyze/archives.h"
#include "analyze/report_render.h"
#include "schema/archive_file.h"

namespace fdmortem {

namespace {

/// A slip in the order of arguments must not cost the evidence.
void refuseArchive(const std::string& output) {
  if (!output.empty() && readArchiveHeader(output)) {
    throw UsageError(fmt::format("{}: is an archive; the report would take its place", output));
  }
}

}  // namespace

int runReport(const ReportOptions& options) {
  refuseArchive(options.output);
  Report report;
  const int status =
      forEachArchive(options.databases, options.analysis, false,
                     [&](const Analysis& analysis) { addToReport(analysis, report); });
  sortReport(report);
  const std::string text =
      options.format == ReportFormat::Json ? renderReportJson(report) : renderReportText(report);
  if (options.output.empty()) {
    fmt::print("{}", text);
    return status;
  }
  std::ofstream file(options.output, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw std::system_error(errno, std::generic_category(), options.output);
  return status;
}

}  // namespace fdmortem
