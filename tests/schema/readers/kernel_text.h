// What the tests of the readers share: texts as a kernel writes them, and ways to spoil them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "schema/readers/result.h"

namespace fdmortem::test {

/// A line as seq_pad() ends it: filled with spaces up to `width`, then a newline. Texts that are
/// padded are put together with this because editors strip spaces at the end of a line.
inline std::string padded(std::string_view text, size_t width) {
  std::string line(text);
  line.resize(std::max(width, line.size()), ' ');
  return line + '\n';
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  if (at == std::string::npos) {
    ADD_FAILURE() << "the text to replace is not there: " << from;
    return text;
  }
  return text.replace(at, from.size(), to);
}

inline std::string withWindowsLineEnds(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    if (byte == '\n') result += '\r';
    result += byte;
  }
  return result;
}

/// Lines with a newline, and what is left after the last one.
inline size_t countLines(std::string_view text) {
  const auto newlines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  return newlines + (text.empty() || text.ends_with('\n') ? 0 : 1);
}

inline bool isPrintableLine(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= ' ' && byte <= '~'; });
}

/// A file of this machine; nothing where it can not be read (a kernel without IPv6 has no tcp6).
inline std::optional<std::string> readFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// Spoils texts in the same ways on every run.
class Mutator {
 public:
  std::string mutate(std::string text) {
    for (size_t changes = 1 + below(4); changes > 0; --changes)
      change(text);
    return text;
  }

 private:
  static constexpr std::string_view kPieces[] = {"\n",
                                                 "\r\n",
                                                 " ",
                                                 "\t",
                                                 ":",
                                                 "-",
                                                 "(",
                                                 ")",
                                                 "[",
                                                 "]",
                                                 "@",
                                                 "/",
                                                 "0x",
                                                 "18446744073709551616",
                                                 "99999999999999999999",
                                                 "FFFFFFFFFFFFFFFFF",
                                                 "\x1b[2J",
                                                 "\xff\xfe",
                                                 "unlimited",
                                                 "tfd:",
                                                 "pos:"};

  size_t below(size_t bound) { return bound == 0 ? 0 : random_() % bound; }

  void change(std::string& text) {
    const size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.resize(at);
        break;
      case 2:
        text.erase(at, 1 + below(40));
        break;
      case 3:
        text.insert(at, kPieces[below(std::size(kPieces))]);
        break;
      case 4:
        text.insert(at, text.substr(below(text.size()), below(200)));
        break;
      default:
        text.insert(at, 1 + below(3), static_cast<char>(below(256)));
        break;
    }
  }

  std::mt19937 random_{20240229};  // a fixed seed: what fails once fails again
};

inline constexpr int kMutationCount = 20'000;

/// What every table keeps to, whatever the text. A line is a row or bad, none is both.
template <class Row>
void expectSoundTable(const ParsedTable<Row>& table, std::string_view text) {
  ASSERT_LE(table.rows.size() + table.bad_line_count, std::max<size_t>(1, countLines(text)))
      << text;
  ASSERT_EQ(table.isComplete(), table.first_bad_line.empty());
  ASSERT_TRUE(isPrintableLine(table.first_bad_line));
}

/// A reader that refuses must say why in one printable line.
template <class Record>
void expectSoundResult(const Parsed<Record>& result) {
  if (result) return;
  ASSERT_FALSE(result.error().empty());
  ASSERT_TRUE(isPrintableLine(result.error()));
}

}  // namespace fdmortem::test
