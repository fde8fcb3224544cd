#include <cstdio>
#include <exception>
#include <new>
#include <variant>

#include <fmt/core.h>

#include "analyze/archives.h"
#include "analyze/check/check.h"
#include "analyze/export_command.h"
#include "analyze/listings.h"
#include "analyze/options.h"
#include "analyze/report/command.h"
#include "analyze/show_command.h"
#include "analyze/temporary.h"
#include "schema/command_line/exit_status.h"
#include "schema/command_line/standard_streams.h"
#include "schema/printable.h"

namespace {

int run(const fdmortem::ListingOptions& options) {
  return fdmortem::runListing(options);
}
int run(const fdmortem::ReportOptions& options) {
  return fdmortem::runReport(options);
}
int run(const fdmortem::CheckOptions& options) {
  return fdmortem::runCheck(options);
}
int run(const fdmortem::ExportOptions& options) {
  return fdmortem::runExport(options);
}
int run(const fdmortem::ShowOptions& options) {
  return fdmortem::runShow(options);
}
int run(int exit_status) {
  return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  fdmortem::occupyStandardStreams();
  fdmortem::removeTemporariesAtSignals();
  try {
    const int status = std::visit([](const auto& command) { return run(command); },
                                  fdmortem::parseAnalyzeOptions(argc, argv));
    fdmortem::finishStandardOutput();
    return status;
  } catch (const fdmortem::UsageError& error) {
    fmt::print(stderr, "fdanalyze: {}\n", fdmortem::printable(error.what()));
    return fdmortem::kWrongUsage;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "fdanalyze: takes more memory than is allowed; --max-memory allows more\n");
    return fdmortem::kFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "fdanalyze: {}\n", fdmortem::printable(error.what()));
    return fdmortem::kFailed;
  }
}
