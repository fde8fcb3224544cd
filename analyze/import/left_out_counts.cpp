#include "analyze/import/left_out_counts.h"

#include <algorithm>

#include <SQLiteCpp/SQLiteCpp.h>

namespace fdmortem {

uint64_t LeftOutCounts::seriesOf(int32_t process, std::string_view what, std::string_view name) {
  return series_
      .try_emplace({process, std::string(what), std::string(name)}, uint64_t{series_.size()})
      .first->second;
}

void LeftOutCounts::add(uint64_t series, int32_t opened, int32_t closed) {
  Count& count = counts_[series << 32U | static_cast<uint32_t>(opened)];
  ++count.opened;
  if (closed == kOpen) {
    ++count.kept;
  } else {
    ++counts_[series << 32U | static_cast<uint32_t>(closed)].closed;
  }
}

void LeftOutCounts::addClosedLate(int32_t process, std::string_view verdict, int64_t lasted_ns) {
  ClosedLate& late = closed_late_[{process, std::string(verdict)}];
  ++late.fds;
  late.longest_ns = std::max(late.longest_ns, lasted_ns);
}

void LeftOutCounts::storeClosedLate(SQLite::Database& analysis) const {
  SQLite::Statement insert(analysis, "INSERT INTO _left_out_late VALUES (?,?,?,?)");
  for (const auto& [key, late] : closed_late_) {
    insert.reset();
    insert.bind(1, key.first);
    insert.bind(2, key.second);
    insert.bind(3, late.fds);
    insert.bind(4, late.longest_ns);
    insert.exec();
  }
}

void LeftOutCounts::storeCounts(SQLite::Database& analysis, int64_t first_snapshot) const {
  SQLite::Statement insert(analysis, "INSERT INTO _left_out VALUES (?,?,?,?,?,?,?)");
  std::vector<const std::tuple<int32_t, std::string, std::string>*> names(series_.size());
  for (const auto& [name, place] : series_)
    names[place] = &name;
  for (const auto& [key, count] : counts_) {
    const auto& [process, what, name] = *names[key >> 32U];
    insert.reset();
    insert.bind(1, process);
    insert.bind(2, what);
    insert.bind(3, name);
    insert.bind(4, first_snapshot + static_cast<int64_t>(key & 0xffffffffU));
    insert.bind(5, count.opened);
    insert.bind(6, count.closed);
    insert.bind(7, count.kept);
    insert.exec();
  }
}

void LeftOutCounts::store(SQLite::Database& analysis, int64_t first_snapshot,
                          const std::function<std::string(int64_t, int64_t)>& endpoint) const {
  storeCounts(analysis, first_snapshot);
  storeClosedLate(analysis);
  SQLite::Statement insert_peer(analysis, "INSERT INTO _left_out_peer VALUES (?,?,?,?,?,?)");
  for (const auto& [peer, count] : peers_) {
    std::string name = endpoint(peer.remote, peer.remote_port);
    if (peer.is_in) name.resize(name.rfind(':'));
    insert_peer.reset();
    insert_peer.clearBindings();
    insert_peer.bind(1, peer.process);
    insert_peer.bind(2, peer.net_table);
    insert_peer.bind(3, peer.is_in ? "in" : "out");
    if (peer.is_in) insert_peer.bind(4, peer.local_port);
    insert_peer.bind(5, name);
    insert_peer.bind(6, count);
    insert_peer.exec();
  }
  SQLite::Statement insert_watched(analysis, "INSERT INTO _left_out_watched VALUES (?,?,?)");
  for (const Watched& fd : watched_) {
    insert_watched.reset();
    insert_watched.bind(1, fd.process);
    insert_watched.bind(2, fd.fd);
    insert_watched.bind(3, fd.inode);
    insert_watched.exec();
  }
}

}  // namespace fdmortem
