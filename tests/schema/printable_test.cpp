#include "schema/printable.h"

#include <gtest/gtest.h>

namespace fdmortem::test {

namespace {

TEST(Printable, LeavesPlainNamesAlone) {
  for (const std::string_view name :
       {"", "pushgateway", "/var/log/a b.log", "socket:[94859722]", "'\"$&|;<>", "~"}) {
    EXPECT_EQ(printable(name), name);
  }
}

TEST(Printable, LeavesOtherScriptsAlone) {
  for (const std::string_view name : {"Größe", "наблюдатель", "監視", "\U0001F600", "ی"}) {
    EXPECT_EQ(printable(name), name);
  }
}

TEST(Printable, EscapesControlCharacters) {
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(printable("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(printable(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(printable("\u0085\u009b"), "\\u{0085}\\u{009b}");
}

TEST(Printable, DoublesBackslashesSoThatItCanBeReadBack) {
  EXPECT_EQ(printable("a\\nb"), "a\\\\nb");
  EXPECT_NE(printable("a\\nb"), printable("a\nb"));
}

TEST(Printable, EscapesWhatIsNotUtf8ByteByByte) {
  struct {
    std::string_view bytes;
    std::string_view text;
  } const kCases[] = {
      {"\xff", "\\xff"},
      {"a\x80z", "a\\x80z"},
      {"\xc3", "\\xc3"},                             // cut
      {"\xe2\x82", "\\xe2\\x82"},                    // cut
      {"\xc0\xaf", "\\xc0\\xaf"},                    // too long a form
      {"\xe0\x80\x80", "\\xe0\\x80\\x80"},           // too long a form
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond U+10FFFF
      {"\xc3\x28", "\\xc3("},
  };
  for (const auto& [bytes, text] : kCases) {
    EXPECT_EQ(printable(bytes), text);
  }
}

TEST(Printable, EscapesWhatChangesHowItsNeighboursLook) {
  EXPECT_EQ(printable("a\u202etxt.exe"), "a\\u{202e}txt.exe");
  EXPECT_EQ(printable("a\u200bb"), "a\\u{200b}b");
  EXPECT_EQ(printable("\u2028\u2029"), "\\u{2028}\\u{2029}");
  EXPECT_EQ(printable("\ufeff"), "\\u{feff}");
  EXPECT_EQ(printable("\U000e0041"), "\\u{e0041}");
  EXPECT_EQ(printable("\u2066\u2069"), "\\u{2066}\\u{2069}");
}

TEST(Printable, IsAlwaysOneLine) {
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text = printable(std::string(3, static_cast<char>(byte)));
    EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos) << byte;
    EXPECT_FALSE(text.empty()) << byte;
  }
}

}  // namespace

}  // namespace fdmortem::test
