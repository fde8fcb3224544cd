// The kernel's clocks (clock_gettime(2)).
#pragma once

#include <time.h>

#include <cstdint>

namespace fdmortem {

/// One of those that Linux always has (CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME): for them
/// the call can't fail.
inline int64_t nowNs(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace fdmortem
