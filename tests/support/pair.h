// Connections whose end a test brings about.
#pragma once

#include <cstddef>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/sockets.h"

namespace fdmortem::test {

/// Both ends of a connection; the accepted one is the subject.
struct Pair {
  Socket subject;
  Socket peer;
};

/// Everything here throws std::system_error or std::runtime_error when it fails.
Pair makePair(const Socket& listener, const std::string& client_ip);

void receiveAll(const Socket& socket, size_t length);

/// Until the socket has heard of its connection's end.
void awaitEnd(const Socket& socket);

/// Both give what describe() says while it is connected, which afterwards only an autopsy can.
nlohmann::json endByReset(Pair& pair);
nlohmann::json endByFins(Pair& pair);

}  // namespace fdmortem::test
