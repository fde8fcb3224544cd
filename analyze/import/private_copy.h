// A copy of an archive that only this program sees.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analyze/temporary.h"

namespace fdmortem {

/// An archive and its -wal, if there is one, copied into a new directory that goes with this
/// object, see Temporary. The original is only read: nothing that SQLite does to a database, not
/// even an empty -shm, happens to it.
class PrivateCopy {
 public:
  /// Throws std::runtime_error or std::system_error, one line with the path: `path` is no archive,
  /// has a -journal beside it, or changes all the time.
  /// With `is_salvage` one that is cut is taken too.
  explicit PrivateCopy(const std::string& path, bool is_salvage = false);

  const std::string& path() const { return path_; }
  /// The archive is in write-ahead mode: it is being recorded, or the recorder did not end.
  bool isWal() const { return is_wal_; }
  /// A -wal was there.
  bool hasWal() const { return has_wal_; }
  /// Of the file itself, without a -wal.
  int64_t fileBytes() const { return file_bytes_; }
  /// How many are missing at its end.
  int64_t missingBytes() const { return missing_bytes_; }
  /// "the file is cut: 4096 of 8192 bytes are there"; empty: nothing is missing.
  std::string cutInWords() const;
  /// Puts zeros in place of what is missing: SQLite opens no file that is shorter than its header
  /// says. A page of zeros is none that it takes for one of a table.
  void fill() const;

 private:
  void copy(const std::string& path, const std::string& from);

  std::optional<Temporary> folder_;
  std::string path_;
  bool is_wal_ = false;
  bool has_wal_ = false;
  int64_t file_bytes_ = 0;
  int64_t missing_bytes_ = 0;
};

}  // namespace fdmortem
