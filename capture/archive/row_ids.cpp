#include "capture/archive/row_ids.h"

#include <set>
#include <utility>

#include <fmt/core.h>

namespace fdmortem {

SharedValues::SharedValues(SQLite::Database& database, HashedTable table, RowDigest& digest)
    : insert_(database, table, 3, digest),
      next_id_(nextId(database, kHashedTableNames.at(static_cast<size_t>(table)))) {}

int64_t SharedValues::id(std::string_view value, int64_t snapshot) {
  const auto found = ids_.find(value);
  if (found != ids_.end()) return found->second;
  insert_(next_id_, snapshot, value);
  ids_.emplace(value, next_id_);
  return next_id_++;
}

RowIds::RowIds(SQLite::Database& database, RowDigest& digest)
    : database_(database),
      texts_(database, HashedTable::Text, digest),
      addresses_(database, HashedTable::Address, digest),
      insert_process_(database, "process", 4),
      insert_netns_(database, "netns", 3),
      next_process_id_(nextId(database, "process")),
      next_netns_id_(nextId(database, "netns")) {}

void RowIds::setSnapshot(int64_t recording, int64_t snapshot) {
  recording_ = recording;
  snapshot_ = snapshot;
}

int64_t RowIds::process(const ProcessIdentity& identity) {
  const auto found = known_.processes.find(identity);
  if (found != known_.processes.end()) return found->second;
  insert_process_(next_process_id_, recording_, identity.pid, identity.start_ticks);
  return known_.processes[identity] = next_process_id_++;
}

int64_t RowIds::netns(uint64_t inode) {
  const auto found = known_.namespaces.find(inode);
  if (found != known_.namespaces.end()) return found->second;
  insert_netns_(next_netns_id_, recording_, inode);
  return known_.namespaces[inode] = next_netns_id_++;
}

void RowIds::forgetValues() {
  texts_.startAnew();
  addresses_.startAnew();
}

void RowIds::forgetAll() {
  forgetValues();
  known_ = {};
}

void RowIds::forgetDropped() {
  const auto forget = [&](const char* table, auto& ids) {
    std::set<int64_t> there;
    SQLite::Statement query(database_, fmt::format("SELECT id FROM {}", table));
    while (query.executeStep())
      there.insert(query.getColumn(0).getInt64());
    std::erase_if(ids, [&](const auto& entry) { return !there.contains(entry.second); });
  };
  forget("process", known_.processes);
  forget("netns", known_.namespaces);
}

void RowIds::restore(Known& known) {
  known_.processes.swap(known.processes);
  known_.namespaces.swap(known.namespaces);
}

int64_t nextId(SQLite::Database& database, std::string_view table) {
  return database.execAndGet(fmt::format("SELECT coalesce(max(id), 0) + 1 FROM {}", table))
      .getInt64();
}

}  // namespace fdmortem
