#include "schema/address.h"

#include <arpa/inet.h>

#include <array>
#include <stdexcept>

#include <fmt/core.h>

namespace fdmortem {

std::string formatEndpoint(std::string_view address, uint16_t port) {
  const bool is_ipv6 = address.size() == 16;
  if (!is_ipv6 && address.size() != 4) throw std::invalid_argument("not an Internet address");
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(is_ipv6 ? AF_INET6 : AF_INET, address.data(), text.data(), text.size());
  return is_ipv6 ? fmt::format("[{}]:{}", text.data(), port)
                 : fmt::format("{}:{}", text.data(), port);
}

}  // namespace fdmortem
