// The text of a socket table against the rows of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "analyze/evidence/archive_state.h"
#include "analyze/evidence/text_path.h"
#include "schema/format.h"
#include "schema/records.h"

namespace fdmortem {

/// The TCP tables that were read a second time. What they list and the first reading does not can
/// be in the rows.
class SecondReading {
 public:
  void add(const NetPath& path, std::string_view text);

  /// Whether tcp or tcp6 of a namespace has a row with this inode.
  bool lists(uint64_t netns, uint64_t inode) const;
  /// Whether a table has just this row.
  bool lists(uint64_t netns, NetTable table, const InetRow& row) const;

 private:
  std::map<std::pair<uint64_t, NetTable>, std::vector<InetRow>> rows_;  ///< sorted
};

/// Takes a table of the archive and what of it is not as the text has it.
using OnDifference = std::function<void(const char* table, std::string_view what)>;

/// Compares what `text` says with the rows of a table in `netns`, as far as its status allows: all
/// if it was read whole; that its lines are there if it was read in part; else nothing.
void compareNetTable(const NetnsState& netns, NetTable table, std::string_view text,
                     const SecondReading& second, const OnDifference& on_difference);

}  // namespace fdmortem
