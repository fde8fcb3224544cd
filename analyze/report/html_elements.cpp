#include "analyze/report/html_elements.h"

#include <vector>

#include <fmt/core.h>

#include "analyze/report/html_escape.h"
#include "analyze/report/words.h"

namespace fdmortem {
namespace {

std::string cellText(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return htmlText(*text);
  return "–";
}

/// Whether a column is set to the right: it has numbers and no text.
bool isNumeric(const ResultTable& table, size_t column) {
  bool has_number = false;
  for (const auto& row : table.rows) {
    const Value& value = row.at(column);
    if (std::holds_alternative<std::string>(value)) return false;
    has_number = has_number || !std::holds_alternative<std::monostate>(value);
  }
  return has_number;
}

}  // namespace

std::string tableElement(const ResultTable& table, std::string_view name) {
  std::vector<const char*> css_class;
  std::string head;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    css_class.push_back(isNumeric(table, i) ? " class=\"number\"" : "");
    head += fmt::format("<th scope=\"col\"{}>{}</th>", css_class[i], htmlText(table.columns[i]));
  }
  std::string body;
  for (const auto& row : table.rows) {
    body += "<tr>";
    for (size_t i = 0; i < row.size(); ++i)
      body += fmt::format("<td{}>{}</td>", css_class[i], cellText(row[i]));
    body += "</tr>\n";
  }
  return fmt::format(
      "<div class=\"scroll\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\">"
      "<table aria-label=\"{0}\"><thead><tr>{1}</tr></thead>\n<tbody>{2}</tbody></table></div>\n",
      htmlText(name), head, body);
}

std::string paragraph(std::string_view text, std::string_view css_class) {
  return css_class.empty()
             ? fmt::format("<p>{}</p>\n", htmlTextWithTimes(text))
             : fmt::format("<p class=\"{}\">{}</p>\n", css_class, htmlTextWithTimes(text));
}

std::string folded(std::string_view summary, std::string_view of, const std::string& content,
                   std::string_view css_class) {
  return fmt::format("<details{}><summary aria-label=\"{}: {}\">{}</summary>\n{}</details>\n",
                     css_class.empty() ? std::string() : fmt::format(" class=\"{}\"", css_class),
                     htmlText(summary), htmlText(of), htmlText(summary), content);
}

std::string explanationElement(std::string_view text) {
  for (const std::string_view word : {"Observed:", "Inferred:", "Not known:"}) {
    if (text.starts_with(word)) {
      return fmt::format("<p><strong>{}</strong>{}</p>\n", word,
                         htmlTextWithTimes(text.substr(word.size())));
    }
  }
  return paragraph(text);
}

std::string proofElement(const Report& report, const std::string& database,
                         const std::string& query) {
  return fmt::format("<pre><code>{}</code></pre>\n", htmlText(sqlCommand(report, database, query)));
}

std::string titledTable(const Report& report, const ReportTable& entry,
                        const std::string& database) {
  std::string content = fmt::format("<h3>{}</h3>\n", htmlText(entry.title));
  content += tableElement(entry.rows, entry.title);
  if (!entry.note.empty()) content += paragraph(entry.note, "note-text");
  if (entry.left_out > 0) {
    content += paragraph(fmt::format("{} more: {}", entry.left_out, entry.all_rows), "note-text");
  }
  return content +
         folded("Proof", entry.title, proofElement(report, database, entry.query), "proof");
}

}  // namespace fdmortem
