#include "analyze/report_command.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <system_error>

#include <fmt/core.h>

#include "analyze/archives.h"
#include "analyze/report_render.h"
#include "schema/archive_file.h"

namespace fdmortem {

namespace {

/// What the terminal takes, if it is one.
TextStyle styleOf(const ReportOptions& options) {
  TextStyle style;
  if (!options.output.empty() || ::isatty(STDOUT_FILENO) == 0) return style;
  constexpr size_t kNarrowest = 60;
  constexpr size_t kWidest = 140;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    style.width = std::clamp<size_t>(size.ws_col, kNarrowest, kWidest);
  }
  // https://no-color.org: set and not empty.
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool is_dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  style.has_colour = (no_color == nullptr || *no_color == '\0') && !is_dumb;
  return style;
}

/// A slip in the order of arguments must not cost the evidence.
void refuseArchive(const std::string& output) {
  if (!output.empty() && readArchiveHeader(output)) {
    throw UsageError(fmt::format("{}: is an archive; the report would take its place", output));
  }
}

std::string render(const Report& report, const ReportOptions& options) {
  switch (options.format) {
    case ReportFormat::Json:
      return renderReportJson(report);
    case ReportFormat::Markdown:
      return renderReportMarkdown(report);
    case ReportFormat::Html:
      return renderReportHtml(report);
    case ReportFormat::Text:
      break;
  }
  return renderReportText(report, styleOf(options));
}

}  // namespace

int runReport(const ReportOptions& options) {
  refuseArchive(options.output);
  Report report;
  const int status =
      forEachArchive(options.databases, options.analysis, false,
                     [&](const Analysis& analysis) { addToReport(analysis, report); });
  sortReport(report);
  const std::string text = render(report, options);
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
