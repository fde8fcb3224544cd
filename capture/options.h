// The command line of fdcapture.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "capture/selection.h"

namespace fdmortem {

struct RecordOptions {
  std::string output;
  Selection selection;
  std::chrono::milliseconds interval{10'000};
  std::optional<uint64_t> count;                      ///< snapshots
  std::optional<std::chrono::milliseconds> duration;  ///< with neither, until a signal
  std::optional<std::string> note;
  bool with_autopsies = true;
  std::string proc_root = "/proc";
  bool quiet = false;
  bool verbose = false;
  std::vector<std::string> arguments;  ///< as they were given, for the archive
};

struct CopyOptions {
  std::string from;
  std::string to;
  bool quiet = false;
};

/// What to do; a number is an exit status with which all is said and done (--help, wrong usage).
using CaptureCommand = std::variant<RecordOptions, CopyOptions, int>;

/// Prints help and usage errors itself.
CaptureCommand parseCaptureOptions(int argc, const char* const* argv);

}  // namespace fdmortem
