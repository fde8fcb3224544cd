// The signals that end a recording, as events to wait for.
#pragma once

#include <signal.h>

#include <cstdint>

namespace fdmortem {

/// From its making on SIGINT, SIGTERM and SIGHUP do nothing but be waited for: a snapshot that has
/// begun is always finished.
class StopSignals {
 public:
  StopSignals();

  /// Waits until CLOCK_BOOTTIME says `deadline_ns`. Returns the name of the signal that came first,
  /// or null.
  const char* waitUntil(int64_t deadline_ns) const;

 private:
  sigset_t signals_{};
};

}  // namespace fdmortem
