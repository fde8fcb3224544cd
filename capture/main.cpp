#include <cstdio>
#include <exception>
#include <variant>

#include <fmt/core.h>

#include "capture/copy.h"
#include "capture/options.h"
#include "capture/recorder.h"
#include "schema/printable.h"
#include "schema/standard_streams.h"

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
    return std::visit([](const auto& command) { return run(command); },
                      fdmortem::parseCaptureOptions(argc, argv));
  } catch (const std::exception& error) {
    fmt::print(stderr, "fdcapture: {}\n", fdmortem::printable(error.what()));
    return 1;
  }
}
