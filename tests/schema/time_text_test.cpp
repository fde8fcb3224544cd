#include "schema/time_text.h"

#include <limits>

#include <gtest/gtest.h>

namespace fdmortem::test {

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kNewYear2026 = 1'767'225'600 * kSecondNs;

TEST(FormatTime, IsUtcWithMilliseconds) {
  EXPECT_EQ(formatTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(formatTime(kNewYear2026), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(formatTime(kNewYear2026 + 45'296'789'999'999), "2026-01-01T12:34:56.789Z");
}

TEST(FormatTime, ATimeBefore1970) {
  EXPECT_EQ(formatTime(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(formatTime(-kSecondNs), "1969-12-31T23:59:59.000Z");
}

TEST(FormatTime, AnyNumberHasAText) {
  EXPECT_EQ(formatTime(std::numeric_limits<int64_t>::max()), "2262-04-11T23:47:16.854Z");
  EXPECT_EQ(formatTime(std::numeric_limits<int64_t>::min()), "1677-09-21T00:12:43.145Z");
}

TEST(ParseTime, IsTheReverse) {
  for (const int64_t time : {int64_t{0}, kNewYear2026, kNewYear2026 + 123'000'000, -kSecondNs}) {
    EXPECT_EQ(parseTime(formatTime(time)), time);
  }
}

TEST(ParseTime, WhatPeopleType) {
  const auto expected = kNewYear2026 + 45'240 * kSecondNs;  // 12:34:00
  for (const std::string_view text :
       {"2026-01-01T12:34:00Z", "2026-01-01T12:34:00", "2026-01-01 12:34:00", "2026-01-01T12:34",
        "2026-01-01 12:34", "2026-01-01T12:34Z", "2026-01-01T12:34:00.000Z"}) {
    EXPECT_EQ(parseTime(text), expected) << text;
  }
  EXPECT_EQ(parseTime("2026-01-01"), kNewYear2026);
}

TEST(ParseTime, Fractions) {
  EXPECT_EQ(parseTime("2026-01-01T00:00:00.5Z"), kNewYear2026 + 500'000'000);
  EXPECT_EQ(parseTime("2026-01-01T00:00:00.000000001Z"), kNewYear2026 + 1);
}

TEST(ParseTime, RefusesWhatIsNone) {
  for (const std::string_view text :
       {"", "now", "Z", "2026", "2026-13-01", "2026-01-01T25:00", "2026-01-01T12:34:00+1:00",
        "2026-01-01T12:34:00.Z", "2026-01-01T12:34:00.1234567890Z", "2026-01-01T12:34:00.1x",
        "2026-01-01 12:34 x"}) {
    EXPECT_FALSE(parseTime(text)) << text;
  }
}

TEST(ParseTime, Offsets) {
  const auto expected = kNewYear2026 + 45'240 * kSecondNs;  // 12:34:00
  for (const std::string_view text :
       {"2026-01-01T13:34:00+01:00", "2026-01-01T13:34+0100", "2026-01-01T13:34+01",
        "2026-01-01 07:04:00.0-05:30", "2026-01-01T12:34:00 UTC", "2026-01-01 12:34 +0000"}) {
    EXPECT_EQ(parseTime(text), expected) << text;
  }
  for (const std::string_view text :
       {"2026-01-01T12:34:00+24:00", "2026-01-01T12:34:00+01:60", "2026-01-01T12:34 CET",
        "2026-01-01+01:00", "2026-01-01Z", "12:34", "2026-01-01T12:34:00+010"}) {
    EXPECT_FALSE(parseTime(text)) << text;
  }
}

TEST(ParseTimePrefix, TellsWhatItTook) {
  const auto prefix = parseTimePrefix("2026-01-01T12:34:00Z deployed");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->length, 20U);
  EXPECT_TRUE(prefix->has_zone);
  const auto local = parseTimePrefix("2026-01-01 12:34 -05 degrees");
  ASSERT_TRUE(local);
  EXPECT_EQ(local->length, 16U);
  EXPECT_FALSE(local->has_zone);
  EXPECT_FALSE(parseTimePrefix("2026-01-01 deployed"));
  EXPECT_FALSE(parseTimePrefix("at 2026-01-01T12:34"));
}

TEST(ParseTimeEnd, IsTheLastMomentThatIsShownSo) {
  const int64_t time = 1'767'225'600'123'456'789;
  EXPECT_EQ(formatTime(*parseTimeEnd(formatTime(time))), formatTime(time));
  EXPECT_GE(*parseTimeEnd(formatTime(time)), time);
  EXPECT_NE(formatTime(*parseTimeEnd(formatTime(time)) + 1), formatTime(time));
  EXPECT_EQ(parseTimeEnd("2026-01-01T00:00:00.000000001Z"), kNewYear2026 + 1);
  EXPECT_GT(*parseTimeEnd("2262-04-11T23:47:15.999Z"), *parseTime("2262-04-11T23:47:15.999Z"));
  EXPECT_FALSE(parseTimeEnd("2262-04-11T23:47:16Z")) << "nanoseconds end within this second";
  EXPECT_FALSE(parseTimeEnd("12:34"));
}

TEST(ParseTime, RefusesADayThatDoesNotExist) {
  EXPECT_FALSE(parseTime("2026-02-30"));
}

TEST(ParseTime, RefusesATimeThatNanosecondsCanNotHold) {
  EXPECT_FALSE(parseTime("9999-01-01"));
  EXPECT_FALSE(parseTime("0001-01-01"));
}

}  // namespace

}  // namespace fdmortem::test
