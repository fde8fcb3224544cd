#include "schema/evidence/text_bundle.h"

#include <string>

#include <gtest/gtest.h>

namespace fdmortem::test {
namespace {

TEST(TextBundle, GivesBackWhatWasAdded) {
  TextBundle bundle;
  bundle.add("4711/limits", "two\nlines\n");
  bundle.add("4711/cgroup", "");
  bundle.add("net:[4026531840]/tcp", std::string("a\0b", 3));
  const auto texts = parseTextBundle(bundle.bytes());
  ASSERT_TRUE(texts) << texts.error();
  EXPECT_EQ(*texts, (std::vector<BundledText>{{"4711/limits", "two\nlines\n"},
                                              {"4711/cgroup", ""},
                                              {"net:[4026531840]/tcp", {"a\0b", 3}}}));
  EXPECT_EQ(bundle.last(), std::string_view("a\0b", 3));
}

TEST(TextBundle, HasTheFormOfItsSpecification) {
  TextBundle bundle;
  bundle.add("7/stat", "x\n");
  bundle.add("uptime", "1.0 2.0\n");
  EXPECT_EQ(bundle.bytes(), "0000000002 7/stat\nx\n0000000008 uptime\n1.0 2.0\n");
}

TEST(TextBundle, HasNothingOfATextThatCouldNotBeRead) {
  TextBundle bundle;
  bundle.add("7/stat", "x\n");
  const std::string before = bundle.bytes();
  EXPECT_FALSE(bundle.add("7/io", [](std::string& /*bytes*/) { return false; }));
  EXPECT_EQ(bundle.bytes(), before);
}

TEST(TextBundle, CanBeCutBack) {
  TextBundle bundle;
  bundle.add("7/stat", "x\n");
  const std::string before = bundle.bytes();
  bundle.add("8/stat", "y\n");
  bundle.cutTo(before.size());
  EXPECT_EQ(bundle.bytes(), before);
  bundle.cutTo(before.size() + 100);
  EXPECT_EQ(bundle.bytes(), before);
}

TEST(ParseTextBundle, OfNothingIsNothing) {
  EXPECT_EQ(parseTextBundle(""), (std::vector<BundledText>{}));
}

TEST(ParseTextBundle, RefusesWhatIsNone) {
  for (const std::string_view bytes :
       {"x", "0000000002 7/stat", "0000000003 7/stat\nx\n", "2 7/stat\nx\n",
        "000000000a 7/stat\nx\n", "0000000002\n7/stat\nx\n", "0000000002 \nx\n",
        "0000000002 7/s at\nx\n", "0000000002 7/stat\x1b\nx\n", "9999999999 7/stat\nx\n",
        "0000000002 7/stat\nx\n0"}) {
    EXPECT_FALSE(parseTextBundle(bytes)) << bytes;
  }
}

}  // namespace
}  // namespace fdmortem::test
