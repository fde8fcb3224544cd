// The numbers of ioprio_get(2) and ioprio_set(2), for which the C library has no names.
//
// The kernel's own <linux/ioprio.h> can't be had: in newer versions of Debian 12's linux-libc-dev
// it names a parameter `class`.
#pragma once

namespace fdmortem::io_priority {

inline constexpr int kWhoProcess = 1;

inline constexpr int kBestEffortClass = 2;
inline constexpr int kIdleClass = 3;

/// Of the best-effort class, from 0, which is served first.
inline constexpr int kLastLevel = 7;

/// The value of a class and a level in it, and back.
constexpr int valueOf(int io_class, int level) {
  return io_class << 13 | level;
}
constexpr int classOf(int value) {
  return value >> 13 & 7;
}
constexpr int levelOf(int value) {
  return value & 7;
}

}  // namespace fdmortem::io_priority
