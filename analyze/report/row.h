// The rows of a query, cell by cell.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/analysis.h"

namespace fdmortem {

/// The cells of one row, by column name. Only as long as its table.
class Row {
 public:
  Row(const ResultTable& table, size_t row) : table_(table), cells_(table.rows.at(row)) {}

  int64_t integer(std::string_view name) const { return optionalInteger(name).value_or(0); }
  std::optional<int64_t> optionalInteger(std::string_view name) const {
    const auto* value = std::get_if<int64_t>(&cell(name));
    return value != nullptr ? std::optional(*value) : std::nullopt;
  }
  std::optional<double> optionalReal(std::string_view name) const {
    const Value& value = cell(name);
    if (const auto* real = std::get_if<double>(&value)) return *real;
    const auto* number = std::get_if<int64_t>(&value);
    return number != nullptr ? std::optional(static_cast<double>(*number)) : std::nullopt;
  }
  double real(std::string_view name) const { return optionalReal(name).value_or(0); }
  std::string text(std::string_view name) const { return optionalText(name).value_or(""); }
  std::optional<std::string> optionalText(std::string_view name) const {
    const auto* value = std::get_if<std::string>(&cell(name));
    return value != nullptr ? std::optional(*value) : std::nullopt;
  }

 private:
  const Value& cell(std::string_view name) const {
    const auto found = std::find(table_.columns.begin(), table_.columns.end(), name);
    return cells_.at(static_cast<size_t>(found - table_.columns.begin()));
  }

  const ResultTable& table_;
  const std::vector<Value>& cells_;
};

template <class Visit>
void forEachRow(const ResultTable& table, Visit visit) {
  for (size_t i = 0; i < table.rows.size(); ++i)
    visit(Row(table, i));
}

}  // namespace fdmortem
