// The digests of what an archive holds, for the links of its hash chain.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "schema/evidence/chain.h"
#include "schema/evidence/digest.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

/// Reads the rows of all tables once, snapshot after snapshot. Calls throw SQLite::Exception.
class StoredDigests {
 public:
  /// `archive` must outlive it, and keep its rows.
  /// With `is_damaged`, a table ends where it can't be read any further: what lacks rows has
  /// another digest then.
  explicit StoredDigests(SQLite::Database& archive, bool is_damaged = false);
  ~StoredDigests();
  StoredDigests(const StoredDigests&) = delete;
  StoredDigests& operator=(const StoredDigests&) = delete;

  /// The content of the link of a snapshot. To be called with ascending numbers. Rows of snapshots
  /// in between are passed over.
  Digest ofSnapshot(int64_t snapshot);

  /// The content of a link of another kind; empty if there is no such row.
  std::optional<Digest> ofRow(LinkKind kind, int64_t subject);

  /// The names of tables that have a row of a lower snapshot after one of a higher, as far as they
  /// were read: their rows are not in the order in which they were added.
  std::vector<std::string> unordered() const;

 private:
  class Rows;
  SQLite::Database& archive_;
  std::vector<std::unique_ptr<Rows>> tables_;
};

}  // namespace fdmortem
