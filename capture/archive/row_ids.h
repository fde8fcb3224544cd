// The numbers of what many rows of an archive refer to.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include <SQLiteCpp/SQLiteCpp.h>

#include "capture/archive/insert.h"
#include "capture/snapshot.h"
#include "schema/evidence/row_digest.h"

namespace fdmortem {

/// Values that many rows share, stored once between two keyframes. The ids of one stretch are not
/// used in the next, so that the snapshots before a keyframe can be dropped with all that they
/// refer to.
class SharedValues {
 public:
  SharedValues(SQLite::Database& database, HashedTable table, RowDigest& digest);

  int64_t id(std::string_view value, int64_t snapshot);

  /// Forgets the values, so that they are stored again: in a keyframe, and when rows were lost.
  void startAnew() { ids_.clear(); }

 private:
  Insert insert_;
  int64_t next_id_;
  /// Looks a value up without a copy of it.
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> ids_;
};

/// Numbers of one recording's texts, addresses, processes and network namespaces; what has none
/// gets one, and its row, within the transaction of whoever calls.
class RowIds {
 public:
  /// What is stored of texts and addresses goes into `digest`.
  RowIds(SQLite::Database& database, RowDigest& digest);

  /// What is numbered from here on is of this snapshot.
  void setSnapshot(int64_t recording, int64_t snapshot);

  int64_t text(std::string_view value) { return texts_.id(value, snapshot_); }
  int64_t address(std::string_view bytes) { return addresses_.id(bytes, snapshot_); }
  int64_t process(const ProcessIdentity& identity);
  int64_t netns(uint64_t inode);

  /// A process that has ended: its identity may come back as another one.
  void remove(const ProcessIdentity& identity) { known_.processes.erase(identity); }

  /// Texts and addresses get new numbers.
  void forgetValues();
  /// All get new numbers: another recording begins.
  void forgetAll();
  /// Snapshots were dropped: what went with them gets a new number.
  void forgetDropped();

  /// Numbers that were given; to come back to if they were not stored after all.
  struct Known {
    std::map<ProcessIdentity, int64_t> processes;
    std::map<uint64_t, int64_t> namespaces;
  };
  Known known() const { return known_; }
  /// Needs no memory.
  void restore(Known& known);

 private:
  SQLite::Database& database_;
  SharedValues texts_, addresses_;
  Insert insert_process_, insert_netns_;
  Known known_;
  int64_t recording_ = 0, snapshot_ = 0;
  int64_t next_process_id_, next_netns_id_;
};

/// One more than the highest `id` of a table.
int64_t nextId(SQLite::Database& database, std::string_view table);

}  // namespace fdmortem
