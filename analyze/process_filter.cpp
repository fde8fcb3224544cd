#include "analyze/process_filter.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

namespace fdmortem {
Condition oneOf(const std::string& column, const std::vector<Value>& values) {
  if (values.empty()) return {.sql = "1", .values = {}};
  const std::vector<const char*> places(values.size(), "?");
  return {.sql = fmt::format("{} IN ({})", column, fmt::join(places, ", ")), .values = values};
}

Condition conditionOf(const ProcessFilter& filter) {
  Condition condition = oneOf("pid", {filter.pids.begin(), filter.pids.end()});
  const Condition of_comm = oneOf("comm", {filter.comms.begin(), filter.comms.end()});
  condition.sql = fmt::format("({} AND {})", condition.sql, of_comm.sql);
  condition.values.insert(condition.values.end(), of_comm.values.begin(), of_comm.values.end());
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
