// What reading alone costs: the reads of a snapshot by bare system calls, nothing parsed but the
// names of a folder, nothing kept. Prints the CPU time in microseconds.
//
//   bench_floor later PID UNLISTED
//   bench_floor first PID UNLISTED
//
// UNLISTED fds are looked at a second time, as fdcapture does with those that no table lists. In
// the first snapshot each socket is asked for its protocol, and the unlisted ones for what is left
// of their connection.
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

std::array<char, 65536> buffer;

/// A text of less than a page comes whole at the first read.
std::string_view readShort(int folder, const char* name) {
  const int fd = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  return {buffer.data(), size > 0 ? static_cast<size_t>(size) : 0};
}

/// A read that leaves room for a row is the last one.
void readTable(int folder, const char* name) {
  const int fd = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  while (::read(fd, buffer.data(), buffer.size()) > 4096 - 512) {
  }
  ::close(fd);
}

void readLink(int folder, const char* name) {
  std::array<char, 4096> link{};
  [[maybe_unused]] const ssize_t size = ::readlinkat(folder, name, link.data(), link.size());
}

std::vector<std::string> namesIn(int folder) {
  std::vector<std::string> names;
  std::array<char, 32768> entries{};
  while (true) {
    const long size = ::syscall(SYS_getdents64, folder, entries.data(), entries.size());
    if (size <= 0) return names;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
      if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
      at += entry->d_reclen;
    }
  }
}

/// The line of an fdinfo that says on which mount the file is.
std::string mountLine(std::string_view info) {
  const size_t begin = info.find("mnt_id:");
  if (begin == std::string_view::npos) return "none";
  return std::string(info.substr(begin, info.find('\n', begin) - begin));
}

std::string mountLineOfSockets() {
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::string line =
      mountLine(readShort(AT_FDCWD, ("/proc/self/fdinfo/" + std::to_string(fd)).c_str()));
  ::close(fd);
  return line;
}

/// By getxattrat, which is Linux 6.13.
void askProtocol(int fds, const std::string& name) {
  struct {
    uint64_t value;
    uint32_t size;
    uint32_t flags;
  } arguments{reinterpret_cast<uintptr_t>(buffer.data()), buffer.size(), 0};
  ::syscall(464, fds, name.c_str(), 0, "system.sockprotoname", &arguments, sizeof arguments);
}

/// The calls of an autopsy.
void ask(int pidfd, int number) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, number, 0));
  if (fd < 0) return;
  struct stat status {};
  ::fstat(fd, &status);
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  length = sizeof(sockaddr_in);
  ::getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &address, &length);
  tcp_info info{};
  length = sizeof info;
  ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
  uint64_t cookie = 0;
  length = sizeof cookie;
  ::getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length);
  ::close(fd);
}

class Floor {
 public:
  Floor(int pid, int64_t unlisted, bool is_first)
      : pid_(pid),
        process_(
            ::open(("/proc/" + std::to_string(pid)).c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY)),
        unlisted_(unlisted),
        is_first_(is_first) {}

  bool isOpen() const { return process_ >= 0; }

  void read() {
    for (const char* name : {"stat", "status", "cmdline", "cgroup", "limits"})
      readShort(process_, name);
    readLink(process_, "exe");
    readLink(process_, "ns/net");
    const int fds = ::openat(process_, "fd", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    const int infos = ::openat(process_, "fdinfo", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    const auto names = namesIn(infos);
    const auto sockets = readFds(fds, infos, names);
    for (const char* table :
         {"tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6",
          "unix", "netlink", "packet", "sockstat", "sockstat6"})
      readTable(process_, (std::string("net/") + table).c_str());
    lookAgain(fds, sockets);
    ::close(infos);
    ::close(fds);
  }

 private:
  /// The links of sockets need not be read.
  static std::vector<std::string> readFds(int fds, int infos,
                                          const std::vector<std::string>& names) {
    const std::string mount_of_sockets = mountLineOfSockets();
    std::vector<std::string> sockets;
    for (const std::string& name : names) {
      if (mountLine(readShort(infos, name.c_str())) == mount_of_sockets) {
        sockets.push_back(name);
      } else {
        readLink(fds, name.c_str());
      }
    }
    return sockets;
  }

  void lookAgain(int fds, const std::vector<std::string>& sockets) const {
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    int64_t left = unlisted_;
    for (const std::string& name : sockets) {
      const bool is_unlisted = left-- > 0;
      if (is_first_) {
        askProtocol(fds, name);
      }
      if (is_first_ || is_unlisted) readLink(fds, name.c_str());
      if (is_first_ && is_unlisted)
        ask(pidfd, static_cast<int>(std::strtol(name.c_str(), nullptr, 10)));
    }
    ::close(pidfd);
  }

  int pid_;
  int process_;
  int64_t unlisted_;
  bool is_first_;
};

int64_t cpuUs() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return EXIT_FAILURE;
  Floor floor(static_cast<int>(std::strtol(argv[2], nullptr, 10)),
              std::strtoll(argv[3], nullptr, 10), std::string_view(argv[1]) == "first");
  if (!floor.isOpen()) return EXIT_FAILURE;
  const int64_t before_us = cpuUs();
  floor.read();
  std::printf("%lld\n", static_cast<long long>(cpuUs() - before_us));
  return EXIT_SUCCESS;
}
