// Text for a terminal, a file or a mail: wrapped, indented, maybe in colour.
#pragma once

#include <string>
#include <string_view>

#include "analyze/report/render.h"
#include "analyze/report/tables.h"

namespace fdmortem {

enum class Colour { Plain, Bold, Dim, Red, Yellow, Cyan };

class TextWriter {
 public:
  explicit TextWriter(const TextStyle& style) : style_(style) {}

  const std::string& text() const { return text_; }
  size_t width() const { return style_.width; }

  void line(std::string_view text, size_t indent = 0);
  void blank() { text_ += '\n'; }
  /// Underlined, after a blank line.
  void heading(std::string_view title);
  /// Broken at blanks. A word that is longer than a line stays whole.
  void paragraph(std::string_view text, size_t indent = 0);
  /// "Observed   The text ...", with the lines after the first below the text.
  void labelled(std::string_view label, std::string_view text, size_t column, size_t indent = 0,
                Colour colour = Colour::Plain);
  /// A command that can be pasted: one line, however long.
  void proof(std::string_view command, size_t indent);
  /// A line each, and one of their names.
  void rows(const ResultTable& table);
  /// Title, note, rows, what was left out and the command that gives it again. Columns of a table
  /// that is wider than the page stay as they are.
  void table(const ReportTable& table, std::string_view command);

  std::string coloured(std::string_view text, Colour colour) const;

 private:
  TextStyle style_;
  std::string text_;
};

}  // namespace fdmortem
