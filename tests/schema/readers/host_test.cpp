#include "schema/readers/host.h"

#include <gtest/gtest.h>

#include "tests/schema/readers/kernel_text.h"

namespace fdmortem::test {

namespace {

constexpr std::string_view kBootId = "5d2c1f80-9b34-4e6a-8a17-c3f0e9d4b26d\n";

TEST(FileNr, ReadsThreeNumbers) {
  const Parsed<FileNr> file_nr = parseFileNr("211\t0\t2466177\n");
  ASSERT_TRUE(file_nr) << file_nr.error();
  EXPECT_EQ(file_nr->allocated, 211U);
  EXPECT_EQ(file_nr->free, 0U);
  EXPECT_EQ(file_nr->maximum, 2466177U);
}

TEST(FileNr, ReadsTheLargestMaximum) {
  const Parsed<FileNr> file_nr = parseFileNr("1\t0\t18446744073709551615\n");
  ASSERT_TRUE(file_nr);
  EXPECT_EQ(file_nr->maximum, 18446744073709551615U);
}

TEST(FileNr, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "\n", "\n\n\n", "211\t0\n", "211\t0\t24661", "211\t0\t2466177\r\n",
        "211\t0\t2466177\t1\n", "211\t-1\t2466177\n", "211\t0\t18446744073709551616\n", "211 0 x\n",
        "211\t0\t2466177\n\n", "0x1\t0\t2\n", "+1\t0\t2\n"}) {
    EXPECT_FALSE(parseFileNr(text)) << text;
  }
}

TEST(Uptime, IsInMilliseconds) {
  EXPECT_EQ(parseUptimeMs("1086.09 2109.64\n"), 1086090U);
  EXPECT_EQ(parseUptimeMs("0.00 0.00\n"), 0U);
  EXPECT_EQ(parseUptimeMs("4294967296.99 1.00\n"), 4294967296990U);
}

TEST(Uptime, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "\n\n", "1086.09", "1086.09 2109.6", "1086 2109\n", "1086.9 2109.64\n",
        "1086.090 2109.64\n", "1086. 09\n", ".09 1.00\n", "-1.00 1.00\n", "1086.-9 1.00\n",
        "18446744073709551615.00 1.00\n", "18446744073709551616.00 1.00\n", "1086.09\r\n",
        "1e3.00 1.00\n"}) {
    EXPECT_FALSE(parseUptimeMs(text)) << text;
  }
}

TEST(SingleNumber, ReadsOneLine) {
  EXPECT_EQ(parseSingleNumber("1048576\n"), 1048576U);
  EXPECT_EQ(parseSingleNumber("9223372036854775807\n"), 9223372036854775807U);
  EXPECT_EQ(parseSingleNumber("18446744073709551615\n"), 18446744073709551615U);
}

TEST(SingleNumber, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "\n", "\n\n", "104857", "1048576\r\n", "-1\n", " 1\n", "1 \n", "1 2\n", "1\n2\n",
        "0x10\n", "18446744073709551616\n", "99999999999999999999\n", "1.5\n"}) {
    EXPECT_FALSE(parseSingleNumber(text)) << text;
  }
  EXPECT_FALSE(parseSingleNumber(std::string_view("1\0\n", 3)));
}

TEST(BootId, LosesItsNewline) {
  EXPECT_EQ(parseBootId(kBootId), "5d2c1f80-9b34-4e6a-8a17-c3f0e9d4b26d");
}

TEST(BootId, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "\n", "\n\n", "5d2c1f80-9b34-4e6a-8a17-c3f0e9d4b26d",
        "5d2c1f80-9b34-4e6a-8a17-c3f0e9d4b26\n", "5D2C1F80-9B34-4E6A-8A17-C3F0E9D4B26D\n",
        "5d2c1f80-9b34-4e6a-8a17-c3f0e9d4b26d\r\n", "5d2c1f809b34-4e6a-8a17-c3f0-e9d4b26d\n",
        "5d2c1f80-9b34-4e6a-8a17-c3f0e9d4b26g\n", "5d2c1f80-9b34-4e6a-8a17-c3f0e9d4b26d0\n"}) {
    EXPECT_FALSE(parseBootId(text)) << text;
  }
}

TEST(Host, ReadsThisMachine) {
  EXPECT_TRUE(parseFileNr(readFile("/proc/sys/fs/file-nr").value_or("")));
  EXPECT_TRUE(parseUptimeMs(readFile("/proc/uptime").value_or("")));
  EXPECT_TRUE(parseSingleNumber(readFile("/proc/sys/fs/nr_open").value_or("")));
  EXPECT_TRUE(parseSingleNumber(readFile("/proc/sys/fs/file-max").value_or("")));
  EXPECT_TRUE(parseBootId(readFile("/proc/sys/kernel/random/boot_id").value_or("")));
}

TEST(Host, SurvivesSpoiledTexts) {
  Mutator mutator;
  for (int i = 0; i < kMutationCount / 4; ++i) {
    expectSoundResult(parseFileNr(mutator.mutate("211\t0\t2466177\n")));
    expectSoundResult(parseUptimeMs(mutator.mutate("1086.09 2109.64\n")));
    expectSoundResult(parseSingleNumber(mutator.mutate("1048576\n")));
    expectSoundResult(parseBootId(mutator.mutate(std::string(kBootId))));
  }
}

}  // namespace

}  // namespace fdmortem::test
