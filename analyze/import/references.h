// What the rows of an archive refer to.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "analyze/import/archive_rows.h"
#include "analyze/import/archive_tables.h"
#include "analyze/import/recording_import.h"

namespace fdmortem {

/// The snapshots, texts, addresses, processes and network namespaces of an archive by their number.
/// Processes and namespaces have a number of their own in the analysis: what several recordings
/// tell of one is told of one. What looks something up for a row throws what RowReader::fail does.
class References {
 public:
  using Numbers = std::unordered_map<int64_t, int64_t>;
  using Values = std::unordered_map<int64_t, std::string>;

  /// In ascending order.
  void addSnapshot(int64_t snapshot) { snapshots_.push_back(snapshot); }
  /// Throw std::runtime_error, one line that names the table and the row, and SQLite::Exception;
  /// the last two fill the tables of these names in `analysis` (schema/analysis.sql).
  void readTexts(const ArchiveRows& archive);
  void readAddresses(const ArchiveRows& archive);
  void importProcesses(const ArchiveRows& archive, const Boots& boots, SQLite::Database& analysis);
  void importNamespaces(const ArchiveRows& archive, const Boots& boots, SQLite::Database& analysis);
  /// Finds texts and addresses that are alike: each stretch of snapshots stores its own.
  void findAlike();

  const Values& texts() const { return texts_; }
  const Values& addresses() const { return addresses_; }
  const Numbers& processes() const { return processes_; }
  const Numbers& namespaces() const { return namespaces_; }

  /// What is left of a snapshot that was dropped says nothing. Each row begins with its snapshot.
  bool isRemains(const RowReader& rows) const {
    return !snapshots_.empty() && rows.integer(0, RowReader::kAny) < snapshots_.front();
  }

  int64_t snapshot(const RowReader& rows, int column) const;
  const std::string& text(const RowReader& rows, int column) const {
    return lookUp(texts_, rows, column, "no such text");
  }
  const std::string& address(const RowReader& rows, int column) const {
    return lookUp(addresses_, rows, column, "no such address");
  }
  int64_t process(const RowReader& rows, int column) const {
    return lookUp(processes_, rows, column, "no such process");
  }
  int64_t netns(const RowReader& rows, int column) const {
    return lookUp(namespaces_, rows, column, "no such namespace");
  }
  /// The same number for those that are alike.
  int64_t alikeText(const RowReader& rows, int column) const {
    return lookUp(alike_texts_, rows, column, "no such text");
  }
  int64_t alikeAddress(const RowReader& rows, int column) const {
    return lookUp(alike_addresses_, rows, column, "no such address");
  }

  /// Unchecked: the number in a column, of a text or an address that of all that are alike; `other`
  /// where there is no number.
  int64_t comparable(const RowReader& rows, const Column& column, int index, int64_t other) const;

 private:
  template <class Value>
  static const Value& lookUp(const std::unordered_map<int64_t, Value>& values,
                             const RowReader& rows, int column, std::string_view reason) {
    const auto found = values.find(rows.integer(column, RowReader::kAny));
    if (found == values.end()) rows.fail(column, reason);
    return found->second;
  }

  std::vector<int64_t> snapshots_;  ///< sorted
  Values texts_;
  Values addresses_;
  Numbers alike_texts_;
  Numbers alike_addresses_;
  Numbers processes_;
  Numbers namespaces_;
};

inline int64_t References::snapshot(const RowReader& rows, int column) const {
  const int64_t id = rows.integer(column);
  // Nearly always they are numbered without gaps.
  if (!snapshots_.empty() && id >= snapshots_.front()) {
    const auto place = static_cast<size_t>(id - snapshots_.front());
    if (place < snapshots_.size() && snapshots_[place] == id) return id;
  }
  if (!std::binary_search(snapshots_.begin(), snapshots_.end(), id)) {
    rows.fail(column, "no such snapshot");
  }
  return id;
}

}  // namespace fdmortem
