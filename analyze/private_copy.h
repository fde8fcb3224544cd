// A copy of an archive that only this program sees.
#pragma once

#include <string>

namespace fdmortem {

/// An archive and its -wal, if there is one, copied into a new directory that goes with this
/// object. The original is only read: nothing that SQLite does to a database, not even an empty
/// -shm, happens to it.
class PrivateCopy {
 public:
  /// Throws std::runtime_error or std::system_error, one line with the path: `path` is no archive,
  /// has a -journal beside it, or changes all the time.
  explicit PrivateCopy(const std::string& path);
  ~PrivateCopy();
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;

  const std::string& path() const { return path_; }
  /// The archive is in write-ahead mode: it is being recorded, or the recorder did not end.
  bool isWal() const { return is_wal_; }
  /// A -wal was there.
  bool hasWal() const { return has_wal_; }

 private:
  void copy(const std::string& from);

  std::string folder_;
  std::string path_;
  bool is_wal_ = false;
  bool has_wal_ = false;
};

}  // namespace fdmortem
