// Sockets for tests, and what the kernel's tables say of them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "schema/file_handle.h"

namespace fdmortem::test {

/// An Internet address with a port; its text is as fdanalyze prints it.
class Address {
 public:
  Address() = default;
  /// `ip` is a numeric address of either family.
  Address(const std::string& ip, uint16_t port);

  int family() const { return storage_.ss_family; }
  uint16_t port() const;
  std::string text() const;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage_); }
  socklen_t size() const;

 private:
  sockaddr_storage storage_{};
};

/// A socket that is closed when it goes. Everything throws std::system_error when it fails.
class Socket {
 public:
  Socket() = default;
  Socket(int family, int type, int protocol = 0);
  explicit Socket(FileHandle fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  uint64_t inode() const;
  Address local() const;
  Address peer() const;

  void bind(const Address& address) const;
  void listen(int backlog) const;
  void connect(const Address& address) const;
  Socket accept() const;
  void send(std::string_view text) const;

  void close() { fd_.reset(); }
  /// Closes it with a RST to the peer.
  void reset();

 private:
  FileHandle fd_;
};

/// A TCP listener; port 0 lets the kernel choose.
Socket listenOn(const std::string& ip, uint16_t port = 0, int backlog = 1024);
Socket connectTo(const Address& address);
std::vector<Socket> connectTimes(const Address& address, size_t count);
std::vector<Socket> acceptTimes(const Socket& listener, size_t count);

/// What a socket is, for comparison with rows of `fdanalyze sockets`: fd, inode, local and remote.
nlohmann::json describe(const Socket& socket);
nlohmann::json describeAll(const std::vector<Socket>& sockets);
nlohmann::json localsOf(const std::vector<Socket>& sockets);

/// Binds it to a name in the file system, or to an abstract one if that begins with '@'.
void bindUnix(const Socket& socket, const std::string& name);
void connectUnix(const Socket& socket, const std::string& name);

/// Sends and takes an fd (SCM_RIGHTS).
void passFd(int unix_socket, int fd);
FileHandle takeFd(int unix_socket);

/// How many sockets with an owner the TCP tables of a process's network namespace list with this
/// local port in this state (as the kernel numbers it).
size_t countInTables(pid_t pid, uint16_t local_port, int state);

/// How many connections wait at the listener with this port until they are accepted.
size_t acceptQueueLength(pid_t pid, uint16_t local_port);

inline constexpr int kEstablished = 1;
inline constexpr int kSynSent = 2;
inline constexpr int kFinWait2 = 5;
inline constexpr int kCloseWait = 8;

}  // namespace fdmortem::test
