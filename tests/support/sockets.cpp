#include "tests/support/sockets.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fdmortem::test {

namespace {

void check(int result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

struct UnixName {
  sockaddr_un address{};
  socklen_t size = 0;
};

UnixName unixName(const std::string& name) {
  UnixName result;
  if (name.size() >= sizeof result.address.sun_path) throw std::length_error(name);
  result.address.sun_family = AF_UNIX;
  std::memcpy(result.address.sun_path, name.data(), name.size());
  const bool is_abstract = name.starts_with('@');
  if (is_abstract) result.address.sun_path[0] = '\0';
  result.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (is_abstract ? 0 : 1));
  return result;
}

/// Room for one fd beside a message.
union Control {
  std::array<char, CMSG_SPACE(sizeof(int))> bytes{};
  cmsghdr header;
};

struct TableRow {
  int state;
  size_t receive_queue;
  std::string inode;
};

std::vector<TableRow> rowsOf(pid_t pid, uint16_t local_port) {
  constexpr int kHexadecimal = 16;
  std::vector<TableRow> rows;
  for (const char* table : {"tcp", "tcp6"}) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/net/" + table);
    std::string line;
    std::getline(file, line);  // the header
    while (std::getline(file, line)) {
      std::istringstream words(line);
      const std::vector<std::string> word{std::istream_iterator<std::string>(words), {}};
      if (word.size() < 10) continue;
      const auto after_colon = [&](size_t i) {
        return std::stoul(word[i].substr(word[i].find(':') + 1), nullptr, kHexadecimal);
      };
      if (after_colon(1) != local_port) continue;
      rows.push_back({std::stoi(word[3], nullptr, kHexadecimal), after_colon(4), word[9]});
    }
  }
  return rows;
}

}  // namespace

Address::Address(const std::string& ip, uint16_t port) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage_);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage_);
  if (::inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
  } else if (::inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
  } else {
    throw std::invalid_argument(ip);
  }
}

uint16_t Address::port() const {
  // At the same place in both.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
}

std::string Address::text() const {
  std::array<char, INET6_ADDRSTRLEN> ip{};
  const bool is_v4 = family() == AF_INET;
  const void* address =
      is_v4 ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr)
            : &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr;
  if (::inet_ntop(family(), address, ip.data(), ip.size()) == nullptr) check(-1, "inet_ntop");
  const std::string host = is_v4 ? ip.data() : "[" + std::string(ip.data()) + "]";
  return host + ":" + std::to_string(port());
}

socklen_t Address::size() const {
  return family() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
}

Socket::Socket(int family, int type, int protocol)
    : fd_(::socket(family, type | SOCK_CLOEXEC, protocol)) {
  check(fd_.get(), "socket");
}

uint64_t Socket::inode() const {
  struct stat status {};
  check(::fstat(fd_.get(), &status), "fstat");
  return status.st_ino;
}

Address Socket::local() const {
  Address address;
  socklen_t size = sizeof(sockaddr_storage);
  check(::getsockname(fd_.get(), address.get(), &size), "getsockname");
  return address;
}

Address Socket::peer() const {
  Address address;
  socklen_t size = sizeof(sockaddr_storage);
  check(::getpeername(fd_.get(), address.get(), &size), "getpeername");
  return address;
}

void Socket::bind(const Address& address) const {
  check(::bind(fd_.get(), address.get(), address.size()), "bind " + address.text());
}

void Socket::listen(int backlog) const {
  check(::listen(fd_.get(), backlog), "listen");
}

void Socket::connect(const Address& address) const {
  check(::connect(fd_.get(), address.get(), address.size()), "connect " + address.text());
}

Socket Socket::accept() const {
  FileHandle fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  check(fd.get(), "accept4");
  return Socket(std::move(fd));
}

void Socket::send(std::string_view text) const {
  const ssize_t size = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
  check(size == static_cast<ssize_t>(text.size()) ? 0 : -1, "send");
}

void Socket::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  check(::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now), "SO_LINGER");
  close();
}

Socket listenOn(const std::string& ip, uint16_t port, int backlog) {
  const Address address(ip, port);
  Socket socket(address.family(), SOCK_STREAM);
  const int on = 1;
  check(::setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
  socket.bind(address);
  socket.listen(backlog);
  return socket;
}

Socket connectTo(const Address& address) {
  Socket socket(address.family(), SOCK_STREAM);
  socket.connect(address);
  return socket;
}

std::vector<Socket> connectTimes(const Address& address, size_t count) {
  std::vector<Socket> sockets;
  for (size_t i = 0; i < count; ++i)
    sockets.push_back(connectTo(address));
  return sockets;
}

std::vector<Socket> acceptTimes(const Socket& listener, size_t count) {
  std::vector<Socket> sockets;
  for (size_t i = 0; i < count; ++i)
    sockets.push_back(listener.accept());
  return sockets;
}

nlohmann::json describe(const Socket& socket) {
  return {{"fd", socket.fd()},
          {"inode", socket.inode()},
          {"local", socket.local().text()},
          {"remote", socket.peer().text()}};
}

nlohmann::json describeAll(const std::vector<Socket>& sockets) {
  auto array = nlohmann::json::array();
  for (const Socket& socket : sockets)
    array.push_back(describe(socket));
  return array;
}

nlohmann::json localsOf(const std::vector<Socket>& sockets) {
  auto array = nlohmann::json::array();
  for (const Socket& socket : sockets)
    array.push_back(socket.local().text());
  return array;
}

void bindUnix(const Socket& socket, const std::string& name) {
  const UnixName at = unixName(name);
  check(::bind(socket.fd(), reinterpret_cast<const sockaddr*>(&at.address), at.size), name);
}

void connectUnix(const Socket& socket, const std::string& name) {
  const UnixName to = unixName(name);
  check(::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&to.address), to.size), name);
}

void passFd(int unix_socket, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  Control control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  check(static_cast<int>(::sendmsg(unix_socket, &message, MSG_NOSIGNAL)), "sendmsg");
}

FileHandle takeFd(int unix_socket) {
  char byte = 0;
  iovec data{&byte, 1};
  Control control;
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  check(static_cast<int>(::recvmsg(unix_socket, &message, MSG_CMSG_CLOEXEC)), "recvmsg");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) throw std::runtime_error("no fd came");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return FileHandle(fd);
}

size_t countInTables(pid_t pid, uint16_t local_port, int state) {
  // A row can be in a table twice while others change.
  std::set<std::string> inodes;
  for (const TableRow& row : rowsOf(pid, local_port)) {
    if (row.state == state && row.inode != "0") inodes.insert(row.inode);
  }
  return inodes.size();
}

size_t acceptQueueLength(pid_t pid, uint16_t local_port) {
  constexpr int kListen = 10;
  for (const TableRow& row : rowsOf(pid, local_port)) {
    if (row.state == kListen) return row.receive_queue;
  }
  return 0;
}

}  // namespace fdmortem::test
