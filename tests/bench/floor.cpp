// What reading alone costs: the reads of a later snapshot by bare system calls, nothing parsed but
// the names of a folder, nothing kept. Prints the CPU time in microseconds.
//
//   bench_floor PID UNLISTED
//
// UNLISTED fds are looked at a second time, as fdcapture does with those that no table lists.
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::array<char, 65536> buffer;

/// A text of less than a page comes whole at the first read.
void readShort(int folder, const char* name) {
  const int fd = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
}

void readWhole(int folder, const char* name) {
  const int fd = ::openat(folder, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  while (::read(fd, buffer.data(), buffer.size()) > 0) {
  }
  ::close(fd);
}

template <class Visit>
void forEachName(int folder, const Visit& visit) {
  std::array<char, 32768> entries{};
  while (true) {
    const long size = ::syscall(SYS_getdents64, folder, entries.data(), entries.size());
    if (size <= 0) return;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries.data() + at);
      if (entry->d_name[0] != '.') visit(entry->d_name);
      at += entry->d_reclen;
    }
  }
}

void readProcess(int process, int64_t unlisted) {
  for (const char* name : {"stat", "status", "cmdline", "cgroup", "limits"})
    readShort(process, name);
  std::array<char, 4096> link{};
  ::readlinkat(process, "exe", link.data(), link.size());
  ::readlinkat(process, "ns/net", link.data(), link.size());
  const int fds = ::openat(process, "fd", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  const int infos = ::openat(process, "fdinfo", O_PATH | O_CLOEXEC | O_DIRECTORY);
  forEachName(fds, [&](const char* name) {
    ::readlinkat(fds, name, link.data(), link.size());
    readShort(infos, name);
  });
  for (const char* table : {"tcp", "tcp6", "udp", "udp6", "udplite", "udplite6", "raw", "raw6",
                            "icmp", "icmp6", "unix", "netlink", "packet", "sockstat", "sockstat6"})
    readWhole(process, (std::string("net/") + table).c_str());
  ::lseek(fds, 0, SEEK_SET);
  forEachName(fds, [&](const char* name) {
    if (unlisted-- > 0) ::readlinkat(fds, name, link.data(), link.size());
  });
  ::close(infos);
  ::close(fds);
}

int64_t cpuUs() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return EXIT_FAILURE;
  const std::string path = std::string("/proc/") + argv[1];
  const int process = ::open(path.c_str(), O_PATH | O_CLOEXEC | O_DIRECTORY);
  if (process < 0) return EXIT_FAILURE;
  const int64_t before_us = cpuUs();
  readProcess(process, std::atoll(argv[2]));
  std::printf("%lld\n", static_cast<long long>(cpuUs() - before_us));
  return EXIT_SUCCESS;
}
