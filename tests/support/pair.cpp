#include "tests/support/pair.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "tests/support/process.h"

namespace fdmortem::test {

Pair makePair(const Socket& listener, const std::string& client_ip) {
  Pair pair;
  pair.peer = connectTo(Address(client_ip, listener.local().port()));
  pair.subject = listener.accept();
  return pair;
}

void receiveAll(const Socket& socket, size_t length) {
  std::string buffer(length, '\0');
  if (recv(socket.fd(), buffer.data(), length, MSG_WAITALL) != static_cast<ssize_t>(length)) {
    throw std::system_error(errno, std::generic_category(), "recv");
  }
}

void awaitEnd(const Socket& socket) {
  pollfd poll_fd{socket.fd(), 0, 0};  // POLLERR and POLLHUP need not be asked for
  if (poll(&poll_fd, 1, static_cast<int>(kDeadline.count())) != 1)
    throw std::runtime_error("the connection does not end");
}

nlohmann::json endByReset(Pair& pair) {
  nlohmann::json description = describe(pair.subject);
  pair.peer.reset();
  awaitEnd(pair.subject);
  return description;
}

nlohmann::json endByFins(Pair& pair) {
  nlohmann::json description = describe(pair.subject);
  shutdown(pair.subject.fd(), SHUT_WR);
  pair.peer.close();
  awaitEnd(pair.subject);
  return description;
}

}  // namespace fdmortem::test
