#include "capture/archive/database.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include "capture/archive/drop_snapshots.h"
#include "capture/archive/lock.h"
#include "capture/archive/write_transaction.h"
#include "capture/clocks.h"
#include "capture/finally.h"
#include "schema/archive_file.h"

namespace fdmortem {
namespace {

/// A lone copy of a live archive's main file is at most this old.
constexpr int64_t kCheckpointIntervalNs = 60'000'000'000;
/// The write-ahead log is moved over when it is longer, or takes this part of what is allowed.
constexpr int64_t kMaximumWalBytes = 4 << 20;
constexpr int64_t kWalPartOfLimit = 16;

/// Whoever writes into the archive of a recorder, an administrator for instance, may for so long.
constexpr int kBusyTimeoutMs = 200;

int64_t sizeOf(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? int64_t{status.st_size} : 0;
}

SQLite::Database openDatabase(const std::string& path, const std::string& vfs) {
  // There is one thread: to lock for others took 10 % of the instructions of a first snapshot.
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, kBusyTimeoutMs,
                            vfs);
  database.exec("PRAGMA temp_store = MEMORY");
  // Rows go to the ends of tables: of each only the last pages are needed again. KiB.
  database.exec("PRAGMA cache_size = -512");
  // Debian's SQLite writes zeros over what is deleted. Nothing here is to be kept from who may read
  // the archive, and dropping snapshots would cost as much as storing them.
  database.exec("PRAGMA secure_delete = OFF");
  const std::string difference = schemaDifference(database);
  if (!difference.empty()) throw std::runtime_error(fmt::format("{}: {}", path, difference));
  database.exec("PRAGMA synchronous = FULL");
  enterWriteAheadMode(database, path);
  // checkpoint() does it, when it costs no snapshot anything.
  database.exec("PRAGMA wal_autocheckpoint = 0");
  return database;
}

/// Whether a file without a name gets that many bytes; it has gone when this returns. Where there
/// are no such files the answer is yes.
bool canSetAside(const std::string& folder, uint64_t bytes) {
  const FileHandle file(open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!file) return errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT;
  return bytes == 0 || posix_fallocate(file.get(), 0, static_cast<off_t>(bytes)) == 0;
}

/// What it takes at most to make an archive smaller that is too large: its log goes into the file,
/// and then there is one for what is dropped.
uint64_t bytesToTrim(const std::string& path) {
  return static_cast<uint64_t>(sizeOf(path) + 2 * sizeOf(path + "-wal") + 2 * kMaximumWalBytes);
}

}  // namespace

ArchiveDatabase::ArchiveDatabase(const std::string& path, std::optional<uint64_t> max_bytes)
    : path_(path),
      max_bytes_(max_bytes),
      lock_(openExclusively(path)),
      quota_(max_bytes
                 ? std::optional<Quota>(std::in_place, std::max(*max_bytes, bytesToTrim(path)))
                 : std::nullopt),
      database_(openDatabase(path, quota_ ? quota_->vfsName() : std::string())) {
  markRecorder(lock_);
  is_too_large_ = max_bytes_ && diskBytes() > bytesToStartWith();
  if (!is_too_large_) enforceLimit();
  removeOldRemains();
  takeBallast();
  leaveRoomForDropping(true);
  // The first snapshot is put into the file at once: who copies it without its -wal has something.
  checkpointed_ns_ = nowNs(CLOCK_MONOTONIC) - kCheckpointIntervalNs;
}

uint64_t ArchiveDatabase::bytesToStartWith() const {
  return *max_bytes_ - *max_bytes_ / kWalPartOfLimit;
}

void ArchiveDatabase::refuseSize() const {
  throw std::runtime_error(fmt::format(
      "{}: has {} bytes, too many for --max-size, and can't be made smaller", path_, diskBytes()));
}

void ArchiveDatabase::requireShrinkable() {
  if (database_.execAndGet("PRAGMA auto_vacuum").getInt() == 0) refuseSize();
}

