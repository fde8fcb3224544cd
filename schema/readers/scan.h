// What the readers share: lines, fields and strict numbers. Internal to schema/readers.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <fmt/format.h>

#include "schema/readers/result.h"

namespace fdmortem::scan {

/// The kernel separates columns with spaces and tabs only; a '\r' or a NUL is a byte like any
/// other, so that a text which something has rewritten does not pass for the kernel's.
constexpr bool isBlank(char byte) {
  return byte == ' ' || byte == '\t';
}

inline constexpr size_t kWordDigits = 8;  // "%08X", most of what a socket table holds
inline constexpr uint8_t kNoHexDigit = 0xFF;

/// The value of each byte as a hexadecimal digit.
inline constexpr std::array<uint8_t, 256> kHexDigits = [] {
  std::array<uint8_t, 256> digits = {};
  digits.fill(kNoHexDigit);
  for (uint8_t i = 0; i < 10; ++i)
    digits[size_t{'0'} + i] = i;
  for (uint8_t i = 0; i < 6; ++i) {
    digits[size_t{'a'} + i] = digits[size_t{'A'} + i] = static_cast<uint8_t>(10 + i);
  }
  return digits;
}();

constexpr uint8_t hexDigit(char byte) {
  return kHexDigits[static_cast<unsigned char>(byte)];
}

constexpr bool isHexDigit(char byte) {
  return hexDigit(byte) != kNoHexDigit;
}

/// The first eight bytes of `text` are hexadecimal digits. No branch for each digit, since a table
/// has tens of thousands of addresses.
inline bool takeHexWord(std::string_view text, uint32_t& word) {
  if (text.size() < kWordDigits) return false;
  uint32_t value = 0;
  uint32_t seen = 0;
  for (size_t i = 0; i < kWordDigits; ++i) {
    const uint32_t digit = hexDigit(text[i]);
    seen |= digit;
    value = value << 4U | (digit & 0xFU);
  }
  word = value;
  return seen <= 0xF;
}

/// A position in a text. Every step that succeeds moves it on; after one that fails it is anywhere.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  std::string_view rest() const { return {at_, size()}; }
  bool isAtEnd() const { return at_ == end_; }
  size_t size() const { return static_cast<size_t>(end_ - at_); }

  /// Whether a column may end here.
  bool isAtBoundary() const { return isAtEnd() || isBlank(*at_); }

  void skipBlanks() {
    while (at_ != end_ && isBlank(*at_))
      ++at_;
  }

  /// At most rest().size() bytes.
  void skip(size_t count) { at_ += count; }

  bool literal(char expected) {
    if (isAtEnd() || *at_ != expected) return false;
    ++at_;
    return true;
  }

  bool literal(std::string_view expected) {
    if (!rest().starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  /// Digits from here on, a '-' before them if Number has a sign. Fails where Number is too small.
  template <int kBase = 10, class Number>
  bool number(Number& value) {
    if constexpr (kBase == 16) return hexNumber(value);
    const std::from_chars_result result = std::from_chars(at_, end_, value, kBase);
    at_ = result.ptr;
    return result.ec == std::errc();
  }

  /// A number that is a column of its own, blanks before it.
  template <int kBase = 10, class Number>
  bool column(Number& value) {
    skipBlanks();
    return number<kBase>(value) && isAtBoundary();
  }

  /// The next bytes up to a blank; empty at the end.
  std::string_view word() {
    skipBlanks();
    const char* const begin = at_;
    while (!isAtBoundary())
      ++at_;
    return {begin, static_cast<size_t>(at_ - begin)};
  }

  /// The next words are those of `expected`.
  bool words(std::string_view expected) {
    Cursor wanted(expected);
    for (std::string_view word = wanted.word(); !word.empty(); word = wanted.word()) {
      if (this->word() != word) return false;
    }
    return true;
  }

 private:
  /// Faster than std::from_chars, which counts: most columns of a socket table are hexadecimal.
  template <class Number>
  bool hexNumber(Number& value) {
    static_assert(std::is_unsigned_v<Number>);
    constexpr auto kHighestDigit = static_cast<Number>(~(std::numeric_limits<Number>::max() >> 4U));
    const char* const begin = at_;
    Number number = 0;
    for (; at_ != end_ && isHexDigit(*at_); ++at_) {
      if ((number & kHighestDigit) != 0) return false;
      number = static_cast<Number>(number << 4U | hexDigit(*at_));
    }
    value = number;
    return at_ != begin;
  }

  const char* at_;
  const char* end_;
};

/// The whole text is one number and nothing else.
template <int kBase = 10, class Number>
bool isNumber(std::string_view text, Number& value) {
  Cursor cursor(text);
  return cursor.number<kBase>(value) && cursor.isAtEnd();
}

/// As isNumber, and printed as the kernel prints it: without sign and leading zeros. Names of fds
/// and inode links are compared as text elsewhere, so that two texts must not mean the same number.
template <class Number>
bool isCanonicalNumber(std::string_view text, Number& value) {
  if (text.empty() || text.front() == '-') return false;
  if (text.front() == '0' && text.size() > 1) return false;
  return isNumber(text, value);
}

/// `PREFIX:[N]`, a link to an inode that has no path.
inline bool isInodeLink(std::string_view link, std::string_view prefix, uint64_t& inode) {
  if (!link.starts_with(prefix)) return false;
  link.remove_prefix(prefix.size());
  if (!link.starts_with(":[") || !link.ends_with(']')) return false;
  return isCanonicalNumber(link.substr(2, link.size() - 3), inode);
}

/// The lines of a text one by one, without their newlines.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const size_t length = rest_.find('\n');
    is_cut_ = length == std::string_view::npos;
    line = rest_.substr(0, length);
    rest_.remove_prefix(is_cut_ ? rest_.size() : length + 1);
    ++number_;
    return true;
  }

  /// The line given last has no newline: the text was cut in it.
  bool isCut() const { return is_cut_; }
  /// Of the line given last, from 1.
  size_t number() const { return number_; }

 private:
  std::string_view rest_;
  bool is_cut_ = false;
  size_t number_ = 0;
};

inline constexpr std::string_view kCutLine = "it is cut, a newline is missing";

template <class Row>
void addBadLine(ParsedTable<Row>& table, size_t line_number, std::string_view reason) {
  if (table.bad_line_count++ > 0) return;
  table.first_bad_line = fmt::format("line {}: {}", line_number, reason);
}

/// Gives each line that is left to `parse_row(line, row)`, which says what is wrong with it or
/// nothing.
template <class Row, class ParseRow>
void parseRows(Lines& lines, ParsedTable<Row>& table, const ParseRow& parse_row) {
  std::string_view line;
  while (lines.next(line)) {
    Row& row = table.rows.emplace_back();
    const std::string_view reason = lines.isCut() ? kCutLine : parse_row(line, row);
    if (reason.empty()) continue;
    table.rows.pop_back();
    addBadLine(table, lines.number(), reason);
  }
}

}  // namespace fdmortem::scan
