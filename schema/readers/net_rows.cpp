#include "schema/readers/net_rows.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace fdmortem {
namespace {

constexpr uint8_t kListen = 10;   // TCP_LISTEN of include/net/tcp_states.h
constexpr uint8_t kTimeWait = 6;  // TCP_TIME_WAIT

struct Place {
  uint64_t inode;
  uint32_t index;
};

/// Sorts by `key`, which begins with the inode, and keeps the last of equals.
template <class Row, class Key>
void sortUnique(std::vector<Row>& rows, Key key) {
  // Places are sorted, and not rows: a table has tens of thousands of them, of a hundred bytes, and
  // the inode tells nearly all apart.
  std::vector<Place> places;
  places.reserve(rows.size());
  for (const Row& row : rows)
    places.push_back({row.inode, static_cast<uint32_t>(places.size())});
  std::sort(places.begin(), places.end(), [&](const Place& a, const Place& b) {
    if (a.inode != b.inode) return a.inode < b.inode;
    return std::tuple(key(rows[a.index]), b.index) < std::tuple(key(rows[b.index]), a.index);
  });
  for (uint32_t start = 0; start < places.size(); ++start) {
    // Follows one cycle of the permutation.
    if (places[start].index == start) continue;
    Row first = std::move(rows[start]);
    uint32_t to = start;
    while (places[to].index != start) {
      const uint32_t from = places[to].index;
      rows[to] = std::move(rows[from]);
      places[to].index = to;
      to = from;
    }
    rows[to] = std::move(first);
    places[to].index = to;
  }
  const auto end = std::unique(rows.begin(), rows.end(),
                               [&](const Row& a, const Row& b) { return key(a) == key(b); });
  rows.erase(end, rows.end());
}

}  // namespace

void sortInetRows(std::vector<InetRow>& rows) {
  sortUnique(rows, [](const InetRow& row) { return std::tie(row.inode, row.local, row.remote); });
}

std::vector<TimeWaitCount> takeTimeWait(std::vector<InetRow>& rows) {
  std::set<uint16_t> listening;
  for (const InetRow& row : rows) {
    if (row.state == kListen) listening.insert(row.local.port);
  }
  std::map<std::optional<uint16_t>, uint64_t> counts;
  std::erase_if(rows, [&](const InetRow& row) {
    if (row.state != kTimeWait) return false;
    ++counts[listening.contains(row.local.port) ? std::optional(row.local.port) : std::nullopt];
    return true;
  });
  std::vector<TimeWaitCount> result;
  result.reserve(counts.size());
  for (const auto& [port, count] : counts)
    result.push_back({port, count});
  return result;
}

std::vector<UnixRecord> countUnixRows(std::vector<UnixRow> rows) {
  const auto key = [](const UnixRow& row) {
    return std::tie(row.inode, row.path, row.type, row.state);
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const UnixRow& a, const UnixRow& b) { return key(a) < key(b); });
  std::vector<UnixRecord> records;
  for (UnixRow& row : rows) {
    if (!records.empty() && key(records.back().row) == key(row)) {
      // With an inode it is one socket that the kernel listed twice.
      if (row.inode == 0) ++records.back().row_count;
    } else {
      records.push_back({.row = std::move(row)});
    }
  }
  return records;
}

void sortNetlinkRows(std::vector<NetlinkRow>& rows) {
  sortUnique(rows,
             [](const NetlinkRow& row) { return std::tie(row.inode, row.protocol, row.port_id); });
}

void sortPacketRows(std::vector<PacketRow>& rows) {
  sortUnique(rows, [](const PacketRow& row) { return row.inode; });
}

void sortSockstat(std::vector<SockstatValue>& values) {
  std::reverse(values.begin(), values.end());
  std::stable_sort(values.begin(), values.end(),
                   [](const SockstatValue& a, const SockstatValue& b) { return a.name < b.name; });
  const auto end =
      std::unique(values.begin(), values.end(),
                  [](const SockstatValue& a, const SockstatValue& b) { return a.name == b.name; });
  values.erase(end, values.end());
}

}  // namespace fdmortem
