#include "analyze/import/limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <new>
#include <stdexcept>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

namespace fdmortem {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kLeastMemoryBytes = 512 * kMiB;
constexpr uint64_t kMemoryFactor = 100;
constexpr uint64_t kMostMemoryBytes = 4096 * kMiB;
constexpr std::chrono::seconds kLeastTime{8};
constexpr std::chrono::seconds kTimePerMiB{5};
/// More than anybody waits, and little enough to be counted in nanoseconds.
constexpr std::chrono::hours kMostTime{24 * 3660};
/// For what is not SQLite's: the program itself and what it makes of rows.
constexpr uint64_t kOutsideSqliteBytes = 32 * kMiB;
/// Some hundred microseconds of work.
constexpr int kStepsBetweenChecks = 10'000;

/// Of this process; what the machine does meanwhile does not count.
std::chrono::nanoseconds cpuTime() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

void limitMemory(uint64_t bytes) {
  // SQLite says so itself when its part is used up; the kernel holds all the rest to it.
  sqlite3_hard_heap_limit64(
      static_cast<sqlite3_int64>(std::max(bytes, 2 * kOutsideSqliteBytes) - kOutsideSqliteBytes));
#ifndef FDMORTEM_SANITIZED  // whose shadow memory counts too
  rlimit limit{};
  if (getrlimit(RLIMIT_DATA, &limit) != 0) return;
  static const rlim_t kAllowed = limit.rlim_cur;  // by whoever started this program
  limit.rlim_cur = std::min<rlim_t>(bytes, kAllowed);
  setrlimit(RLIMIT_DATA, &limit);
#endif
}

}  // namespace

Limits::Limits(const LimitOptions& options, uint64_t archive_bytes)
    : memory_bytes(options.memory_bytes.value_or(
          std::min(kLeastMemoryBytes + kMemoryFactor * std::min(archive_bytes, kMostMemoryBytes),
                   kMostMemoryBytes))),
      time(std::min<std::chrono::milliseconds>(
          kMostTime, options.time.value_or(
                         kLeastTime + kTimePerMiB * static_cast<int64_t>(archive_bytes / kMiB)))) {}

bool isLimit(const SQLite::Exception& error) {
  return error.getErrorCode() == SQLITE_INTERRUPT || error.getErrorCode() == SQLITE_NOMEM;
}

LimitGuard::LimitGuard(const Limits& limits) : limits_(limits), deadline_(cpuTime() + limits.time) {
  limitMemory(limits.memory_bytes);
}

void LimitGuard::watch(SQLite::Database& database) {
  sqlite3_progress_handler(
      database.getHandle(), kStepsBetweenChecks,
      [](void* guard) { return static_cast<const LimitGuard*>(guard)->isOver() ? 1 : 0; }, this);
}

bool LimitGuard::isOver() const {
  return is_ended_ || cpuTime() > deadline_;
}

void LimitGuard::check() const {
  if (isOver()) throw SQLite::Exception("interrupted", SQLITE_INTERRUPT);
}

std::string LimitGuard::reasonOf(const std::exception& error) const {
  const auto* of_sqlite = dynamic_cast<const SQLite::Exception*>(&error);
  const int code = of_sqlite != nullptr ? of_sqlite->getErrorCode() : SQLITE_OK;
  if (code == SQLITE_INTERRUPT) {
    return fmt::format("takes more than {:g} s of CPU time; --max-time allows more",
                       std::chrono::duration<double>(limits_.time).count());
  }
  if (code == SQLITE_NOMEM || dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return fmt::format("takes more than {} MiB of memory; --max-memory allows more",
                       limits_.memory_bytes / kMiB);
  }
  return error.what();
}

}  // namespace fdmortem
