#include <unistd.h>

#include <exception>
#include <variant>

#include <fmt/core.h>

#include "capture/copy.h"
#include "capture/messages.h"
#include "capture/options.h"
#include "capture/recorder.h"
#include "schema/command_line/exit_status.h"
#include "schema/command_line/standard_streams.h"
#include "schema/printable.h"

namespace {

int run(const fdmortem::RecordOptions& options) {
  return fdmortem::record(options);
}
int run(const fdmortem::CopyOptions& options) {
  return fdmortem::copyArchive(options);
}
int run(int exit_status) {
  return exit_status;
}

}  // namespace

int main(int argc, char** argv) {
  fdmortem::occupyStandardStreams();
  try {
    const int status = std::visit([](const auto& command) { return run(command); },
                                  fdmortem::parseCaptureOptions(argc, argv));
    fdmortem::finishStandardOutput();
    return status;
  } catch (const std::exception& error) {
    // Who has no reader must not hang at the end.
    constexpr int kPatienceMs = 2000;
    fdmortem::writeUnlessBlocked(STDERR_FILENO,
                                 fmt::format("fdcapture: {}\n", fdmortem::printable(error.what())),
                                 kPatienceMs);
    return fdmortem::kFailed;
  }
}
