#include "analyze/json_value.h"

#include <cmath>

#include "schema/printable.h"

namespace fdmortem {

using Json = nlohmann::ordered_json;

nlohmann::ordered_json jsonOf(const std::string& column, const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return nullptr;
  if (const auto* number = std::get_if<int64_t>(&value)) {
    if (column == "open_at_end" || column == "leak") return *number != 0;
    return *number;
  }
  if (const auto* real = std::get_if<double>(&value)) {
    return std::isfinite(*real) ? Json(*real) : Json(nullptr);
  }
  const std::string& text = std::get<std::string>(value);
  if (column == "watched_by" || column == "events") {
    auto array = Json::parse(text, nullptr, false);
    if (array.is_array()) return array;
  }
  return printableOnce(text);
}

nlohmann::ordered_json jsonRow(const std::vector<std::string>& columns,
                               const std::vector<Value>& row) {
  Json object = Json::object();
  for (size_t i = 0; i < row.size(); ++i) {
    if (columns[i].starts_with('_')) continue;
    object[printableOnce(columns[i])] = jsonOf(columns[i], row[i]);
  }
  return object;
}

}  // namespace fdmortem
