#include "analyze/import/flat_map.h"

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace fdmortem::test {
namespace {

TEST(FlatMap, FindsWhatWasPutIn) {
  FlatMap<int64_t> map;
  EXPECT_EQ(map.find(0), nullptr);
  const std::vector<uint64_t> keys = {0, 1, UINT64_MAX, 1ULL << 63U, 1ULL << 32U};
  for (size_t i = 0; i < keys.size(); ++i)
    EXPECT_TRUE(map.tryEmplace(keys[i], static_cast<int64_t>(i)).second);
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_FALSE(map.tryEmplace(keys[i], 77).second);
    EXPECT_EQ(*map.find(keys[i]), static_cast<int64_t>(i));
  }
  EXPECT_EQ(map.find(2), nullptr);
}

TEST(FlatMap, NumbersThatWereChosenToCollideAreAsFastAsOthers) {
  // Multiples of the inverse of the golden ratio's 64 bits, with which such maps are often made:
  // were it the factor here too, this would take minutes.
  constexpr uint64_t kInverse = 0xf1de83e19937733d;
  static_assert(kInverse * 0x9e3779b97f4a7c15 == 1);
  constexpr uint64_t kCount = 300'000;
  FlatMap<uint64_t> map;
  for (uint64_t i = 0; i < kCount; ++i)
    map.tryEmplace(i * kInverse, i);
  for (uint64_t i = 0; i < kCount; ++i)
    ASSERT_EQ(*map.find(i * kInverse), i);
}

}  // namespace
}  // namespace fdmortem::test
