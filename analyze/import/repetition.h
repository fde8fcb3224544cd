// Rows of a keyframe that repeat what the rows before them say.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "analyze/import/flat_map.h"

namespace fdmortem {

/// Finds them in the archive's tables fd_change, inet_change and autopsy, whose rows are told in
/// their order, the tables in that order too, and before the last one inet_gone. What is derived of
/// the rest is the same: such a row neither begins nor ends anything, nor says when something was
/// seen.
class Repetitions {
 public:
  /// The number in a column of the row; null and what is no number are kNone.
  using ColumnValue = std::function<int64_t(int column)>;
  static constexpr int64_t kNone = INT64_MIN;

  /// A keyframe that is not the first snapshot of a recording.
  void addKeyframe(int64_t snapshot) { keyframes_.insert(snapshot); }
  /// From this snapshot on nobody looks after a table any more: what comes later is new.
  void addEnd(int64_t netns, int64_t net_table, int64_t snapshot) {
    ends_[{netns, net_table}].push_back(snapshot);
  }

  /// Begins a table; others than those three have no repetitions.
  void begin(std::string_view table, int columns);
  /// Whether the next row of that table is one.
  bool isRepetition(const ColumnValue& value);

 private:
  enum class Kind { None, Fd, Inet, Gone, Autopsy };

  struct Last {
    size_t slot;       ///< of values_
    int64_t snapshot;  ///< of the row
  };

  uint64_t readRow(const ColumnValue& value);
  bool isSame(const Last& last) const;
  bool isUnbroken(const Last& last);
  void noteTold();
  void forgetEnded();
  void remember(uint64_t key);
  void forget(uint64_t key);

  std::unordered_set<int64_t> keyframes_;
  std::map<std::pair<int64_t, int64_t>, std::vector<int64_t>> ends_;
  /// By inode: the last snapshot with a row of a socket fd or of a table that names it.
  FlatMap<int64_t> told_of_;
  Kind kind_ = Kind::None;
  int64_t keyframe_ = 0;  ///< the last one that a row is of
  std::vector<int64_t> row_;
  /// By a hash of the identity. Where two have the same, the later one counts: then less is left
  /// out.
  std::unordered_map<uint64_t, Last> last_;
  std::vector<int64_t> values_;
  std::vector<size_t> free_slots_;
};

}  // namespace fdmortem
