// Which processes a command is about.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/analysis.h"

namespace fdmortem {

/// Those with one of these pids, if there are any, and one of these names, if there are any.
struct ProcessFilter {
  std::vector<int64_t> pids;
  std::vector<std::string> comms;

  bool isOpen() const { return pids.empty() && comms.empty(); }
};

/// A condition of SQL, and what its `?` stand for.
struct Condition {
  std::string sql;
  std::vector<Value> values;
};

/// That a column has one of these values; anything, if there are none.
Condition oneOf(const std::string& column, const std::vector<Value>& values);

/// On a view with the columns pid and comm, in parentheses.
Condition conditionOf(const ProcessFilter& filter);

/// process.id of those that it lets through.
std::vector<int64_t> processesOf(const Analysis& analysis, const ProcessFilter& filter);

}  // namespace fdmortem