void ArchiveDatabase::enforceLimit() {
  if (!max_bytes_) return;
  if (is_too_large_) {
    checkpoint();
    if (diskBytes() > bytesToStartWith()) refuseSize();
  }
  is_too_large_ = false;
  quota_->setLimit(*max_bytes_);
}

ArchiveDatabase::~ArchiveDatabase() {
  spendBallast();
}

std::optional<NotStored> ArchiveDatabase::explain(const SQLite::Exception& error) {
  const int code = error.getErrorCode() & 0xff;
  const bool is_refused = quota_ && quota_->takeRefused();
  if (is_refused && code == SQLITE_FULL)
    return NotStored{StoreFailure::OverLimit, "does not fit into --max-size"};
  if (code == SQLITE_FULL) return NotStored{StoreFailure::DiskFull, strerror(ENOSPC)};
  if (code == SQLITE_NOMEM) return NotStored{StoreFailure::NoMemory, error.what()};
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_PROTOCOL) {
    return NotStored{StoreFailure::InputOutput, "somebody else has locked the archive"};
  }
  // SQLITE_CANTOPEN: no descriptor for a file that it has closed.
  if (code == SQLITE_IOERR || code == SQLITE_CANTOPEN) {
    const int number = sqlite3_system_errno(database_.getHandle());
    // A limit of the size of files leaves no errno behind.
    if (number == EDQUOT || number == ENOSPC || number == EFBIG ||
        error.getExtendedErrorCode() == SQLITE_IOERR_WRITE) {
      return NotStored{StoreFailure::DiskFull, number != 0 ? strerror(number) : error.what()};
    }
    return NotStored{StoreFailure::InputOutput, number != 0 ? strerror(number) : error.what()};
  }
  return {};
}

int64_t ArchiveDatabase::contentBytes() {
  const auto number = [&](const char* pragma) { return database_.execAndGet(pragma).getInt64(); };
  return (number("PRAGMA page_count") - number("PRAGMA freelist_count")) *
         number("PRAGMA page_size");
}

uint64_t ArchiveDatabase::diskBytes() const {
  return static_cast<uint64_t>(sizeOf(file_path_) + sizeOf(wal_path_) + sizeOf(shm_path_) +
                               sizeOf(ballast_path_));
}

std::string ArchiveDatabase::folderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash + 1);
}

int64_t ArchiveDatabase::walBytes() const {
  return sizeOf(wal_path_);
}

void ArchiveDatabase::checkpointSometimes() {
  int64_t maximum = kMaximumWalBytes;
  if (max_bytes_) {
    maximum = std::min(maximum, static_cast<int64_t>(*max_bytes_) / kWalPartOfLimit);
  }
  const bool is_old = nowNs(CLOCK_MONOTONIC) - checkpointed_ns_ >= kCheckpointIntervalNs;
  if (is_old || walBytes() > maximum) checkpoint();
}

void ArchiveDatabase::checkpoint() {
  database_.tryExec("PRAGMA wal_checkpoint(TRUNCATE)");
  if (quota_) quota_->takeRefused();
  checkpointed_ns_ = nowNs(CLOCK_MONOTONIC);
}

void ArchiveDatabase::leaveRoomForDropping(bool leaves) {
  if (quota_) quota_->reserve(static_cast<uint64_t>(kBallastBytes + (leaves ? kDroppingBytes : 0)));
}

template <class Action>
bool ArchiveDatabase::inSmallSteps(int things, const Action& action) {
  while (true) {
    try {
      return action(things);
    } catch (const SQLite::Exception&) {
      if (!quota_ || !quota_->takeRefused()) throw;
      // With nothing in the log there is all the room that there can be.
      const int64_t wal_bytes = walBytes();
      if (wal_bytes > 0) {
        checkpoint();
        // Somebody reads the archive: until that ends there is no more room.
        if (walBytes() >= wal_bytes) throw;
      } else if (things > 1) {
        things = (things + 1) / 2;
      } else {
        throw;
      }
    }
  }
}

