#include "capture/redaction.h"

#include <set>

#include <gtest/gtest.h>

#include "schema/address.h"

namespace fdmortem::test {

namespace {

constexpr Redaction kAll{.cmdline = true, .paths = true, .addresses = true};

IpAddress ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  return {.bytes = {a, b, c, d}, .length = 4};
}

IpAddress mapped(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  return {.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}, .length = 16};
}

std::string text(const IpAddress& address) {
  return formatEndpoint(address.view(), 1);
}

TEST(Redaction, WhatIsNotAskedForStays) {
  Redactor redactor({});
  EXPECT_EQ(redactor.path("/srv/secret"), "/srv/secret");
  EXPECT_EQ(redactor.cmdline(std::string("a\0b\0", 4)), std::string("a\0b\0", 4));
  EXPECT_EQ(redactor.address(ipv4(192, 0, 2, 7)), ipv4(192, 0, 2, 7));
}

TEST(Redaction, TheSamePathHasTheSamePseudonymAndFoldersStayFolders) {
  const Redactor redactor(kAll);
  const std::string a = redactor.path("/srv/secret/a.log");
  const std::string b = redactor.path("/srv/secret/b.log");
  EXPECT_EQ(a, redactor.path("/srv/secret/a.log"));
  EXPECT_NE(a, b);
  EXPECT_EQ(a.substr(0, a.rfind('/')), b.substr(0, b.rfind('/')));
  EXPECT_EQ(a.find("secret"), std::string::npos);
  EXPECT_EQ(a.find("log"), std::string::npos);
}

TEST(Redaction, TheKernelsOwnWordsStay) {
  const Redactor redactor(kAll);
  EXPECT_EQ(redactor.path("anon_inode:[eventpoll]"), "anon_inode:[eventpoll]");
  EXPECT_EQ(redactor.path("/"), "/");
  EXPECT_TRUE(redactor.path("/tmp/x (deleted)").ends_with(" (deleted)"));
  EXPECT_TRUE(redactor.path("/memfd:name (deleted)").starts_with("/memfd:r-"));
  EXPECT_EQ(redactor.path("net:[4026531840]"), "net:[4026531840]");
  EXPECT_TRUE(redactor.path("(unreachable)/secret").starts_with("r-"));
  EXPECT_TRUE(redactor.path("(unreachable)/secret:[1]").starts_with("r-"));
  EXPECT_TRUE(redactor.path("anon_inode:/secret").starts_with("r-"));
  EXPECT_TRUE(redactor.socketName("@abstract").starts_with("@r-"));
  EXPECT_TRUE(redactor.socketName("relative.sock").starts_with("r-"));
  EXPECT_EQ(redactor.path(""), "");
}

TEST(Redaction, OtherKeysGiveOtherPseudonyms) {
  EXPECT_NE(Redactor(kAll).path("/srv"), Redactor(kAll).path("/srv"));
  EXPECT_NE(Redactor(kAll).cmdline("x"), Redactor(kAll).cmdline("x"));
}

TEST(Redaction, AddressesBecomeOnesThatNobodyHas) {
  Redactor redactor(kAll);
  const IpAddress a = redactor.address(ipv4(192, 0, 2, 7));
  EXPECT_EQ(a.length, 4);
  EXPECT_GE(a.bytes[0], 240);
  EXPECT_EQ(a, redactor.address(ipv4(192, 0, 2, 7)));
  // The same host is the same one through a dual-stack listener.
  EXPECT_EQ(text(redactor.address(mapped(192, 0, 2, 7))),
            "[::ffff:" + text(a).substr(0, text(a).find(':')) + "]:1");
  const IpAddress ipv6{.bytes = {0x2a, 1, 2, 3}, .length = 16};
  EXPECT_TRUE(text(redactor.address(ipv6)).starts_with("[2001:db8:"));
}

TEST(Redaction, UnspecifiedAndLoopbackAddressesSayNothingAndStay) {
  Redactor redactor(kAll);
  for (const IpAddress& address :
       {ipv4(0, 0, 0, 0), ipv4(127, 0, 0, 1), ipv4(127, 9, 9, 9), mapped(127, 0, 0, 1),
        IpAddress{.bytes = {}, .length = 16},
        IpAddress{.bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, .length = 16}}) {
    EXPECT_EQ(redactor.address(address), address);
  }
}

TEST(Redaction, TwoAddressesNeverBecomeOne) {
  Redactor redactor(kAll);
  std::set<IpAddress> pseudonyms;
  constexpr int kCount = 60'000;  // enough for some six that fall on one number of 28 bits
  for (int i = 0; i < kCount; ++i) {
    pseudonyms.insert(redactor.address(ipv4(
        10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i))));
  }
  EXPECT_EQ(pseudonyms.size(), kCount);
}

TEST(Redaction, PathsInArgumentsGo) {
  const Redactor redactor({.paths = true});
  EXPECT_EQ(redactor.argument("--comm"), "--comm");
  EXPECT_EQ(redactor.argument("pushgateway"), "pushgateway");
  EXPECT_TRUE(redactor.argument("--output=/srv/x.db").starts_with("--output=r-"));
  EXPECT_TRUE(redactor.argument("srv/x.db").starts_with("r-"));
}

TEST(Redaction, AsACommandLineOnesOwnArgumentsAreHiddenButForNumbers) {
  const Redactor redactor({.cmdline = true});
  for (const char* plain : {"record", "--comm", "-p4711", "4711", "10s", "--max-size=200M", "80%",
                            "cmdline,paths", "--redact=cmdline", "-v", "--progress=never"}) {
    EXPECT_EQ(redactor.argument(plain), plain);
  }
  EXPECT_TRUE(redactor.argument("secret").starts_with("r-"));
  EXPECT_TRUE(redactor.argument("10.0.0.1").starts_with("r-"));
  EXPECT_TRUE(redactor.argument("--note=for secret").starts_with("--note=r-"));
  EXPECT_TRUE(redactor.argument("-osecret.db").starts_with("-or-"));
}

}  // namespace

}  // namespace fdmortem::test
