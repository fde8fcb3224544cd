#include "schema/evidence/text_codec.h"

#include <random>
#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>

namespace fdmortem::test {
namespace {

/// A table of so many lines; each `step`-th is another one than with another `seed`.
std::string table(int lines, int step, unsigned seed) {
  std::mt19937 same(1), own(seed);
  std::string text;
  for (int i = 0; i < lines; ++i) {
    const auto common = same();
    text +=
        fmt::format("{:4}: 0100007F:{:04X} {:08X}\n", i, i % 65536, i % step == 0 ? own() : common);
  }
  return text;
}

TEST(TextCodec, GivesBackATextThatStandsAlone) {
  TextEncoder encoder;
  for (const std::string& text : {std::string(), std::string("x"), table(5000, 100, 2)}) {
    const auto decoded = decodeText(encoder.encode(text, {}), text.size(), {});
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded->view(), text);
  }
}

TEST(TextCodec, NeedsLittleForATextThatIsMostlyAsBefore) {
  const std::string before = table(20'000, 100, 2);
  const std::string after = table(20'000, 100, 3);
  TextEncoder encoder;
  const std::string frame = encoder.encode(after, before);
  EXPECT_LT(frame.size(), encoder.encode(after, {}).size() / 20);
  const auto decoded = decodeText(frame, after.size(), before);
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded->view(), after);
}

TEST(TextCodec, RefusesWhatIsNoFrameOfThatText) {
  TextEncoder encoder;
  const std::string text = table(1000, 10, 2);
  const std::string frame = encoder.encode(text, {});
  EXPECT_FALSE(decodeText("", text.size(), {}));
  EXPECT_FALSE(decodeText("no frame", text.size(), {}));
  EXPECT_FALSE(decodeText(frame.substr(0, frame.size() / 2), text.size(), {}));
  EXPECT_FALSE(decodeText(frame, text.size() - 1, {}));
  EXPECT_FALSE(decodeText(frame, text.size() + 1, {}));
  EXPECT_FALSE(decodeText(frame, kMaximumTextBytes + 1, {}));
}

TEST(TextCodec, NeverGivesMoreThanItWasAskedFor) {
  TextEncoder encoder;
  const std::string frame = encoder.encode(std::string(size_t{64} << 20, 'a'), {});
  EXPECT_LT(frame.size(), 10'000U);
  EXPECT_FALSE(decodeText(frame, 1000, {}));
}

}  // namespace
}  // namespace fdmortem::test
