#include "schema/address.h"

#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace fdmortem::test {

using namespace std::string_view_literals;

namespace {

TEST(FormatEndpoint, Ipv4) {
  EXPECT_EQ(formatEndpoint("\xc0\x00\x02\x07"sv, 9091), "192.0.2.7:9091");
  EXPECT_EQ(formatEndpoint(std::string(4, '\0'), 0), "0.0.0.0:0");
  EXPECT_EQ(formatEndpoint("\xff\xff\xff\xff"sv, 65535), "255.255.255.255:65535");
}

TEST(FormatEndpoint, Ipv6) {
  std::string address("\x20\x01\x0d\xb8", 4);
  address += std::string(11, '\0') + '\x01';
  EXPECT_EQ(formatEndpoint(address, 9091), "[2001:db8::1]:9091");
  EXPECT_EQ(formatEndpoint(std::string(16, '\0'), 80), "[::]:80");
}

TEST(FormatEndpoint, Ipv4MappedIntoIpv6) {
  const std::string address = std::string(10, '\0') + "\xff\xff\xc0" + '\0' + "\x02\x07";
  EXPECT_EQ(formatEndpoint(address, 9091), "[::ffff:192.0.2.7]:9091");
}

TEST(FormatEndpoint, RefusesOtherLengths) {
  for (const size_t length : {0, 1, 3, 5, 15, 17}) {
    EXPECT_THROW(formatEndpoint(std::string(length, 'x'), 1), std::invalid_argument) << length;
  }
}

}  // namespace

}  // namespace fdmortem::test
