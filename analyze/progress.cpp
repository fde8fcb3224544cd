#include "analyze/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include <fmt/core.h>

#include "schema/printable.h"

namespace fdmortem {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr const char* kClear = "\r\033[K";

}  // namespace

ProgressLine::ProgressLine(std::string path, Write write, Now now)
    : path_(std::move(path)), write_(std::move(write)), now_(std::move(now)), started_(now_()) {}

ProgressLine::~ProgressLine() {
  if (!shown_.empty()) write_(kClear);
}

void ProgressLine::show(std::string_view stage, int percent) {
  if (now_() - started_ < kPatience) return;
  std::string line = fmt::format("fdanalyze: {}: {} {} %", printable(path_), stage, percent);
  if (line == shown_) return;
  write_(kClear + line);
  shown_ = std::move(line);
}

ProgressLine::Write writeToTerminal() {
  if (isatty(STDERR_FILENO) == 0) return [](const std::string&) {};
  return [](const std::string& text) {
    fmt::print(stderr, "{}", text);
    std::fflush(stderr);
  };
}

}  // namespace fdmortem
