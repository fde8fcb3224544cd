#include "analyze/evidence/net_compare.h"

#include <algorithm>
#include <optional>
#include <string>
#include <tuple>

#include <fmt/core.h>

#include "schema/readers/net.h"
#include "schema/readers/net_rows.h"

namespace fdmortem {
namespace {

InetKey keyOf(const InetRow& row) {
  return {row.inode, row.local, row.remote};
}

bool hasSameQueues(const InetRow& a, const InetRow& b) {
  return std::tie(a.tx_queue, a.rx_queue, a.timer, a.retransmits, a.probes, a.drops) ==
         std::tie(b.tx_queue, b.rx_queue, b.timer, b.retransmits, b.probes, b.drops);
}

bool hasSameState(const InetRow& a, const InetRow& b) {
  return a.state == b.state && a.uid == b.uid;
}

/// Walks through the rows of a table and the lines of its text side by side, both sorted by key,
/// and tells of each row that has no line and each line that has no such row.
template <class Key, class Stored, class Row, class KeyOf, class OnRow, class OnBoth, class OnLine>
void walk(const std::map<Key, Stored>& stored, const std::vector<Row>& lines, KeyOf key_of,
          OnRow on_row, OnBoth on_both, OnLine on_line) {
  auto row = stored.begin();
  auto line = lines.begin();
  while (row != stored.end() || line != lines.end()) {
    if (line == lines.end() || (row != stored.end() && row->first < key_of(*line))) {
      on_row(row++);
    } else if (row == stored.end() || key_of(*line) < row->first) {
      on_line(*line++);
    } else {
      on_both(row++, *line++);
    }
  }
}

class Comparison {
 public:
  Comparison(const NetnsState& netns, NetTable table, const SecondReading& second,
             const OnDifference& on_difference)
      : netns_(netns), table_(table), second_(second), on_difference_(on_difference) {}

  void run(std::string_view text) {
    const ReadStatus status = netns_.status.at(static_cast<size_t>(table_) - 1);
    if (status != ReadStatus::Whole && status != ReadStatus::Incomplete) return;
    is_whole_ = status == ReadStatus::Whole;
    if (isInetTable(table_)) return inet(text);
    switch (table_) {
      case NetTable::Unix:
        return unixTable(text);
      case NetTable::Netlink:
        return netlink(text);
      case NetTable::Packet:
        return packet(text);
      default:
        return sockstat(text);
    }
  }

 private:
  void differs(const char* table, const std::string& what) { on_difference_(table, what); }

  /// What was read whole can be understood whole.
  template <class Row>
  void requireLines(const ParsedTable<Row>& parsed, const char* table) {
    if (is_whole_ && !parsed.isComplete()) differs(table, parsed.first_bad_line);
  }

  template <class Key, class Stored, class Row, class KeyOf, class Same, class Name>
  void compare(const char* table, const std::map<Key, Stored>& stored,
               const std::vector<Row>& lines, KeyOf key_of, Same same, Name name) {
    const auto report = [&](const auto& key) { differs(table, name(key)); };
    walk(
        stored, lines, key_of,
        [&](auto row) {
          if (is_whole_) report(row->first);
        },
        [&](auto row, const Row& line) {
          if (!same(row->second, line)) report(row->first);
        },
        [&](const Row& line) { report(key_of(line)); });
  }

  void inet(std::string_view text) {
    auto parsed = parseInetTable(text);
    requireLines(parsed, "inet_change");
    timeWait(takeTimeWait(parsed.rows));
    sortInetRows(parsed.rows);
    const auto& rows = netns_.inet.at(static_cast<size_t>(table_) - 1);
    const auto report = [&](const char* table, const InetKey& key) {
      differs(table,
              fmt::format("inode {}, ports {} and {}", key.inode, key.local.port, key.remote.port));
    };
    walk(
        rows, parsed.rows, keyOf,
        [&](auto row) {
          if (is_whole_ && !second_.lists(netns_.inode, table_, row->second)) {
            report("inet_change", row->first);
          }
        },
        [&](auto row, const InetRow& line) {
          if (!hasSameState(row->second, line)) report("inet_change", row->first);
          if (isAlone(rows, row) && !hasSameQueues(row->second, line)) {
            report("inet_queue_change", row->first);
          }
        },
        [&](const InetRow& line) { report("inet_change", keyOf(line)); });
  }

