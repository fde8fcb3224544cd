// The only place of fdcapture that touches the proc file system: list, read, readlink and what
// belongs to them, below a root that tests and saved trees can choose.
//
// Errors are errno numbers, 0 for success: that a process ended or an fd closed meanwhile is
// ordinary. Nothing here makes the kernel load a module, follows a path out of the tree, or waits
// for a remote file server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "schema/file_handle.h"

namespace fdmortem {

/// The value that a call gave, or its errno.
template <class Value>
using OrErrno = tl::expected<Value, int>;

/// What a file that an fd points to is.
struct FileStatus {
  uint8_t file_type =
      0;  ///< S_IFMT >> 12: 1 fifo, 2 character device, 4 directory, 6 block device, 8 file
  uint32_t link_count = 0;  ///< 0: deleted
};

class ProcSource {
 public:
  /// Throws std::system_error if `root` is no directory that can be entered.
  explicit ProcSource(const std::string& root);

  /// A handle on a directory of the tree, for the calls below. On /proc/PID it pins the process:
  /// once that has ended every call through it fails with ESRCH or ENOENT, even if the pid is used
  /// again.
  OrErrno<FileHandle> openDirectory(const std::string& path) const;
  static OrErrno<FileHandle> openDirectory(int directory, const char* path);

  /// The handle of the root.
  int root() const { return root_.get(); }

  /// It is the kernel's and not a saved tree.
  bool isProcFileSystem() const { return is_proc_; }

  /// All names in a directory but . and .., in the order of the kernel. On an error after the first
  /// names these are lost: half a list is of no use as one.
  static OrErrno<std::vector<std::string>> list(int directory, const char* path);

  /// A directory for namesIn(), and for the calls that take one.
  static OrErrno<FileHandle> openToList(int directory, const char* path);
  /// As list(), of a directory that was opened to be listed, and was not listed yet.
  static OrErrno<std::vector<std::string>> namesIn(const FileHandle& directory);

  /// Reads a file whole into `text`, which is emptied first and keeps its memory. EFBIG above 1
  /// GiB.
  static int read(int directory, const char* path, std::string& text);

  /// As read(), but adds to `text`, which stays as it was on an error.
  static int append(int directory, const char* path, std::string& text);

  /// As append(), of a table below net. The read that would only find its end is left out: for it
  /// the kernel walks through the whole table once more (net/ipv4/tcp_ipv4.c, tcp_seq_start). It is
  /// known without, because the kernel fills a page with rows while there are any, and what
  /// does not come would have had room (fs/seq_file.c, seq_read_iter).
  static int appendTable(int directory, const char* path, std::string& text);

  /// As read() and append(), of a file that the kernel gives in one piece if there is room for it
  /// (seq_file.c, single_open: all of a process but its net tables, mountinfo, cmdline and
  /// environ): one read less, that would only find its end.
  static int readWhole(int directory, const char* path, std::string& text);
  static int appendWhole(int directory, const char* path, std::string& text);

  /// Reads a link into `target`, which is emptied first.
  static int readLink(int directory, const char* path, std::string& target);

  /// What an fd's link leads to, from what the kernel knows without asking a file server.
  static OrErrno<FileStatus> fileStatus(int directory, const char* path);

  /// How many fds a process has. From its size where the kernel tells it there (Linux 6.2,
  /// fs/proc/fd.c, proc_fd_getattr), else by listing them.
  OrErrno<uint64_t> fdCount(int32_t pid) const;
  /// The same through the handle of a process's directory.
  OrErrno<uint64_t> fdCount(const FileHandle& process_directory) const;

  /// `system.sockprotoname` of the socket that `fd`, a name in a process's directory fd, leads to:
  /// "TCP", "UNIX-STREAM", ... (net/socket.c, sockfs_xattr_get).
  static OrErrno<std::string> socketProtocol(int fd_directory, const std::string& fd);

 private:
  /// The first read that gives less than `last_below` bytes is the last.
  static int appendRest(const FileHandle& file, std::string& text, size_t last_below = 1);
  OrErrno<uint64_t> fdCountAt(int directory, const char* path) const;

  FileHandle root_;
  bool is_proc_ = false;
  bool tells_fd_counts_ = false;
};

}  // namespace fdmortem
