#include "capture/copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <system_error>

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include "capture/archive/chain_writer.h"
#include "capture/archive/drop_snapshots.h"
#include "capture/archive/new_archive.h"
#include "capture/archive/redact_archive.h"
#include "capture/priority.h"
#include "schema/archive_file.h"
#include "schema/file_handle.h"
#include "schema/printable.h"
#include "schema/sha256.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// How long the recorder may hold the archive at a time before the copy gives up.
constexpr int kBusyTimeoutMs = 10'000;
constexpr int kRowsAtATime = 10'000;

/// A file that is removed again unless it is kept.
class TemporaryFile {
 public:
  /// Beside the file that it is to become.
  explicit TemporaryFile(const std::string& to)
      : path_(fmt::format("{}.{}.partial", to, getpid())) {
    const FileHandle file(open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) failToMake(to);
  }
  ~TemporaryFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

  /// Gives it its final name, durably. That name must be free: link(2) never replaces a file.
  void publish(const std::string& name) {
    sync(path_, O_RDWR);
    if (link(path_.c_str(), name.c_str()) != 0) {
      throw std::system_error(errno, std::generic_category(), name);
    }
    const auto folder = std::filesystem::absolute(name).parent_path().string();
    sync(folder, O_RDONLY | O_DIRECTORY);
  }

 private:
  static void sync(const std::string& path, int flags) {
    const FileHandle file(open(path.c_str(), flags | O_CLOEXEC));
    if (!file || fsync(file.get()) != 0) {
      throw std::system_error(errno, std::generic_category(), path);
    }
  }

  std::string path_;
};

void backUp(const std::string& from, SQLite::Database& copy) {
  SQLite::Database source(from, SQLite::OPEN_READONLY, kBusyTimeoutMs);
  const std::string difference = schemaDifference(source);
  if (!difference.empty()) throw std::runtime_error(fmt::format("{}: {}", from, difference));
  // All pages in one step: in parts the backup begins again each time that a snapshot is committed.
  SQLite::Backup backup(copy, source);
  if (backup.executeStep(-1) != SQLITE_DONE) {
    throw std::runtime_error(fmt::format("{}: could not be copied: it stayed locked", from));
  }
}

/// Which snapshots there are, in words.
std::string timesOf(SQLite::Database& copy) {
  SQLite::Statement query(copy, "SELECT min(wall_ns), max(wall_ns) FROM snapshot");
  if (!query.executeStep() || query.isColumnNull(0)) return "it has none at all";
  return fmt::format("they are from {} to {}", formatTime(query.getColumn(0).getInt64()),
                     formatTime(query.getColumn(1).getInt64()));
}

/// What to know of the beginning of a copy from a time on: it may be earlier. Empty: it is not.
std::string earlierBeginning(const std::string& path, std::optional<int64_t> from_ns) {
  if (!from_ns) return {};
  SQLite::Database copy(path, SQLite::OPEN_READONLY, kBusyTimeoutMs);
  SQLite::Statement query(copy, "SELECT id, wall_ns FROM snapshot ORDER BY id LIMIT 1");
  if (!query.executeStep() || query.getColumn(1).getInt64() >= *from_ns) return {};
  return fmt::format(
      "it begins before --from, at {}: with snapshot {}, the keyframe that tells what "
      "was there",
      formatTime(query.getColumn(1).getInt64()), query.getColumn(0).getInt64());
}

/// Leaves the snapshots from the last keyframe that is not after `from_ns` to the last snapshot
/// that is not after `to_ns`.
void slice(SQLite::Database& copy, const CopyOptions& options) {
  const std::string times = timesOf(copy);
  const auto snapshot_at = [&](const char* sql, int64_t wall_ns) {
    SQLite::Statement query(copy, sql);
    query.bind(1, wall_ns);
    if (!query.executeStep() || query.isColumnNull(0)) {
      throw std::runtime_error(
          fmt::format("{}: has no snapshot in that time; {}", options.from, times));
    }
    return query.getColumn(0).getInt64();
  };
  SQLite::Transaction transaction(copy);
  if (options.to_ns) {
    dropSnapshotsAfter(
        copy, snapshot_at("SELECT max(id) FROM snapshot WHERE wall_ns <= ?", *options.to_ns),
        "slice-to");
  }
  if (options.from_ns) {
    // Later ones exist, or there would be nothing to copy.
    snapshot_at("SELECT max(id) FROM snapshot WHERE wall_ns >= ?", *options.from_ns);
    dropSnapshotsBefore(
        copy,
        snapshot_at("SELECT coalesce((SELECT max(id) FROM snapshot WHERE keyframe = 1 AND id <= "
                    "(SELECT min(id) FROM snapshot WHERE wall_ns >= ?1)), "
                    "(SELECT min(id) FROM snapshot))",
                    *options.from_ns),
        "slice-from");
  }
  const int64_t first = copy.execAndGet("SELECT coalesce(min(id), 0) FROM snapshot").getInt64();
  while (removeRemains(copy, first, kRowsAtATime)) {
  }
  transaction.commit();
}

