// TCP sockets and numeric Internet addresses.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>

#include "schema/file_handle.h"

namespace fdmortem::demo {

/// An IPv4 or IPv6 address and a port. Names are never looked up.
class SocketAddress {
 public:
  /// `address` without brackets: 127.0.0.1, ::1. Throws std::invalid_argument.
  SocketAddress(const std::string& address, uint16_t port);
  /// ADDRESS:PORT or [ADDRESS]:PORT. Throws std::invalid_argument.
  static SocketAddress parse(const std::string& text);
  /// The address that `socket` is bound to.
  static SocketAddress localOf(int socket);

  /// As parse() takes it.
  std::string text() const;
  int family() const { return storage_.ss_family; }
  uint16_t port() const;
  const sockaddr* data() const;
  socklen_t size() const { return size_; }

 private:
  SocketAddress() = default;

  sockaddr_storage storage_{};
  socklen_t size_ = sizeof storage_;
};

/// A non-blocking listener; on an IPv6 wildcard address it takes IPv4 clients too.
FileHandle listenOn(const SocketAddress& address);

/// A non-blocking socket whose connection to `address` is under way, from `source` if given: once
/// it is writable, takeSocketError() tells how it went.
FileHandle startConnection(const SocketAddress& address,
                           const std::optional<SocketAddress>& source = {});

/// SO_ERROR: 0 or an errno value. Reading it clears it.
int takeSocketError(int socket);

/// Makes a later close() throw the connection away with a RST.
void resetOnClose(int socket);

/// errno as an exception, "what: reason".
[[noreturn]] void throwErrno(const std::string& what);

}  // namespace fdmortem::demo
