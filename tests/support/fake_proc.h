// A proc file system of ordinary files, for what a real kernel can not be made to do on demand.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

/// What a faked process is. Everything about its fds and tables is added later.
struct FakeProcess {
  uint64_t start_ticks = 1000;
  std::string comm = "server";
  std::string exe = "/usr/bin/server";  ///< empty: no link
  std::string cgroup = "/system.slice/server.service";
  char state = 'S';
  uint32_t flags = 0;
  int thread_count = 1;
  uint64_t netns = 4000;
};

class FakeProc {
 public:
  /// A tree with the host's files and no process.
  FakeProc();

  std::string root() const { return folder_.path().string(); }

  /// Makes or makes anew /PID with its files and empty tables (tcp, tcp6, udp, unix).
  void setProcess(int32_t pid, const FakeProcess& process = {});
  void removeProcess(int32_t pid);
  /// A thread /PID/task/TID with the same files, fds excepted, in state S.
  void addThread(int32_t pid, int32_t tid, const FakeProcess& process = {});

  /// `process` is a path below the root: "7", or "7/task/8". A link to `target`, which does not
  /// exist, and its fdinfo, with the inode of socket:[N].
  void openFd(const std::string& process, int32_t fd, const std::string& target);
  void closeFd(const std::string& process, int32_t fd);

  /// Replaces what is at `path`, below the root.
  void write(const std::string& path, std::string_view content);
  void link(const std::string& path, const std::string& target);
  void remove(const std::string& path);
  /// Every attempt to open it ends in ELOOP, root's too.
  void makeUnreadable(const std::string& path);

  /// net/tcp or net/tcp6 of one process with these rows; see tcpTableRow().
  void setTcp(int32_t pid, const std::vector<std::string>& rows, std::string_view table = "tcp");

 private:
  void setFiles(const std::string& directory, int32_t pid, const FakeProcess& process);

  TemporaryDirectory folder_;
};

/// A line of net/tcp: 127.0.0.1:LOCAL, 127.0.0.1:REMOTE.
std::string tcpTableRow(uint64_t inode, uint8_t state, uint16_t local_port = 9091,
                        uint16_t remote_port = 40000);

}  // namespace fdmortem::test
