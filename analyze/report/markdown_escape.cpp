#include "analyze/report/markdown_escape.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <fmt/core.h>

#include "schema/printable.h"

namespace fdmortem {
namespace {

bool isWordCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

/// Some sites make links and mentions of these, whatever is escaped; of code they do not.
bool isLinkLike(std::string_view word) {
  return word.find('@') != std::string_view::npos || word.find("://") != std::string_view::npos ||
         word.find("www.") != std::string_view::npos;
}

size_t longestRun(std::string_view text, char wanted) {
  size_t longest = 0;
  size_t run = 0;
  for (const char c : text) {
    run = c == wanted ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

/// As code within a line. A | is escaped, since it may be in a table.
std::string codeSpan(std::string_view text) {
  const std::string fence(longestRun(text, '`') + 1, '`');
  std::string inner;
  for (const char c : text) {
    if (c == '|') inner += '\\';
    inner += c;
  }
  const bool needs_room = inner.starts_with('`') || inner.ends_with('`');
  const char* room = needs_room ? " " : "";
  return fmt::format("{}{}{}{}{}", fence, room, inner, room, fence);
}

std::string escapedWord(std::string_view word) {
  std::string text;
  for (size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    bool is_special = std::string_view("\\`*[]<>|~&#$").find(c) != std::string_view::npos;
    if (c == '_') {
      // Within a word it is no markup: CLOSE_WAIT.
      is_special = i == 0 || i + 1 == word.size() || !isWordCharacter(word[i - 1]) ||
                   !isWordCharacter(word[i + 1]);
    }
    // A list, a heading's underline.
    if (i == 0 && (c == '-' || c == '+' || c == '=')) is_special = word.size() == 1 || word[1] == c;
    if (is_special) text += '\\';
    text += c;
  }
  return text;
}

std::string cell(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return markdownText(*text);
  return "-";
}

}  // namespace

std::string markdownText(std::string_view text) {
  const std::string safe = printableOnce(text);
  std::string result;
  for (size_t start = 0; start <= safe.size();) {
    const size_t end = std::min(safe.find(' ', start), safe.size());
    const std::string_view word = std::string_view(safe).substr(start, end - start);
    if (start > 0) result += ' ';
    result += isLinkLike(word) ? codeSpan(word) : escapedWord(word);
    start = end + 1;
  }
  return result;
}

std::string markdownCode(std::string_view text) {
  const std::string safe = printableOnce(text);
  const std::string fence(std::max<size_t>(longestRun(safe, '`') + 1, 3), '`');
  return fmt::format("{}sh\n{}\n{}\n", fence, safe, fence);
}

std::string markdownTable(const ResultTable& table) {
  std::string head = "|";
  std::string rule = "|";
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const bool is_number = !table.rows.empty() &&
                           std::none_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
                             return std::holds_alternative<std::string>(row.at(i));
                           });
    head += fmt::format(" {} |", markdownText(table.columns[i]));
    rule += is_number ? "---:|" : "---|";
  }
  std::string text = head + "\n" + rule + "\n";
  for (const auto& row : table.rows) {
    text += '|';
    for (const Value& value : row)
      text += fmt::format(" {} |", cell(value));
    text += '\n';
  }
  return text;
}

}  // namespace fdmortem
