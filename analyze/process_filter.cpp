#include "analyze/process_filter.h"

#include <fmt/core.h>

namespace fdmortem {
namespace {

template <class Item>
void addOneOf(const std::string& column, const std::vector<Item>& items, Condition& condition) {
  if (items.empty()) return;
  std::string places;
  for (const Item& item : items) {
    places += places.empty() ? "?" : ", ?";
    condition.values.emplace_back(item);
  }
  condition.sql += fmt::format(" AND {} IN ({})", column, places);
}

}  // namespace

Condition conditionOf(const ProcessFilter& filter) {
  Condition condition{.sql = "(1", .values = {}};
  addOneOf("pid", filter.pids, condition);
  addOneOf("comm", filter.comms, condition);
  condition.sql += ")";
  return condition;
}

std::vector<int64_t> processesOf(const Analysis& analysis, const ProcessFilter& filter) {
  const Condition condition = conditionOf(filter);
  const ResultTable rows =
      analysis.query("SELECT process FROM processes WHERE " + condition.sql + " ORDER BY process",
                     condition.values);
  std::vector<int64_t> processes;
  for (const auto& row : rows.rows)
    processes.push_back(std::get<int64_t>(row.at(0)));
  return processes;
}

}  // namespace fdmortem
