// How far the reading of an archive is, for who waits for it at a terminal.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace fdmortem {

/// Takes what is being done and how much of it is done, 0 to 100.
using OnProgress = std::function<void(std::string_view stage, int percent)>;

/// One line that is written over again and again, `fdanalyze: leak.db: reading 40 %`. Nothing is
/// written in the first second, and the line is gone when this object is.
class ProgressLine {
 public:
  using Write = std::function<void(const std::string&)>;
  using Now = std::function<std::chrono::steady_clock::time_point()>;

  ProgressLine(std::string path, Write write, Now now = std::chrono::steady_clock::now);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(std::string_view stage, int percent);

 private:
  std::string path_;
  Write write_;
  Now now_;
  std::chrono::steady_clock::time_point started_;
  std::string shown_;
};

/// Writes to stderr if that is a terminal; else nowhere.
ProgressLine::Write writeToTerminal();

}  // namespace fdmortem
