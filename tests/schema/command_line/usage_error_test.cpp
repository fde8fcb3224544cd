#include "schema/command_line/usage_error.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fdmortem {
namespace {

const std::vector<std::string> kWords = {"report", "outlived", "sockets", "snapshots", "sql"};

TEST(UsageErrorTest, ASlipIsUnderstood) {
  EXPECT_EQ(closestWord("reprot", kWords), "report");
  EXPECT_EQ(closestWord("repor", kWords), "report");
  EXPECT_EQ(closestWord("outlifed", kWords), "outlived");
  EXPECT_EQ(closestWord("snapshot", kWords), "snapshots");
  EXPECT_EQ(closestWord("sqll", kWords), "sql");
}

TEST(UsageErrorTest, ABeginningIsUnderstoodIfItIsOfOneOnly) {
  EXPECT_EQ(closestWord("snap", kWords), "snapshots");
  EXPECT_EQ(closestWord("s", kWords), "");
}

TEST(UsageErrorTest, NothingIsMadeUp) {
  EXPECT_EQ(closestWord("dance", kWords), "");
  EXPECT_EQ(closestWord(std::string(100'000, 'r'), kWords), "");
  EXPECT_EQ(closestWord("report", {}), "");
}

}  // namespace
}  // namespace fdmortem