void ArchiveDatabase::shrink(int64_t bytes) {
  const auto number = [&](const char* pragma) { return database_.execAndGet(pragma).getInt64(); };
  const int64_t page_bytes = number("PRAGMA page_size");
  leaveRoomForDropping(false);
  const Finally restore([&] { leaveRoomForDropping(true); });
  int64_t free_pages = number("PRAGMA freelist_count");
  while (number("PRAGMA page_count") * page_bytes > bytes && free_pages > 0 && walBytes() == 0) {
    inSmallSteps(is_too_large_ ? 1024 : 32, [&](int pages) {
      // It gives back one page a step.
      SQLite::Statement vacuum(database_, fmt::format("PRAGMA incremental_vacuum({})", pages));
      while (vacuum.executeStep()) {
      }
      return true;
    });
    checkpoint();
    // An archive that was vacuumed by hand may not be able to.
    if (number("PRAGMA freelist_count") >= free_pages) return;
    free_pages = number("PRAGMA freelist_count");
  }
}

bool ArchiveDatabase::emptyLog() {
  checkpoint();
  return walBytes() == 0;
}

void ArchiveDatabase::removeOldRemains() {
  if (database_.execAndGet("SELECT count(*) FROM dropped").getInt() == 0) return;
  removeRemainsBefore(database_.execAndGet("SELECT coalesce(min(id), 0) FROM snapshot").getInt64());
}

void ArchiveDatabase::removeRemainsBefore(int64_t first_kept) {
  const auto remove = [&](int rows) {
    WriteTransaction transaction(database_);
    const bool has_more = removeRemains(database_, first_kept, rows);
    transaction.commit();
    return has_more;
  };
  while (inSmallSteps(is_too_large_ ? 20'000 : 1000, remove)) {
  }
}

void ArchiveDatabase::dropBefore(int64_t first_kept, const std::string& reason) {
  leaveRoomForDropping(false);
  const Finally restore([&] { leaveRoomForDropping(true); });
  inSmallSteps(1, [&](int) {
    WriteTransaction transaction(database_);
    dropSnapshotsBefore(database_, first_kept, reason);
    transaction.commit();
    return true;
  });
  removeRemainsBefore(first_kept);
  checkpointSometimes();
}

void ArchiveDatabase::spendBallast() {
  if (has_ballast_) unlink(ballast_path_.c_str());
  has_ballast_ = false;
  if (quota_) quota_->reserve(0);
}

bool ArchiveDatabase::takeBallast() {
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  FileHandle file(open(ballast_path_.c_str(), flags | O_CREAT | O_EXCL, 0600));
  if (!file && errno == EEXIST) {
    // That of a recorder which was killed, and nothing else, is taken over.
    file = FileHandle(open(ballast_path_.c_str(), flags));
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
        status.st_nlink != 1 || status.st_uid != geteuid() || status.st_size > kBallastBytes) {
      return false;
    }
  }
  has_ballast_ = static_cast<bool>(file);
  if (!file || posix_fallocate(file.get(), 0, kBallastBytes) != 0) {
    spendBallast();
    return false;
  }
  leaveRoomForDropping(true);
  return true;
}

bool ArchiveDatabase::hasRoom(uint64_t bytes) {
  if (max_bytes_) bytes = std::min(bytes, *max_bytes_ - std::min(*max_bytes_, diskBytes()));
  struct statvfs status {};
  // Root may have more than is free for others, nobody more than is free.
  if (statvfs(file_path_.c_str(), &status) == 0 &&
      uint64_t{status.f_bfree} * status.f_frsize < bytes + kBallastBytes) {
    return false;
  }
  return takeBallast() && canSetAside(folder_, bytes);
}

void ArchiveDatabase::seal() {
  spendBallast();
  leaveWriteAheadMode(database_);
}

}  // namespace fdmortem
