// Cells of results in JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "analyze/analysis.h"

namespace fdmortem {

/// A cell as README.md has it: `open_at_end` and `leak` are booleans, `watched_by` and `events` are
/// arrays.
/// Text is printable.
nlohmann::ordered_json jsonOf(const std::string& column, const Value& value);

/// A row as an object, without the columns whose names begin with '_'.
nlohmann::ordered_json jsonRow(const std::vector<std::string>& columns,
                               const std::vector<Value>& row);

}  // namespace fdmortem
