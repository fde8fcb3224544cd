#include "analyze/report/text_writer.h"

#include <vector>

#include <fmt/core.h>

#include "analyze/listing.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> result;
  size_t start = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != ' ') continue;
    if (i > start) result.push_back(text.substr(start, i - start));
    start = i + 1;
  }
  return result;
}

/// Lines of at most `width` columns, if the words allow.
std::vector<std::string> wrapped(std::string_view text, size_t width) {
  std::vector<std::string> lines;
  std::string line;
  size_t columns = 0;
  for (const std::string_view word : words(text)) {
    const size_t size = columnsOf(word);
    if (!line.empty() && columns + 1 + size > width) {
      lines.push_back(std::move(line));
      line.clear();
      columns = 0;
    }
    if (!line.empty()) {
      line += ' ';
      ++columns;
    }
    line += word;
    columns += size;
  }
  lines.push_back(std::move(line));
  return lines;
}

constexpr size_t kNarrowest = 20;

size_t room(size_t width, size_t indent) {
  return width > indent + kNarrowest ? width - indent : kNarrowest;
}

}  // namespace

void TextWriter::line(std::string_view text, size_t indent) {
  if (!text.empty()) text_.append(indent, ' ');
  text_ += text;
  text_ += '\n';
}

void TextWriter::heading(std::string_view title) {
  const std::string safe = printableOnce(title);
  blank();
  line(coloured(safe, Colour::Bold));
  line(coloured(std::string(columnsOf(safe), '-'), Colour::Dim));
}

void TextWriter::paragraph(std::string_view text, size_t indent) {
  for (const std::string& entry : wrapped(printableOnce(text), room(width(), indent)))
    line(entry, indent);
}

void TextWriter::labelled(std::string_view label, std::string_view text, size_t column,
                          size_t indent, Colour colour) {
  bool is_first = true;
  for (const std::string& entry : wrapped(printableOnce(text), room(width(), indent + column))) {
    if (is_first) {
      const size_t size = columnsOf(label);
      line(coloured(label, colour) + std::string(column > size ? column - size : 1, ' ') + entry,
           indent);
    } else {
      line(entry, indent + column);
    }
    is_first = false;
  }
}

void TextWriter::proof(std::string_view command, size_t indent) {
  // A line break would end the command, or get into a name.
  line(coloured("Proof: " + printableOnce(command), Colour::Dim), indent);
}

void TextWriter::rows(const ResultTable& table) {
  const std::string lines = renderListing(table, ListingFormat::Table);
  for (std::string_view rest = lines; !rest.empty();) {
    const size_t end = rest.find('\n');
    line(rest.substr(0, end), 2);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

void TextWriter::table(const ReportTable& table, std::string_view command) {
  blank();
  paragraph(table.title);
  if (!table.note.empty()) paragraph(table.note, 2);
  rows(table.rows);
  if (table.left_out > 0) {
    line(fmt::format("and {} more: {}", table.left_out, table.all_rows), 2);
  }
  proof(command, 2);
}

std::string TextWriter::coloured(std::string_view text, Colour colour) const {
  if (!style_.has_colour || colour == Colour::Plain) return std::string(text);
  constexpr const char* kCodes[] = {"0", "1", "2", "1;31", "33", "36"};
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<size_t>(colour)], text);
}

}  // namespace fdmortem
