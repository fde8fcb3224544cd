// What can be saved of a damaged archive: the snapshots of which every row could be read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyze/import/archive_reader.h"

namespace fdmortem {

/// Snapshots that may lack rows, both ends included.
struct SnapshotHole {
  int64_t first = std::numeric_limits<int64_t>::min();
  int64_t last = std::numeric_limits<int64_t>::max();
};

/// What of one table could not be read, as its rows come one after the other. Rows are added in the
/// order of time and taken out at either end only, so that their rowids have no gaps: between two
/// rows that follow each other nothing is missing, and what is missing is of a snapshot from that
/// of the row before to that of the row after.
class TableDamage {
 public:
  /// Of a table that is not sound, a gap between two rowids is a loss, and what comes before its
  /// first row and after its last is not known. `has_snapshots`: its first column is a snapshot.
  TableDamage(std::string table, bool is_sound, bool has_snapshots);

  const std::string& name() const { return table_; }
  bool hasSnapshots() const { return has_snapshots_; }
  int64_t lastRowid() const { return last_rowid_; }
  /// A row of `snapshot` may come next: rows are in the order of time.
  bool isInOrder(int64_t snapshot) const { return seen_.empty() || snapshot >= seen_.back(); }
  /// Whether rows of this snapshot may be missing, as far as the table was read.
  bool isHole(int64_t snapshot) const;

  /// The rowid of the next row. False: it does not come after the one before, and nothing that
  /// follows in this order can be trusted.
  bool follows(int64_t rowid);
  /// The row that `follows` was told of is as it should be; `snapshot` without meaning where the
  /// table has none.
  void good(int64_t snapshot);
  /// It is not, and was left out.
  void bad(const std::string& reason);
  /// It is not in the order of time, or the rows before it are not: what tells is the last row
  /// before all of them.
  void disordered(int64_t snapshot, const std::string& reason);
  /// Rows after the last one could not be read, up to but not including rowid `next`; empty: all.
  void lose(std::optional<int64_t> next);
  /// There are no more.
  void end();

  /// A good row of this snapshot was read.
  bool has(int64_t snapshot) const {
    return std::binary_search(seen_.begin(), seen_.end(), snapshot);
  }
  /// The snapshot of the first row that was read behind rows that could not be; empty: none was.
  std::optional<int64_t> firstBehindGap() const { return first_behind_gap_; }
  /// From this snapshot on rows were left out or are not in their places, so that what is there
  /// can't be taken for what was written; empty: none.
  std::optional<int64_t> badSince() const { return bad_since_; }

  const std::vector<SnapshotHole>& holes() const { return holes_; }
  /// One line each.
  const std::vector<std::string>& losses() const { return losses_; }

 private:
  void open(int64_t since);
  int64_t lastSnapshot() const { return seen_.empty() ? SnapshotHole{}.first : seen_.back(); }
  void say(const std::string& what);

  std::string table_;
  bool is_sound_;
  bool has_snapshots_;
  int64_t last_rowid_ = 0;
  std::vector<int64_t> seen_;  ///< snapshots of good rows, ascending
  std::optional<int64_t> open_since_;
  std::optional<int64_t> first_behind_gap_;
  std::optional<int64_t> bad_since_;
  std::vector<SnapshotHole> holes_;
  std::vector<std::string> losses_;
};

/// Gathers the damage of all tables while they are imported.
class Salvage {
 public:
  /// `archive` must outlive this object.
  explicit Salvage(ArchiveReader& archive);

  /// Of the table that is read next; valid as long as this object.
  TableDamage& begin(const std::string& table, bool has_snapshots);
  /// Whether the table of snapshots may lack this one; 0: a row that is of none.
  bool lacksSnapshot(int64_t snapshot) const;
  /// The first row after rowid `after` that can be reached, row by row, from the end of the table.
  /// Empty: none.
  std::optional<int64_t> reachedFromEnd(const std::string& table, int64_t after);

  /// Takes out of `analysis` every snapshot that is not whole, and what follows up to the next
  /// keyframe; there a recording of its own begins. Returns what is missing, one line each; empty:
  /// nothing. Throws std::runtime_error if no snapshot is left.
  std::vector<std::string> finish(SQLite::Database& analysis) const;

 private:
  std::vector<std::string> losses() const;
  /// The snapshots that are whole by their links of the hash chain: all that was written of them is
  /// there, whatever else is missing.
  std::set<int64_t> provenByChain() const;

  ArchiveReader& archive_;
  std::vector<std::string> damage_;  ///< what SQLite finds
  /// Pages belong to no table any more: any table may have lost them without a sign.
  bool has_lost_pages_;
  std::deque<TableDamage> tables_;
};

}  // namespace fdmortem
