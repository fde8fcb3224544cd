#include "analyze/import/connection_groups.h"

#include <algorithm>
#include <functional>

#include "analyze/import/left_out_counts.h"

namespace fdmortem {

void ConnectionGroups::add(uint64_t group, Span process, int32_t opened, int32_t closed) {
  Counts& counts = groups_[group];
  constexpr auto kQuarters = static_cast<int64_t>(kMarks - 1);
  const int64_t length = process.last - process.first;
  int64_t mark_before = 0;
  for (size_t i = 0; i < kMarks; ++i) {
    const int64_t mark = process.first + length * static_cast<int64_t>(i) / kQuarters;
    if (opened <= mark && closed > mark) ++counts.open[i];
    if (i > 0 && opened > mark_before && opened <= mark && closed == LeftOutCounts::kOpen)
      ++counts.kept[i - 1];
    mark_before = mark;
  }
}

void ConnectionGroups::addUnknown(int64_t remote, int64_t remote_port, int64_t local_port) {
  unknown_peers_.tryEmplace(peerKey(remote, remote_port), true);
  unknown_ports_.set(static_cast<size_t>(local_port));
}

bool ConnectionGroups::mayOnlyGrow(uint64_t group) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return false;
  const auto& [open, kept] = found->second;
  // Whether it has stopped growing since the last quarter began does not matter here.
  return std::adjacent_find(open.begin(), open.end(), std::greater_equal<>()) == open.end() &&
         std::find(kept.begin(), kept.end(), 0) == kept.end();
}

}  // namespace fdmortem
