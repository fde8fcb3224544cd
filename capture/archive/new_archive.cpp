#include "capture/archive/new_archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include "schema/archive_file.h"
#include "schema/file_handle.h"

namespace fdmortem {
namespace {

[[noreturn]] void fail(const std::string& path) {
  throw std::system_error(errno, std::generic_category(), path);
}

bool exists(const std::string& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0;
}

/// The bytes of an archive without rows.
std::string emptyArchive() {
  SQLite::Database database(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec(fmt::format("PRAGMA page_size = {}", kPageBytes));
  // Where snapshots are dropped the file can become smaller again.
  database.exec("PRAGMA auto_vacuum = INCREMENTAL");
  SQLite::Transaction transaction(database);
  createArchiveTables(database);
  transaction.commit();
  sqlite3_int64 size = 0;
  const std::unique_ptr<unsigned char, decltype(&sqlite3_free)> bytes(
      sqlite3_serialize(database.getHandle(), "main", &size, 0), sqlite3_free);
  if (!bytes) throw std::bad_alloc();
  std::string text(reinterpret_cast<const char*>(bytes.get()), static_cast<size_t>(size));
  // In write-ahead mode from the start (https://www.sqlite.org/fileformat2.html, 1.3.3): to go over
  // to it later takes a -journal for a moment.
  text[18] = text[19] = 2;
  return text;
}

void writeAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t length = write(fd, text.data(), text.size());
    if (length < 0 && errno != EINTR) fail(path);
    text.remove_prefix(static_cast<size_t>(std::max<ssize_t>(length, 0)));
  }
}

/// Fails if there is a file `to`.
int renameToFreeName(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL) return -1;  // NFS, for instance, can't; links it has
  if (link(from.c_str(), to.c_str()) != 0) return -1;
  return unlink(from.c_str());
}

void syncFolderOf(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  const FileHandle handle(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle || fsync(handle.get()) != 0) fail(folder);
}

}  // namespace

void failToMake(const std::string& path) {
  const int error = errno;
  const auto folder = std::filesystem::path(path).parent_path().string();
  if (error == ENOENT && !folder.empty() && !exists(folder)) {
    throw std::runtime_error(fmt::format("{}: there is no folder {}", path, folder));
  }
  throw std::system_error(error, std::generic_category(), path);
}

bool makeArchive(const std::string& path) {
  if (exists(path)) return false;
  for (const char* suffix : {"-wal", "-journal"}) {
    if (exists(path + suffix)) {
      throw std::runtime_error(fmt::format(
          "{}: there is a {}{}, but not the archive to which it belongs", path, path, suffix));
    }
  }
  std::string partial = path + ".partial-XXXXXX";
  const FileHandle file(mkostemp(partial.data(), O_CLOEXEC));
  if (!file) failToMake(path);
  try {
    writeAll(file.get(), emptyArchive(), path);
    if (fsync(file.get()) != 0 || renameToFreeName(partial, path) != 0) fail(path);
  } catch (...) {
    unlink(partial.c_str());
    throw;
  }
  syncFolderOf(path);
  return true;
}

}  // namespace fdmortem
