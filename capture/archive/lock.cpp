#include "capture/archive/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <system_error>

#include <SQLiteCpp/Column.h>
#include <SQLiteCpp/Database.h>
#include <fmt/core.h>

#include "capture/archive/new_archive.h"
#include "schema/archive_file.h"

namespace fdmortem {
namespace {

/// flock() does not tell who has a lock, a POSIX lock does: on a byte that no database of SQLite
/// reaches.
struct flock recorderMark() {
  return {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = int64_t{1} << 62, .l_len = 1};
}

[[noreturn]] void refuseSecondRecorder(const FileHandle& file, const std::string& path) {
  auto mark = recorderMark();
  const bool is_known =
      fcntl(file.get(), F_GETLK, &mark) == 0 && mark.l_type != F_UNLCK && mark.l_pid > 0;
  const std::string who =
      is_known ? fmt::format("fdcapture with pid {}", mark.l_pid) : "another fdcapture";
  throw std::runtime_error(fmt::format("{}: {} is recording into it", path, who));
}

}  // namespace

FileHandle openExclusively(const std::string& path) {
  if (!makeArchive(path)) {
    const auto header = readArchiveHeader(path);
    if (!header) {
      throw std::runtime_error(
          fmt::format("{}: {}; -o takes a free name or an archive", path, header.error()));
    }
    if (access((path + "-journal").c_str(), F_OK) == 0) {
      throw std::runtime_error(
          fmt::format("{}: there is a {}-journal, which no fdcapture leaves behind", path, path));
    }
  }
  FileHandle file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file) throw std::system_error(errno, std::generic_category(), path);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) throw std::system_error(errno, std::generic_category(), path);
    refuseSecondRecorder(file, path);
  }
  return file;
}

void markRecorder(const FileHandle& archive) {
  // Where there are no such locks a second recorder is refused without a name.
  const auto mark = recorderMark();
  fcntl(archive.get(), F_SETLK, &mark);
}

void enterWriteAheadMode(SQLite::Database& database, const std::string& path) {
  database.execAndGet("PRAGMA schema_version");  // until it has read the header it does not know
  if (database.execAndGet("PRAGMA journal_mode").getString() == "wal") return;
  database.exec("PRAGMA journal_mode = OFF");
  if (database.execAndGet("PRAGMA journal_mode = WAL").getString() != "wal") {
    throw std::runtime_error(
        fmt::format("{}: this file system does not allow a write-ahead log", path));
  }
}

void leaveWriteAheadMode(SQLite::Database& database) {
  database.tryExec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.tryExec("PRAGMA journal_mode = OFF");
}

}  // namespace fdmortem
