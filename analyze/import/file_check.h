// Whether the file of an archive is whole, and its SHA-256: worked out while its rows are read.
#pragma once

#include <future>
#include <string>

#include "analyze/import/limits.h"

namespace fdmortem {

/// Reads a private copy from its first page to its last in a thread of its own, with a connection
/// of its own; where no thread can be had, in that of who asks. As soon as damage is found
/// `limits` are over for everybody: whatever reads the rows meanwhile ends.
class FileCheck {
 public:
  /// Begins. `limits` outlive this object, and nobody writes to `path`, which was opened once.
  FileCheck(std::string path, LimitGuard& limits);
  /// Waits for the end.
  ~FileCheck() = default;
  FileCheck(const FileCheck&) = delete;
  FileCheck& operator=(const FileCheck&) = delete;

  /// Waits for the end; once. Returns the SHA-256 in hexadecimal digits. Throws what SQLite found
  /// wrong with the file (std::runtime_error, one line), that a limit was reached while it looked
  /// (SQLite::Exception), or what hindered reading (std::system_error).
  std::string finish() { return result_.get(); }

 private:
  std::future<std::string> result_;
};

}  // namespace fdmortem
