// Internet addresses as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fdmortem {

/// `192.0.2.7:9091` or `[2001:db8::1]:9091`, `[::ffff:192.0.2.7]:9091` where mapped. `address` is 4
/// or 16 bytes in network order; anything else throws std::invalid_argument.
std::string formatEndpoint(std::string_view address, uint16_t port);

}  // namespace fdmortem
