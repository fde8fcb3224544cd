#include "analyze/problem_list.h"

#include <fmt/core.h>

namespace fdmortem {
namespace {

/// Lines of one table that say the same of different rows.
constexpr int64_t kMaximumAlike = 5;

}  // namespace

void ProblemList::add(const std::string& table, const std::string& what, std::string_view where) {
  auto& [count, lines] = problems_[{table, what}];
  if (++count <= kMaximumAlike) lines.push_back(fmt::format("table {}{}: {}", table, where, what));
}

std::vector<std::string> ProblemList::lines() const {
  std::vector<std::string> lines;
  for (const auto& [kind, problem] : problems_) {
    lines.insert(lines.end(), problem.lines.begin(), problem.lines.end());
    const int64_t more = problem.count - kMaximumAlike;
    if (more > 0) {
      lines.push_back(fmt::format("table {}: {} more: {}", kind.first, more, kind.second));
    }
  }
  return lines;
}

}  // namespace fdmortem
