#include "analyze/import/read_ahead.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace fdmortem::test {
namespace {

constexpr int64_t kMany = 1000;

std::vector<int64_t> allOf(ReadAhead& blocks) {
  std::vector<int64_t> numbers;
  for (RowBlock block; blocks.next(block);) {
    EXPECT_EQ(block.rows, 1U);
    numbers.insert(numbers.end(), block.numbers.begin(), block.numbers.end());
  }
  return numbers;
}

void put(RowBlock& block, int64_t number) {
  EXPECT_EQ(block.rows, 0U);
  EXPECT_TRUE(block.numbers.empty());
  block.rows = 1;
  block.numbers.push_back(number);
}

TEST(ReadAhead, GivesAllInTheirOrder) {
  int64_t last = 0;
  ReadAhead blocks([&](RowBlock& block) {
    put(block, ++last);
    return last <= kMany;
  });
  const std::vector<int64_t> numbers = allOf(blocks);
  ASSERT_EQ(numbers.size(), static_cast<size_t>(kMany));
  for (int64_t i = 0; i < kMany; ++i)
    EXPECT_EQ(numbers[static_cast<size_t>(i)], i + 1);
}

TEST(ReadAhead, ThrowsWhatWasThrownAfterWhatWasReadBefore) {
  int64_t last = 0;
  ReadAhead blocks([&](RowBlock& block) {
    if (last == 3) throw std::runtime_error("row 4");
    put(block, ++last);
    return true;
  });
  RowBlock block;
  for (int64_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(blocks.next(block));
    EXPECT_EQ(block.numbers, std::vector<int64_t>{i});
  }
  EXPECT_THROW(blocks.next(block), std::runtime_error);
}

TEST(ReadAhead, LeavesOffWhenNobodyAsksAnyMore) {
  std::atomic<int64_t> read = 0;
  {
    ReadAhead blocks([&](RowBlock& block) {
      put(block, ++read);
      return true;
    });
    RowBlock block;
    ASSERT_TRUE(blocks.next(block));
  }
  EXPECT_LT(read, kMany);  // no more than a few ahead
}

}  // namespace
}  // namespace fdmortem::test
