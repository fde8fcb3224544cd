// What one archive may cost the laptop that reads it, however it was made.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace SQLite {
class Database;
class Exception;
}  // namespace SQLite

namespace fdmortem {

/// What was asked for; empty: it goes by the size of the archive.
struct LimitOptions {
  std::optional<uint64_t> memory_bytes;           ///< --max-memory
  std::optional<std::chrono::milliseconds> time;  ///< --max-time
};

/// The limits for an archive of so many bytes: memory 512 MiB and 100 times the size, 4 GiB at
/// most; CPU time 8 s and 5 s for each MiB.
struct Limits {
  Limits(const LimitOptions& options, uint64_t archive_bytes);

  uint64_t memory_bytes;
  std::chrono::milliseconds time;
};

/// Whether a statement ended because of a limit, and not because of what it read.
bool isLimit(const SQLite::Exception& error);

/// Holds this process to limits from its making on. The memory is that of the whole process, the
/// time is CPU time. One at a time; a later one takes the place of an earlier one.
class LimitGuard {
 public:
  explicit LimitGuard(const Limits& limits);
  LimitGuard(const LimitGuard&) = delete;
  LimitGuard& operator=(const LimitGuard&) = delete;

  /// Statements on `database` end when the time is over. This object must outlive them.
  void watch(SQLite::Database& database);
  /// Throws std::runtime_error, one line, when the time is over.
  void check() const;
  /// From now on the time is over. Any thread may say so.
  void end() { is_ended_ = true; }
  /// What to say of an exception: which limit was reached, or else its own text.
  std::string reasonOf(const std::exception& error) const;

 private:
  bool isOver() const;

  Limits limits_;
  std::chrono::nanoseconds deadline_;  ///< of CPU time
  std::atomic<bool> is_ended_ = false;
};

}  // namespace fdmortem
