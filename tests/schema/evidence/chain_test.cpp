#include "schema/evidence/chain.h"

#include <string>

#include <gtest/gtest.h>

#include "schema/evidence/row_digest.h"

namespace fdmortem::test {
namespace {

// As `printf abc | b2sum -l 256` says.
TEST(Digest, IsBlake2b256) {
  EXPECT_EQ(toHex(digestOf("abc")),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
}

TEST(Digest, IsReadFromItsDigits) {
  const Digest digest = digestOf("abc");
  EXPECT_EQ(parseDigest(toHex(digest)), digest);
  EXPECT_EQ(parseDigest("BDDD813C634239723171EF3FEE98579B94964E3BB1CB3E427262C8C068D52319"),
            digest);
  EXPECT_FALSE(parseDigest(""));
  EXPECT_FALSE(parseDigest(toHex(digest).substr(1)));
  EXPECT_FALSE(parseDigest(toHex(digest) + "00"));
  EXPECT_FALSE(parseDigest(std::string(63, 'a') + "g"));
  EXPECT_EQ(digestFromBytes(bytesOf(digest)), digest);
  EXPECT_FALSE(digestFromBytes("short"));
}

TEST(RowDigest, DependsOnEachValueItsTypeAndItsPlace) {
  RowDigest digest;
  const auto of = [&](HashedTable table, const auto&... fill) {
    RowBytes row;
    (fill(row), ...);
    digest.add(table, row);
    return toHex(digest.finish());
  };
  const auto one = [](RowBytes& row) { row.addInteger(1); };
  const auto none = [](RowBytes& row) { row.addNull(); };
  const auto text = [](RowBytes& row) { row.addBytes("1"); };
  const std::string base = of(HashedTable::Delay, one, none);
  EXPECT_EQ(of(HashedTable::Delay, one, none), base);
  EXPECT_NE(of(HashedTable::Delay, none, one), base);
  EXPECT_NE(of(HashedTable::Delay, text, none), base);
  EXPECT_NE(of(HashedTable::Delay, one), base);
  EXPECT_NE(of(HashedTable::Failure, one, none), base);
}

TEST(RowDigest, DependsOnTheOrderOfRows) {
  RowBytes a, b;
  a.addInteger(1);
  b.addInteger(2);
  RowDigest digest;
  digest.add(HashedTable::Delay, a);
  digest.add(HashedTable::Delay, b);
  const Digest forth = digest.finish();
  digest.add(HashedTable::Delay, b);
  digest.add(HashedTable::Delay, a);
  EXPECT_NE(digest.finish(), forth);
  digest.add(HashedTable::Delay, b);
  digest.reset();
  digest.add(HashedTable::Delay, a);
  digest.add(HashedTable::Delay, b);
  EXPECT_EQ(digest.finish(), forth);
}

TEST(ChainLink, IsOverAllOfIt) {
  const ChainLink link{.kind = LinkKind::Snapshot, .subject = 7, .content = digestOf("rows")};
  ChainLink other = link;
  EXPECT_EQ(other.value(), link.value());
  other.subject = 8;
  EXPECT_NE(other.value(), link.value());
  other = link;
  other.kind = LinkKind::RecorderEvent;
  EXPECT_NE(other.value(), link.value());
  other = link;
  other.previous = digestOf("before");
  EXPECT_NE(other.value(), link.value());
  other = link;
  other.content = digestOf("other rows");
  EXPECT_NE(other.value(), link.value());
}

}  // namespace
}  // namespace fdmortem::test