  /// Queues are known of sockets, not of each line with their inode; none of those nobody owns.
  static bool isAlone(const std::map<InetKey, InetRow>& rows,
                      std::map<InetKey, InetRow>::const_iterator row) {
    const uint64_t inode = row->first.inode;
    if (inode == 0) return false;
    if (row != rows.begin() && std::prev(row)->first.inode == inode) return false;
    return std::next(row) == rows.end() || std::next(row)->first.inode != inode;
  }

  void timeWait(const std::vector<TimeWaitCount>& counts) {
    // Of a table that was read in part the last count that is known stays.
    if (!is_whole_) return;
    std::map<std::optional<uint16_t>, uint64_t> by_port;
    for (const TimeWaitCount& count : counts)
      by_port[count.local_port] = count.count;
    if (by_port != netns_.time_wait.at(static_cast<size_t>(table_) - 1)) {
      differs("time_wait_change", "");
    }
  }

  void unixTable(std::string_view text) {
    auto parsed = parseUnixTable(text);
    requireLines(parsed, "unix_change");
    const auto records = countUnixRows(std::move(parsed.rows));
    compare(
        "unix_change", netns_.unix_rows, records,
        [](const UnixRecord& record) {
          return UnixKey(record.row.inode, record.row.path, record.row.type, record.row.state);
        },
        [](const UnixRecord& row, const UnixRecord& line) {
          return row.row == line.row && row.row_count == line.row_count;
        },
        [](const UnixKey& key) {
          return fmt::format("inode {}, {}", std::get<0>(key), std::get<1>(key));
        });
  }

  void netlink(std::string_view text) {
    auto parsed = parseNetlinkTable(text);
    requireLines(parsed, "netlink_change");
    sortNetlinkRows(parsed.rows);
    compare(
        "netlink_change", netns_.netlink_rows, parsed.rows,
        [](const NetlinkRow& row) { return NetlinkKey(row.inode, row.protocol, row.port_id); },
        std::equal_to<NetlinkRow>(),
        [](const NetlinkKey& key) { return fmt::format("inode {}", std::get<0>(key)); });
  }

  void packet(std::string_view text) {
    auto parsed = parsePacketTable(text);
    requireLines(parsed, "packet_change");
    sortPacketRows(parsed.rows);
    compare(
        "packet_change", netns_.packet_rows, parsed.rows,
        [](const PacketRow& row) { return row.inode; }, std::equal_to<PacketRow>(),
        [](uint64_t inode) { return fmt::format("inode {}", inode); });
  }

  void sockstat(std::string_view text) {
    auto parsed = parseSockstat(text);
    requireLines(parsed, "sockstat_change");
    sortSockstat(parsed.rows);
    compare(
        "sockstat_change", netns_.sockstat.at(table_ == NetTable::Sockstat6 ? 1 : 0), parsed.rows,
        [](const SockstatValue& value) { return value.name; },
        [](int64_t row, const SockstatValue& line) { return row == line.value; },
        [](const std::string& name) { return name; });
  }

  const NetnsState& netns_;
  NetTable table_;
  const SecondReading& second_;
  const OnDifference& on_difference_;
  bool is_whole_ = false;
};

}  // namespace

void SecondReading::add(const NetPath& path, std::string_view text) {
  auto parsed = parseInetTable(text);
  sortInetRows(parsed.rows);
  rows_[{path.netns, path.table}] = std::move(parsed.rows);
}

bool SecondReading::lists(uint64_t netns, uint64_t inode) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const auto& entry) {
    const auto row =
        std::lower_bound(entry.second.begin(), entry.second.end(), inode,
                         [](const InetRow& line, uint64_t wanted) { return line.inode < wanted; });
    return entry.first.first == netns && row != entry.second.end() && row->inode == inode;
  });
}

bool SecondReading::lists(uint64_t netns, NetTable table, const InetRow& row) const {
  const auto rows = rows_.find({netns, table});
  if (rows == rows_.end()) return false;
  const auto line =
      std::lower_bound(rows->second.begin(), rows->second.end(), row,
                       [](const InetRow& a, const InetRow& b) { return keyOf(a) < keyOf(b); });
  return line != rows->second.end() && keyOf(*line) == keyOf(row) && hasSameState(*line, row) &&
         hasSameQueues(*line, row);
}

void compareNetTable(const NetnsState& netns, NetTable table, std::string_view text,
                     const SecondReading& second, const OnDifference& on_difference) {
  Comparison(netns, table, second, on_difference).run(text);
}

}  // namespace fdmortem