/// SQLite's files without a name lie in this folder from now on.
void putTemporaryFilesInto(const std::string& folder) {
  sqlite3_temp_directory = sqlite3_mprintf("%s", folder.c_str());
  if (sqlite3_temp_directory == nullptr) throw std::bad_alloc();
}

/// Copies what the copy shall hold. The whole of it, with what is to be taken out, only comes into
/// a database that never has a name (https://www.sqlite.org/inmemorydb.html, temporary databases):
/// it is gone with this process, however that ends. What gets a name has the rest, and no free
/// pages.
void copyPart(const CopyOptions& options, const std::string& to) {
  putTemporaryFilesInto(std::filesystem::absolute(options.to).parent_path().string());
  SQLite::Database whole("", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  whole.exec("PRAGMA journal_mode = OFF");  // nobody goes on with half of it
  whole.exec("PRAGMA temp_store = MEMORY");
  backUp(options.from, whole);
  slice(whole, options);
  if (options.redaction.any()) redactArchive(whole, options.redaction);
  SQLite::Statement vacuum(whole, "VACUUM INTO ?");
  vacuum.bind(1, to);
  vacuum.exec();
}

void copyAll(const CopyOptions& options, const std::string& to) {
  SQLite::Database copy(to, SQLite::OPEN_READWRITE, kBusyTimeoutMs);
  backUp(options.from, copy);
}

/// Off the write-ahead log: what is copied from here on is one file.
void seal(const std::string& path) {
  SQLite::Database copy(path, SQLite::OPEN_READWRITE, kBusyTimeoutMs);
  if (copy.execAndGet("PRAGMA journal_mode = DELETE").getString() != "delete") {
    throw std::runtime_error(fmt::format("{}: the copy could not be sealed", path));
  }
}

Digest headOfCopy(const std::string& path) {
  SQLite::Database copy(path, SQLite::OPEN_READONLY, kBusyTimeoutMs);
  return headOf(copy);
}

}  // namespace

int copyArchive(const CopyOptions& options) {
  const auto header = readArchiveHeader(options.from);
  if (!header) throw std::runtime_error(fmt::format("{}: {}", options.from, header.error()));
  if (access((options.from + "-journal").c_str(), F_OK) == 0) {
    throw std::runtime_error(
        fmt::format("{}: there is a -journal beside it, which no fdcapture "
                    "leaves behind",
                    options.from));
  }
  if (access(options.to.c_str(), F_OK) == 0) {
    throw std::runtime_error(
        fmt::format("{}: exists already; give a name that is free", options.to));
  }
  lowerPriority();
  TemporaryFile copy(options.to);
  const bool is_part = options.from_ns || options.to_ns || options.redaction.any();
  try {
    is_part ? copyPart(options, copy.path()) : copyAll(options, copy.path());
    seal(copy.path());
  } catch (const SQLite::Exception& error) {
    if ((error.getErrorCode() & 0xff) != SQLITE_FULL) {
      throw std::runtime_error(fmt::format("{}: {}", options.from, error.what()));
    }
    // A part is taken out of a whole copy, which has no name and lies beside it meanwhile.
    throw std::runtime_error(fmt::format(
        "{}: there is no room for it in its folder (the archive has {} bytes{}); nothing was left "
        "behind",
        options.to, header->file_bytes, is_part ? ", and a part of it takes twice as much" : ""));
  }
  const std::string head = toHex(headOfCopy(copy.path()));
  const std::string digest = sha256OfFile(copy.path());
  const std::string beginning = earlierBeginning(copy.path(), options.from_ns);
  copy.publish(options.to);
  fmt::print("{}  {}\n", digest, printable(options.to));
  if (std::fflush(stdout) != 0) throw std::system_error(errno, std::generic_category(), "stdout");
  if (!options.quiet) {
    if (!beginning.empty()) fmt::print(stderr, "fdcapture: {}\n", beginning);
    fmt::print(stderr, "fdcapture: copied {} to {}; head {}\n", printable(options.from),
               printable(options.to), head);
  }
  return 0;
}

}  // namespace fdmortem
