#include "samples/demo_server/socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <system_error>

#include <fmt/format.h>

namespace fdmortem::demo {

namespace {

void setFlag(int socket, int level, int name, int value, const char* what) {
  if (::setsockopt(socket, level, name, &value, sizeof value) != 0) throwErrno(what);
}

FileHandle makeSocket(int family) {
  FileHandle fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (fd.get() < 0) throwErrno("socket");
  return fd;
}

}  // namespace

void throwErrno(const std::string& what) {
  throw std::system_error(errno, std::system_category(), what);
}

SocketAddress::SocketAddress(const std::string& address, uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    throw std::invalid_argument(fmt::format("address '{}': {}", address, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  size_ = std::min(found->ai_addrlen, static_cast<socklen_t>(sizeof storage_));
  std::memcpy(&storage_, found->ai_addr, size_);
}

SocketAddress SocketAddress::parse(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) {
    throw std::invalid_argument(fmt::format("'{}' is not ADDRESS:PORT", text));
  }
  std::string address = text.substr(0, colon);
  const bool has_brackets = address.size() >= 2 && address.front() == '[' && address.back() == ']';
  if (has_brackets) address = address.substr(1, address.size() - 2);
  // Without brackets nobody can tell where an IPv6 address ends.
  if (!has_brackets && address.find(':') != std::string::npos) {
    throw std::invalid_argument(fmt::format("'{}' is not [ADDRESS]:PORT", text));
  }
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc{} || stop != end) {
    throw std::invalid_argument(fmt::format("'{}' has no port number", text));
  }
  return {address, port};
}

SocketAddress SocketAddress::localOf(int socket) {
  SocketAddress result;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&result.storage_), &result.size_) != 0) {
    throwErrno("getsockname");
  }
  return result;
}

std::string SocketAddress::text() const {
  std::array<char, NI_MAXHOST> host{};
  const int error = ::getnameinfo(data(), size(), host.data(), static_cast<socklen_t>(host.size()),
                                  nullptr, 0, NI_NUMERICHOST);
  if (error != 0) throw std::runtime_error(fmt::format("getnameinfo: {}", ::gai_strerror(error)));
  if (family() == AF_INET6) return fmt::format("[{}]:{}", host.data(), port());
  return fmt::format("{}:{}", host.data(), port());
}

uint16_t SocketAddress::port() const {
  if (family() == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
}

const sockaddr* SocketAddress::data() const {
  return reinterpret_cast<const sockaddr*>(&storage_);
}

FileHandle listenOn(const SocketAddress& address) {
  FileHandle fd = makeSocket(address.family());
  // A server that starts again must not wait for the connections of the one before to time out.
  setFlag(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  if (address.family() == AF_INET6) {
    setFlag(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY");
  }
  if (::bind(fd.get(), address.data(), address.size()) != 0) {
    throwErrno("bind " + address.text());
  }
  if (::listen(fd.get(), SOMAXCONN) != 0) throwErrno("listen " + address.text());
  return fd;
}

FileHandle startConnection(const SocketAddress& address,
                           const std::optional<SocketAddress>& source) {
  FileHandle fd = makeSocket(address.family());
  if (source && ::bind(fd.get(), source->data(), source->size()) != 0) {
    throwErrno("bind " + source->text());
  }
  if (::connect(fd.get(), address.data(), address.size()) != 0 && errno != EINPROGRESS) {
    throwErrno("connect " + address.text());
  }
  return fd;
}

int takeSocketError(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

void resetOnClose(int socket) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (::setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0) {
    throwErrno("SO_LINGER");
  }
}

}  // namespace fdmortem::demo
