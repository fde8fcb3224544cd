#include "capture/collect/proc_source.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <system_error>

#include <fmt/core.h>

namespace fdmortem {
namespace {

constexpr size_t kMaximumFileBytes = size_t{1} << 30;
constexpr size_t kProcPageBytes = 4096;  // the kernel gives most files in such parts
/// No row of a table below net is longer; a UNIX socket's with the longest path has 170.
constexpr size_t kLongestRowBytes = 512;

/// O_NONBLOCK: in a saved tree a fifo may lie where a file should be.
FileHandle openToRead(int directory, const char* path) {
  return FileHandle(openat(directory, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

/// The struct xattr_args of include/uapi/linux/xattr.h.
struct AttributeArguments {
  uint64_t value;
  uint32_t size;
  uint32_t flags;
};

/// As getxattr, of a path below a directory.
ssize_t getAttributeAt(int directory, const std::string& path, const char* name, char* value,
                       size_t size) {
  constexpr long kGetxattrat = 464;  // SYS_getxattrat of all architectures but alpha, Linux 6.13
  // A filter of system calls that does not know it mostly gives EPERM.
  static bool is_there = true;
  if (is_there) {
    AttributeArguments arguments{.value = reinterpret_cast<uintptr_t>(value),
                                 .size = static_cast<uint32_t>(size),
                                 .flags = 0};
    const long length =
        syscall(kGetxattrat, directory, path.c_str(), 0, name, &arguments, sizeof arguments);
    if (length >= 0 || (errno != ENOSYS && errno != EPERM)) return length;
    is_there = false;
  }
  // This way, too, the handle pins the process.
  const std::string whole = fmt::format("/proc/self/fd/{}/{}", directory, path);
  return getxattr(whole.c_str(), name, value, size);
}

}  // namespace

ProcSource::ProcSource(const std::string& root)
    : root_(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_) throw std::system_error(errno, std::generic_category(), root);
  struct statfs file_system {};
  is_proc_ = fstatfs(root_.get(), &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC;
  // The size of a directory in a saved tree is another thing.
  struct stat own_fds {};
  tells_fd_counts_ =
      is_proc_ && fstatat(root_.get(), "self/fd", &own_fds, 0) == 0 && own_fds.st_size > 0;
}

OrErrno<uint64_t> ProcSource::fdCount(int32_t pid) const {
  return fdCountAt(root_.get(), fmt::format("{}/fd", pid).c_str());
}

OrErrno<uint64_t> ProcSource::fdCount(const FileHandle& process_directory) const {
  return fdCountAt(process_directory.get(), "fd");
}

OrErrno<uint64_t> ProcSource::fdCountAt(int directory, const char* path) const {
  if (!tells_fd_counts_) {
    const auto names = list(directory, path);
    if (!names) return tl::unexpected(names.error());
    return names->size();
  }
  struct stat fds {};
  if (fstatat(directory, path, &fds, 0) != 0) return tl::unexpected(errno);
  return static_cast<uint64_t>(fds.st_size);
}

OrErrno<FileHandle> ProcSource::openDirectory(const std::string& path) const {
  return openDirectory(root_.get(), path.c_str());
}

OrErrno<FileHandle> ProcSource::openDirectory(int directory, const char* path) {
  FileHandle handle(openat(directory, path, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!handle) return tl::unexpected(errno);
  return handle;
}

OrErrno<std::vector<std::string>> ProcSource::list(int directory, const char* path) {
  const auto handle = openToList(directory, path);
  if (!handle) return tl::unexpected(handle.error());
  return namesIn(*handle);
}

OrErrno<FileHandle> ProcSource::openToList(int directory, const char* path) {
  FileHandle handle(openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!handle) return tl::unexpected(errno);
  return handle;
}

OrErrno<std::vector<std::string>> ProcSource::namesIn(const FileHandle& directory) {
  std::vector<std::string> names;
  alignas(dirent64) std::array<char, 32768> entries;
  while (true) {
    const ssize_t length = getdents64(directory.get(), entries.data(), entries.size());
    if (length < 0) return tl::unexpected(errno);
    if (length == 0) return names;
    for (ssize_t at = 0; at < length;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      at += entry->d_reclen;
    }
  }
}

int ProcSource::read(int directory, const char* path, std::string& text) {
  text.clear();
  return append(directory, path, text);
}

int ProcSource::readWhole(int directory, const char* path, std::string& text) {
  text.clear();
  return appendWhole(directory, path, text);
}

int ProcSource::appendWhole(int directory, const char* path, std::string& text) {
  const FileHandle file(openToRead(directory, path));
  if (!file) return errno;
  // Most of them are short: nothing is cleared for what does not come.
  std::array<char, kProcPageBytes> buffer;
  const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
  if (count < 0 && errno != EINTR) return errno;
  const size_t begin = text.size();
  if (count > 0) text.append(buffer.data(), static_cast<size_t>(count));
  const bool is_whole = count >= 0 && static_cast<size_t>(count) < buffer.size();
  const int error = is_whole ? 0 : appendRest(file, text);
  if (error != 0) text.resize(begin);
  return error;
}

int ProcSource::append(int directory, const char* path, std::string& text) {
  const FileHandle file(openToRead(directory, path));
  return file ? appendRest(file, text) : errno;
}

int ProcSource::appendTable(int directory, const char* path, std::string& text) {
  const FileHandle file(openToRead(directory, path));
  if (!file) return errno;
  struct statfs file_system {};
  const bool is_proc =
      fstatfs(file.get(), &file_system) == 0 && file_system.f_type == PROC_SUPER_MAGIC;
  return appendRest(file, text, is_proc ? kProcPageBytes - kLongestRowBytes : 1);
}

int ProcSource::appendRest(const FileHandle& file, std::string& text, size_t last_below) {
  const size_t begin = text.size();
  size_t length = begin;
  // What is resized is also cleared: for a small file as little as possible, for a large one what
  // is still in the processor's cache when it is read into.
  constexpr size_t kMaximumStep = size_t{64} << 10;
  text.resize(begin + kProcPageBytes);
  while (true) {
    const ssize_t count = ::read(file.get(), text.data() + length, text.size() - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const int error = errno;
      text.resize(begin);
      return error;
    }
    length += static_cast<size_t>(count);
    if (static_cast<size_t>(count) < last_below) break;
    if (length - begin > kMaximumFileBytes) {
      text.resize(begin);
      return EFBIG;
    }
    if (text.size() - length < kProcPageBytes) {
      text.resize(text.size() + std::clamp(length - begin, kProcPageBytes, kMaximumStep));
    }
  }
  text.resize(length);
  return 0;
}

int ProcSource::readLink(int directory, const char* path, std::string& target) {
  std::array<char, PATH_MAX + 1> buffer;
  const ssize_t length = readlinkat(directory, path, buffer.data(), buffer.size());
  if (length < 0) {
    target.clear();
    return errno;
  }
  target.assign(buffer.data(), static_cast<size_t>(length));
  return 0;
}

OrErrno<FileStatus> ProcSource::fileStatus(int directory, const char* path) {
  struct statx status {};
  if (statx(directory, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_TYPE | STATX_NLINK,
            &status) != 0) {
    return tl::unexpected(errno);
  }
  return FileStatus{.file_type = static_cast<uint8_t>((status.stx_mode & S_IFMT) >> 12),
                    .link_count = status.stx_nlink};
}

OrErrno<std::string> ProcSource::socketProtocol(int fd_directory, const std::string& fd) {
  std::array<char, 64> value;
  const ssize_t length =
      getAttributeAt(fd_directory, fd, "system.sockprotoname", value.data(), value.size());
  if (length < 0) return tl::unexpected(errno);
  // The value ends in NUL.
  return std::string(value.data(), strnlen(value.data(), static_cast<size_t>(length)));
}

}  // namespace fdmortem
