// The command line of fdcapture.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "capture/collect/selection.h"
#include "capture/redaction.h"

namespace fdmortem {

/// Whether a line on stderr is kept up to date.
enum class ProgressMode { Auto, Always, Never };

struct RecordOptions {
  std::string output;
  Selection selection;
  std::chrono::milliseconds interval{10'000};
  std::optional<uint64_t> count;                      ///< snapshots
  std::optional<std::chrono::milliseconds> duration;  ///< with neither, until a signal
  std::optional<std::string> note;
  std::optional<std::chrono::milliseconds> keep;  ///< older snapshots are dropped
  std::optional<uint64_t> max_size_bytes;         ///< of the archive and what lies beside it
  uint64_t max_memory_bytes = uint64_t{1} << 30;
  std::optional<int> max_cpu_percent;      ///< of one CPU
  std::optional<int> burst_above_percent;  ///< of a process's soft limit
  std::chrono::milliseconds burst_interval{1'000};
  Redaction redaction;
  ProgressMode progress = ProgressMode::Auto;
  bool with_autopsies = true;
  bool keeps_texts = true;
  bool keeps_environ = false;
  std::string proc_root = "/proc";
  bool quiet = false;
  bool verbose = false;
  std::vector<std::string> arguments;  ///< as they were given, for the archive
};

struct CopyOptions {
  std::string from;
  std::string to;
  std::optional<int64_t> from_ns;  ///< wall clock; the copy begins at the keyframe at or before it
  std::optional<int64_t> to_ns;    ///< and ends at the last snapshot that is not after it
  Redaction redaction;
  bool quiet = false;
};

/// What to do; a number is an exit status with which all is said and done (--help, wrong usage).
using CaptureCommand = std::variant<RecordOptions, CopyOptions, int>;

/// Prints help and usage errors itself.
CaptureCommand parseCaptureOptions(int argc, const char* const* argv);

}  // namespace fdmortem
