// Messages on stderr that never hold up a recording.
#pragma once

#include <cstdint>
#include <string_view>

namespace fdmortem {

/// Writes into a descriptor if that can be done at once, or when whoever reads has made room within
/// `wait_ms`. False: not, or not all of it (a full pipe, a terminal that was stopped by Ctrl-S, an
/// error). Uses SIGALRM.
bool writeUnlessBlocked(int fd, std::string_view text, int wait_ms = 0);

/// Whole lines on stderr; those that nobody takes are counted, and told when somebody does.
class Messages {
 public:
  void write(std::string_view lines);
  /// Something that is of no use later, a status line for instance: not counted.
  static void tryWrite(std::string_view text);
  /// A message could not even be put together.
  void addLost() { ++lost_; }

 private:
  uint64_t lost_ = 0;  ///< messages since the last that was written
};

}  // namespace fdmortem
