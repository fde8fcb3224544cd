#include "capture/archive/quota.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <new>
#include <set>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>
#include <sqlite3.h>

#include "capture/archive/new_archive.h"

namespace fdmortem {
namespace {

constexpr uint64_t kWalIndexBytes = 32 << 10;
constexpr uint64_t kFramesPerWalIndex = 4096;
/// The first block holds so much fewer for its header, in frames.
constexpr uint64_t kWalIndexHeaderFrames = 34;
/// An archive with larger pages has fewer frames, and its -shm is smaller than it is counted.
constexpr uint64_t kFrameBytes = kPageBytes + 24;

/// Of the -shm of a -wal that was so large once.
uint64_t walIndexBytes(uint64_t wal_bytes) {
  const uint64_t frames = wal_bytes / kFrameBytes + kWalIndexHeaderFrames;
  return (frames + kFramesPerWalIndex - 1) / kFramesPerWalIndex * kWalIndexBytes;
}

}  // namespace

/// The state behind the VFS. SQLite knows it by sqlite3_vfs::pAppData, and each file by what lies
/// behind the default VFS's own part of its sqlite3_file.
class Quota::Impl {
 public:
  explicit Impl(uint64_t limit_bytes)
      : parent_(sqlite3_vfs_find(nullptr)),
        name_(fmt::format("fdmortem-quota-{}", static_cast<const void*>(this))),
        limit_(limit_bytes) {
    if (parent_ == nullptr) throw std::runtime_error("SQLite has no file system");
    vfs_ = *parent_;
    vfs_.zName = name_.c_str();
    vfs_.pAppData = this;
    vfs_.pNext = nullptr;
    vfs_.szOsFile = static_cast<int>(extraOffset(parent_) + sizeof(Extra));
    vfs_.xOpen = openFile;
    // The others of the default VFS find their own pAppData in their first argument.
    vfs_.xDelete = [](sqlite3_vfs* vfs, const char* path, int sync) {
      sqlite3_vfs* parent = of(vfs)->parent_;
      return parent->xDelete(parent, path, sync);
    };
    vfs_.xAccess = [](sqlite3_vfs* vfs, const char* path, int flags, int* result) {
      sqlite3_vfs* parent = of(vfs)->parent_;
      return parent->xAccess(parent, path, flags, result);
    };
    vfs_.xFullPathname = [](sqlite3_vfs* vfs, const char* path, int length, char* full) {
      sqlite3_vfs* parent = of(vfs)->parent_;
      return parent->xFullPathname(parent, path, length, full);
    };
    if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) {
      throw std::runtime_error("SQLite takes no further file system");
    }
  }
  ~Impl() { sqlite3_vfs_unregister(&vfs_); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const std::string& name() const { return name_; }
  void setLimit(uint64_t bytes) { limit_ = bytes; }
  void reserve(uint64_t bytes) { reserved_ = bytes; }
  bool takeRefused() { return std::exchange(refused_, false); }

  uint64_t used() const {
    uint64_t bytes = reserved_;
    for (const Extra* file : files_) {
      bytes += file->size;
      if (file->is_wal) bytes += walIndexBytes(file->largest_size);
    }
    return bytes;
  }

 private:
  struct Extra {
    Impl* quota = nullptr;
    const sqlite3_io_methods* parent = nullptr;
    sqlite3_io_methods methods{};
    uint64_t size = 0;
    uint64_t largest_size = 0;
    bool is_wal = false;

    void setSize(uint64_t bytes) {
      size = bytes;
      largest_size = std::max(largest_size, bytes);
    }
  };

  /// After an error part of what was asked for may have been done.
  static void askSize(sqlite3_file* file, Extra& extra) {
    sqlite3_int64 size = 0;
    if (extra.parent->xFileSize(file, &size) == SQLITE_OK && size >= 0)
      extra.setSize(static_cast<uint64_t>(size));
  }

  static size_t extraOffset(const sqlite3_vfs* parent) {
    const size_t alignment = alignof(Extra);
    return (static_cast<size_t>(parent->szOsFile) + alignment - 1) / alignment * alignment;
  }
  static Impl* of(sqlite3_vfs* vfs) { return static_cast<Impl*>(vfs->pAppData); }

  /// The methods are ours, and are the first member of no other structure: they tell where Extra
  /// is.
  static Extra* of(sqlite3_file* file) {
    auto* methods = const_cast<sqlite3_io_methods*>(file->pMethods);
    return reinterpret_cast<Extra*>(reinterpret_cast<char*>(methods) - offsetof(Extra, methods));
  }

  static int openFile(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags,
                      int* out_flags) {
    Impl* self = of(vfs);
    const int result = self->parent_->xOpen(self->parent_, path, file, flags, out_flags);
    if (result != SQLITE_OK || file->pMethods == nullptr) return result;
    auto* extra =
        new (reinterpret_cast<char*>(file) + extraOffset(self->parent_)) Extra{.quota = self};
    extra->parent = file->pMethods;
    extra->methods = *file->pMethods;
    extra->methods.xWrite = write;
    extra->methods.xTruncate = truncate;
    extra->methods.xClose = close;
    extra->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
    askSize(file, *extra);
    try {
      self->files_.insert(extra);
    } catch (...) {  // no exception may pass through SQLite
      file->pMethods->xClose(file);
      return SQLITE_NOMEM;
    }
    file->pMethods = &extra->methods;
    return SQLITE_OK;
  }

  static int write(sqlite3_file* file, const void* data, int length, sqlite3_int64 offset) {
    Extra* extra = of(file);
    Impl* self = extra->quota;
    const uint64_t size_before = extra->size, largest_before = extra->largest_size;
    extra->setSize(std::max(size_before, static_cast<uint64_t>(offset + length)));
    // A checkpoint is never refused: what it needs was set aside when the log was written.
    const uint64_t needed =
        extra->is_wal ? self->used() + extra->size : self->used() - self->reserved_;
    if (extra->size > size_before && needed > self->limit_) {
      extra->size = size_before;
      extra->largest_size = largest_before;
      self->refused_ = true;
      return SQLITE_FULL;
    }
    const int result = extra->parent->xWrite(file, data, length, offset);
    if (result != SQLITE_OK) {
      extra->largest_size = largest_before;
      askSize(file, *extra);
    }
    return result;
  }

  static int truncate(sqlite3_file* file, sqlite3_int64 size) {
    Extra* extra = of(file);
    const int result = extra->parent->xTruncate(file, size);
    if (result == SQLITE_OK) {
      extra->setSize(static_cast<uint64_t>(size));
    } else {
      askSize(file, *extra);
    }
    return result;
  }

  static int close(sqlite3_file* file) {
    Extra* extra = of(file);
    extra->quota->files_.erase(extra);
    // SQLite's own close looks at its methods, and clears them.
    file->pMethods = extra->parent;
    return extra->parent->xClose(file);
  }

  sqlite3_vfs* parent_;
  sqlite3_vfs vfs_{};
  std::string name_;
  uint64_t limit_;
  uint64_t reserved_ = 0;
  bool refused_ = false;
  std::set<const Extra*> files_;
};

Quota::Quota(uint64_t limit_bytes) : impl_(std::make_unique<Impl>(limit_bytes)) {}
Quota::~Quota() = default;

const std::string& Quota::vfsName() const {
  return impl_->name();
}
uint64_t Quota::usedBytes() const {
  return impl_->used();
}
void Quota::setLimit(uint64_t bytes) {
  impl_->setLimit(bytes);
}
void Quota::reserve(uint64_t bytes) {
  impl_->reserve(bytes);
}
bool Quota::takeRefused() {
  return impl_->takeRefused();
}

}  // namespace fdmortem
