#include "capture/collect/autopsy.h"

// <netinet/tcp.h> of glibc 2.36 has a struct tcp_info that ends with what Linux 2.6 knew.
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>

#include <fmt/core.h>

#include "capture/clocks.h"

namespace fdmortem {
namespace {

// glibc 2.36 declares both without C linkage, so that no C++ program links with them.
int openPidfd(int32_t pid) {
  return static_cast<int>(syscall(SYS_pidfd_open, pid, 0U));
}
int duplicateFd(int pidfd, int32_t fd) {
  return static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, fd, 0U));
}

std::optional<Endpoint> endpointOf(const sockaddr_storage& storage) {
  Endpoint endpoint;
  if (storage.ss_family == AF_INET) {
    sockaddr_in address;
    memcpy(&address, &storage, sizeof address);
    memcpy(endpoint.address.bytes.data(), &address.sin_addr, 4);
    endpoint.address.length = 4;
    endpoint.port = ntohs(address.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 address;
    memcpy(&address, &storage, sizeof address);
    memcpy(endpoint.address.bytes.data(), &address.sin6_addr, 16);
    endpoint.address.length = 16;
    endpoint.port = ntohs(address.sin6_port);
  } else {
    return {};
  }
  return endpoint;
}

std::optional<Endpoint> localOf(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return endpointOf(storage);
}

/// The former peer. SO_PEERNAME still tells it when getpeername fails. It wants the address's exact
/// length: with a longer buffer it gives EINVAL, with a shorter one half an address. ENOTCONN in
/// `error`: there never was a peer.
std::optional<Endpoint> peerOf(int fd, bool is_ipv6, int& error) {
  sockaddr_storage storage{};
  socklen_t length = is_ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  error = getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &storage, &length) == 0 ? 0 : errno;
  return error == 0 ? endpointOf(storage) : std::nullopt;
}

/// A number of the namespace that no other has in this boot; 0: not told (before Linux 5.14).
uint64_t netnsCookieOf(int fd) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

/// The namespace that the socket itself lives in, which need not be its process's.
std::optional<uint64_t> netnsOf(int fd) {
  const FileHandle netns(ioctl(fd, SIOCGSKNS));
  struct stat status {};
  if (!netns || fstat(netns.get(), &status) != 0) return {};
  return status.st_ino;
}

/// A field of tcp_info, if this kernel's is long enough to have it.
template <class Field>
std::optional<uint64_t> field(const tcp_info& info, socklen_t length, const Field& member) {
  const auto end =
      reinterpret_cast<const char*>(&member + 1) - reinterpret_cast<const char*>(&info);
  if (static_cast<std::ptrdiff_t>(length) < end) return {};
  return static_cast<uint64_t>(member);
}

bool readTcpInfo(int fd, AutopsyRecord& record) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
  const auto get = [&](const auto& member) { return field(info, length, member); };
  record.state = info.tcpi_state;
  record.options = info.tcpi_options;
  record.rtt_us = get(info.tcpi_rtt);
  record.min_rtt_us = get(info.tcpi_min_rtt);
  record.last_data_sent_ms = get(info.tcpi_last_data_sent);
  record.last_data_received_ms = get(info.tcpi_last_data_recv);
  record.last_ack_received_ms = get(info.tcpi_last_ack_recv);
  record.bytes_acked = get(info.tcpi_bytes_acked);
  record.bytes_received = get(info.tcpi_bytes_received);
  record.segments_out = get(info.tcpi_segs_out);
  record.segments_in = get(info.tcpi_segs_in);
  record.data_segments_in = get(info.tcpi_data_segs_in);
  record.data_segments_out = get(info.tcpi_data_segs_out);
  record.delivered = get(info.tcpi_delivered);
  record.retransmits = get(info.tcpi_total_retrans);
  return true;
}

}  // namespace

SocketExaminer::SocketExaminer(int process_directory, int32_t pid, FailureLog& failures)
    : pid_(pid), failures_(failures), pidfd_(openPidfd(pid)) {
  if (!pidfd_) {
    is_possible_ = errno != ENOSYS;
    if (errno != ESRCH) failures_.add("pidfd_open", std::to_string(pid), pid, errno);
    return;
  }
  // The pid may have gone to another process before this; while the directory works it has not.
  std::string text;
  if (ProcSource::readWhole(process_directory, "stat", text) != 0) pidfd_.reset();
}

std::optional<AutopsyRecord> SocketExaminer::examine(int32_t fd, uint64_t inode,
                                                     const Clocks& started) {
  if (!pidfd_) return {};
  const FileHandle duplicate(duplicateFd(pidfd_.get(), fd));
  if (!duplicate) {
    // EBADF and ESRCH: closed or ended meanwhile.
    if (errno != EBADF && errno != ESRCH) {
      const int error = errno;
      failures_.add("pidfd_getfd", fmt::format("{}/fd/{}", pid_, fd), pid_, error);
      is_possible_ = error != ENOSYS;
      if (error == EPERM || error == ENOSYS) pidfd_.reset();
    }
    return {};
  }
  struct stat status {};
  if (fstat(duplicate.get(), &status) != 0 || !S_ISSOCK(status.st_mode) || status.st_ino != inode) {
    return {};
  }
  AutopsyRecord record{.inode = inode, .fd = fd};
  record.asked_at_ns = started.wall_ns + (nowNs(CLOCK_MONOTONIC) - started.monotonic_ns);
  record.local = localOf(duplicate.get());
  int peer_error = 0;
  // The peer first: a socket that is just being connected can show a TCP_INFO of both before and
  // after, but none that is connected already in its TCP_INFO has no peer yet.
  const bool is_ipv6 = record.local && record.local->address.length == 16;
  record.remote = peerOf(duplicate.get(), is_ipv6, peer_error);
  if (peer_error != 0) record.peer_error = peer_error;
  if (!readTcpInfo(duplicate.get(), record)) {
    const int error = errno;
    failures_.add("getsockopt", fmt::format("{}/fd/{}", pid_, fd), pid_, error);
    return {};
  }
  record.netns = netnsOfSocket(duplicate.get());
  return record;
}

std::optional<uint64_t> SocketExaminer::netnsOfSocket(int fd) {
  const uint64_t cookie = netnsCookieOf(fd);
  if (cookie == 0) return netnsOf(fd);
  const auto [known, is_new] = netns_.try_emplace(cookie);
  if (is_new) known->second = netnsOf(fd);
  return known->second;
}

}  // namespace fdmortem
