#include "analyze/listing.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "analyze/json_value.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

using Json = nlohmann::ordered_json;

std::string textOf(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return printableOnce(*text);
  return {};
}

std::string renderJson(const ResultTable& table) {
  Json array = Json::array();
  for (const auto& row : table.rows)
    array.push_back(jsonRow(table.columns, row));
  return array.dump(2) + "\n";
}

std::string renderNdjson(const ResultTable& table) {
  std::string text;
  for (const auto& row : table.rows)
    text += renderNdjsonRow(table.columns, row);
  return text;
}

std::string csvField(const Value& value) {
  std::string text = textOf(value);
  // Spreadsheets run what begins like this, also after a quote is taken off.
  const bool is_text = std::holds_alternative<std::string>(value);
  if (is_text && !text.empty() &&
      std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) {
    text.insert(0, "'");
  }
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string renderCsv(const ResultTable& table) {
  std::string text = renderCsvRow({table.columns.begin(), table.columns.end()});
  for (const auto& row : table.rows)
    text += renderCsvRow(row);
  return text;
}

std::string renderTable(const ResultTable& table) {
  std::vector<std::vector<std::string>> cells;
  cells.push_back(table.columns);
  for (auto& name : cells[0])
    name = printableOnce(name);
  std::vector<bool> is_number(table.columns.size(), !table.rows.empty());
  for (const auto& row : table.rows) {
    auto& line = cells.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      const bool is_null = std::holds_alternative<std::monostate>(row[i]);
      line.push_back(is_null ? "-" : textOf(row[i]));
      if (std::holds_alternative<std::string>(row[i])) is_number[i] = false;
    }
  }
  std::vector<size_t> widths(table.columns.size(), 0);
  for (const auto& line : cells) {
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], columnsOf(line[i]));
  }
  std::string text;
  for (const auto& line : cells) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - columnsOf(line[i]), ' ');
      row += is_number[i] ? padding + line[i] : line[i] + padding;
      row += "  ";
    }
    row.resize(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

}  // namespace

std::string renderCsvRow(const std::vector<Value>& row) {
  std::string text;
  for (size_t i = 0; i < row.size(); ++i)
    text += (i == 0 ? "" : ",") + csvField(row[i]);
  return text + "\r\n";
}

std::string renderNdjsonRow(const std::vector<std::string>& columns,
                            const std::vector<Value>& row) {
  return jsonRow(columns, row).dump() + "\n";
}

size_t columnsOf(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string renderListing(const ResultTable& table, ListingFormat format) {
  switch (format) {
    case ListingFormat::Json:
      return renderJson(table);
    case ListingFormat::Csv:
      return renderCsv(table);
    case ListingFormat::Ndjson:
      return renderNdjson(table);
    case ListingFormat::Table:
      break;
  }
  return renderTable(table);
}

}  // namespace fdmortem
