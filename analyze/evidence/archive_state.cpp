#include "analyze/evidence/archive_state.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

namespace fdmortem {

/// The rows of a query whose first column is the snapshot, in the order in which they were added.
class ArchiveState::Rows {
 public:
  Rows(SQLite::Database& archive, const char* sql, int64_t first) : query_(archive, sql) {
    query_.bind(1, first);
    advance();
  }

  /// Moves to the next row of `snapshot`; the first call to the first. False: there is no more.
  bool next(int64_t snapshot) {
    if (is_taken_) advance();
    while (!is_done_ && snapshot_ < snapshot)
      advance();
    is_taken_ = !is_done_ && snapshot_ == snapshot;
    return is_taken_;
  }

  /// Moves to the next row, of whichever snapshot.
  bool nextOfAny() {
    if (is_taken_) advance();
    is_taken_ = !is_done_;
    return is_taken_;
  }

  bool isNull(int column) const { return query_.isColumnNull(column); }
  int64_t integer(int column) const { return query_.getColumn(column).getInt64(); }
  template <class Number>
  Number as(int column) const {
    return static_cast<Number>(integer(column));
  }
  template <class Number>
  std::optional<Number> optional(int column) const {
    return isNull(column) ? std::nullopt : std::optional(as<Number>(column));
  }
  std::string bytes(int column) const {
    const SQLite::Column value = query_.getColumn(column);
    const auto* data = static_cast<const char*>(value.getBlob());
    const auto size = static_cast<size_t>(value.getBytes());
    return data == nullptr ? std::string() : std::string(data, size);
  }
  std::optional<std::string> optionalBytes(int column) const {
    return isNull(column) ? std::nullopt : std::optional(bytes(column));
  }
  Change change(int column) const { return as<Change>(column); }
  Endpoint endpoint(int address_column, int port_column) const {
    const std::string address = bytes(address_column);
    Endpoint endpoint{.address = {}, .port = as<uint16_t>(port_column)};
    endpoint.address.length =
        static_cast<uint8_t>(std::min(address.size(), endpoint.address.bytes.size()));
    std::copy_n(address.begin(), endpoint.address.length, endpoint.address.bytes.begin());
    return endpoint;
  }

 private:
  void advance() {
    is_taken_ = false;
    is_done_ = is_done_ || !query_.executeStep();
    if (!is_done_) snapshot_ = integer(0);
  }

  mutable SQLite::Statement query_;  // hands out columns of a non-const statement only
  int64_t snapshot_ = 0;
  bool is_done_ = false;
  bool is_taken_ = false;
};

/// Where each table is read from. Values that are ids of text and address are put in place.
struct ArchiveState::Tables {
  Tables(SQLite::Database& archive, int64_t first)
      : snapshots(archive,
                  "SELECT id, recording, keyframe, files_allocated, files_maximum, file_max,"
                  " nr_open, uptime_ms FROM snapshot WHERE id >= ? ORDER BY id",
                  first),
        processes(archive,
                  "SELECT c.snapshot, c.process, change, p.pid, p.start_ticks, fd_list_status,"
                  " parent_pid, a.value, b.value, d.value, e.value, real_uid, effective_uid,"
                  " n.inode FROM process_change c JOIN process p ON p.id = c.process"
                  " LEFT JOIN text a ON a.id = comm LEFT JOIN text b ON b.id = exe"
                  " LEFT JOIN text d ON d.id = cmdline LEFT JOIN text e ON e.id = cgroup"
                  " LEFT JOIN netns n ON n.id = c.netns WHERE c.snapshot >= ? ORDER BY c.rowid",
                  first),
        limits(archive,
               "SELECT c.snapshot, process, change, a.value, soft, hard, b.value"
               " FROM limit_change c JOIN text a ON a.id = resource"
               " LEFT JOIN text b ON b.id = unit WHERE c.snapshot >= ? ORDER BY c.rowid",
               first),
        fds(archive,
            "SELECT c.snapshot, process, fd, change, link_type, link_number, a.value, flags,"
            " mount_id, inode, b.value FROM fd_change c LEFT JOIN text a ON a.id = link_text"
            " LEFT JOIN text b ON b.id = detail WHERE c.snapshot >= ? ORDER BY c.rowid",
            first),
        positions(archive, "SELECT * FROM fd_position_change WHERE snapshot >= ? ORDER BY rowid",
                  first),
        watches(archive, "SELECT * FROM epoll_watch_change WHERE snapshot >= ? ORDER BY rowid",
                first),
        statuses(archive,
                 "SELECT c.snapshot, c.netns, net_table, status, n.inode FROM net_table_change c"
                 " JOIN netns n ON n.id = c.netns WHERE c.snapshot >= ? ORDER BY c.rowid",
                 first),
        inet(archive,
             "SELECT c.snapshot, netns, net_table, change, inode, a.value, local_port, b.value,"
             " remote_port, state, uid FROM inet_change c JOIN address a ON a.id = local_address"
             " JOIN address b ON b.id = remote_address WHERE c.snapshot >= ? ORDER BY c.rowid",
             first),
        inet_gone(archive,
                  "SELECT snapshot, inode FROM inet_gone WHERE snapshot >= ? ORDER BY rowid",
                  first),
        queues(archive, "SELECT * FROM inet_queue_change WHERE snapshot >= ? ORDER BY rowid",
               first),
        time_wait(archive, "SELECT * FROM time_wait_change WHERE snapshot >= ? ORDER BY rowid",
                  first),
        unix_rows(archive,
                  "SELECT c.snapshot, netns, 11, change, inode, a.value, type, state, flags,"
                  " reference_count, row_count FROM unix_change c JOIN text a ON a.id = path"
                  " WHERE c.snapshot >= ? ORDER BY c.rowid",
                  first),
        netlink(archive,
                "SELECT snapshot, netns, 12, change, inode, protocol, port_id, groups, rx_queue,"
                " tx_queue, drops FROM netlink_change WHERE snapshot >= ? ORDER BY rowid",
                first),
        packet(archive,
               "SELECT snapshot, netns, 13, change, inode, type, protocol, interface, running,"
               " rx_queue, uid FROM packet_change WHERE snapshot >= ? ORDER BY rowid",
               first),
        sockstat(archive, "SELECT * FROM sockstat_change WHERE snapshot >= ? ORDER BY rowid",
                 first) {}

  Rows snapshots, processes, limits, fds, positions, watches, statuses, inet, inet_gone, queues,
      time_wait, unix_rows, netlink, packet, sockstat;
};

namespace {

int64_t keyframeOf(SQLite::Database& archive, int64_t snapshot) {
  SQLite::Statement query(
      archive, "SELECT coalesce(max(id), 0) FROM snapshot WHERE keyframe = 1 AND id <= ?");
  query.bind(1, snapshot);
  return query.executeStep() ? query.getColumn(0).getInt64() : 0;
}

/// A place in an array by NetTable - 1; the last one where there is none.
template <class Array>
auto& at(Array& array, int64_t net_table) {
  const auto last = static_cast<int64_t>(array.size()) - 1;
  return array[static_cast<size_t>(std::clamp<int64_t>(net_table - 1, 0, last))];
}

/// All rows of a socket. False: there is none.
bool eraseSocket(std::map<InetKey, InetRow>& table, uint64_t inode) {
  const auto first = table.lower_bound({.inode = inode, .local = {}, .remote = {}});
  auto last = first;
  while (last != table.end() && last->first.inode == inode)
    ++last;
  const bool is_there = first != last;
  table.erase(first, last);
  return is_there;
}

void forgetTable(NetnsState& netns, int64_t net_table) {
  if (net_table <= static_cast<int64_t>(netns.inet.size())) {
    at(netns.inet, net_table).clear();
    at(netns.time_wait, net_table).clear();
    return;
  }
  switch (static_cast<NetTable>(net_table)) {
    case NetTable::Unix:
      return netns.unix_rows.clear();
    case NetTable::Netlink:
      return netns.netlink_rows.clear();
    case NetTable::Packet:
      return netns.packet_rows.clear();
    default:
      netns.sockstat.at(net_table == static_cast<int64_t>(NetTable::Sockstat6) ? 1 : 0).clear();
  }
}

}  // namespace

ArchiveState::ArchiveState(SQLite::Database& archive, int64_t first)
    : tables_(std::make_unique<Tables>(archive, keyframeOf(archive, first))) {}

ArchiveState::~ArchiveState() = default;

bool ArchiveState::next() {
  Rows& rows = tables_->snapshots;
  if (!rows.nextOfAny()) return false;
  const int64_t recording = snapshot_.recording;
  snapshot_ = {.id = rows.integer(0),
               .recording = rows.integer(1),
               .is_keyframe = rows.integer(2) != 0,
               .files_allocated = rows.optional<uint64_t>(3),
               .files_maximum = rows.optional<uint64_t>(4),
               .file_max = rows.optional<uint64_t>(5),
               .nr_open = rows.optional<uint64_t>(6),
               .uptime_ms = rows.optional<uint64_t>(7)};
  if (snapshot_.recording != recording) {
    processes_.clear();
    namespaces_.clear();
  }
  gone_from_tcp_.clear();
  takeProcesses();
  takeLimits();
  takeFds();
  takePositions();
  takeWatches();
  takeStatuses();
  takeInet();
  takeInetGone();
  takeQueues();
  takeTimeWait();
  takeUnix();
  takeNetlink();
  takePacket();
  takeSockstat();
  return true;
}

const ProcessState* ArchiveState::processOf(int64_t pid) const {
  for (const auto& [id, process] : processes_) {
    if (process.identity.pid == pid) return &process;
  }
  return nullptr;
}

const NetnsState* ArchiveState::namespaceOf(uint64_t inode) const {
  for (const auto& [id, netns] : namespaces_) {
    const bool is_tried = std::any_of(netns.status.begin(), netns.status.end(),
                                      [](auto status) { return status != ReadStatus::NotTried; });
    if (netns.inode == inode && is_tried) return &netns;
  }
  return nullptr;
}

void ArchiveState::takeProcesses() {
  for (Rows& rows = tables_->processes; rows.next(snapshot_.id);)
    takeProcess(rows);
}

void ArchiveState::takeProcess(const Rows& rows) {
  if (rows.change(2) == Change::Gone) {
    processes_.erase(rows.integer(1));
    return;
  }
  ProcessState& process = processes_[rows.integer(1)];
  process.identity = {rows.as<int32_t>(3), rows.as<uint64_t>(4)};
  process.fd_list_status = rows.as<ReadStatus>(5);
  process.parent_pid = rows.optional<int64_t>(6);
  process.comm = rows.optionalBytes(7);
  process.exe = rows.optionalBytes(8);
  process.cmdline = rows.optionalBytes(9);
  process.cgroup = rows.optionalBytes(10);
  process.real_uid = rows.optional<int64_t>(11);
  process.effective_uid = rows.optional<int64_t>(12);
  process.netns = rows.optional<uint64_t>(13);
}

void ArchiveState::takeLimits() {
  for (Rows& rows = tables_->limits; rows.next(snapshot_.id);) {
    const auto process = processes_.find(rows.integer(1));
    if (process == processes_.end()) continue;
    const std::string resource = rows.bytes(3);
    if (rows.change(2) == Change::Gone) {
      process->second.limits.erase(resource);
      continue;
    }
    process->second.limits[resource] = {.resource = resource,
                                        .soft = rows.optional<uint64_t>(4),
                                        .hard = rows.optional<uint64_t>(5),
                                        .unit = rows.bytes(6)};
  }
}

void ArchiveState::takeFds() {
  for (Rows& rows = tables_->fds; rows.next(snapshot_.id);)
    takeFd(rows);
}

void ArchiveState::takeFd(const Rows& rows) {
  const auto process = processes_.find(rows.integer(1));
  if (process == processes_.end()) return;
  auto& fds = process->second.fds;
  const Change change = rows.change(3);
  // One that appeared is another file than the number had before.
  if (change == Change::Gone || change == Change::Appeared) fds.erase(rows.as<int32_t>(2));
  if (change == Change::Gone) return;
  const auto [fd, is_new] = fds.try_emplace(rows.as<int32_t>(2));
  if (is_new) fd->second.info.position = 0;
  fd->second.link = {rows.as<LinkType>(4), rows.as<uint64_t>(5), rows.bytes(6)};
  FdInfo& info = fd->second.info;
  info.flags = rows.optional<uint32_t>(7);
  info.mount_id = rows.optional<int32_t>(8);
  info.inode = rows.optional<uint64_t>(9);
  info.detail = rows.bytes(10);
}

FdState* ArchiveState::fdOf(const Rows& rows) {
  const auto process = processes_.find(rows.integer(1));
  if (process == processes_.end()) return nullptr;
  const auto fd = process->second.fds.find(rows.as<int32_t>(2));
  return fd == process->second.fds.end() ? nullptr : &fd->second;
}

void ArchiveState::takePositions() {
  for (Rows& rows = tables_->positions; rows.next(snapshot_.id);) {
    if (FdState* fd = fdOf(rows)) fd->info.position = rows.integer(3);
  }
}

void ArchiveState::takeWatches() {
  for (Rows& rows = tables_->watches; rows.next(snapshot_.id);) {
    FdState* fd = fdOf(rows);
    if (fd == nullptr) continue;
    const EpollWatch watch{.watched_fd = rows.as<int32_t>(4),
                           .events = rows.as<uint32_t>(7),
                           .data = rows.as<uint64_t>(8),
                           .position = rows.optional<int64_t>(9),
                           .inode = rows.optional<uint64_t>(5),
                           .device = rows.optional<uint64_t>(6)};
    const auto key = std::tuple(watch.watched_fd, watch.inode, watch.device);
    if (rows.change(3) == Change::Gone) {
      fd->watches.erase(key);
    } else {
      fd->watches[key] = watch;
    }
  }
}

NetnsState* ArchiveState::netnsOf(const Rows& rows) {
  const auto netns = namespaces_.find(rows.integer(1));
  return netns == namespaces_.end() ? nullptr : &netns->second;
}

void ArchiveState::takeStatuses() {
  for (Rows& rows = tables_->statuses; rows.next(snapshot_.id);) {
    NetnsState& netns = namespaces_[rows.integer(1)];
    netns.inode = rows.as<uint64_t>(4);
    const auto status = rows.as<ReadStatus>(3);
    at(netns.status, rows.integer(2)) = status;
    if (status == ReadStatus::NotTried) forgetTable(netns, rows.integer(2));
  }
}

void ArchiveState::takeInet() {
  // A socket can be Gone in one row and there in another: it has new addresses, and its queues
  // begin anew with them.
  for (Rows& rows = tables_->inet; rows.next(snapshot_.id);) {
    NetnsState* netns = netnsOf(rows);
    if (netns == nullptr) continue;
    const InetKey key{rows.as<uint64_t>(4), rows.endpoint(5, 6), rows.endpoint(7, 8)};
    auto& table = at(netns->inet, rows.integer(2));
    if (rows.change(3) == Change::Gone) {
      table.erase(key);
      const bool is_tcp = rows.integer(2) <= 2;
      if (is_tcp && key.inode != 0) gone_from_tcp_.emplace(netns->inode, key.inode);
      continue;
    }
    InetRow& row = table[key];
    row.inode = key.inode;
    row.local = key.local;
    row.remote = key.remote;
    row.state = rows.as<uint8_t>(9);
    row.uid = rows.as<uint32_t>(10);
  }
}

void ArchiveState::takeInetGone() {
  for (Rows& rows = tables_->inet_gone; rows.next(snapshot_.id);) {
    const auto inode = rows.as<uint64_t>(1);
    for (auto& [id, netns] : namespaces_) {
      for (size_t i = 0; i < netns.inet.size(); ++i) {
        const bool is_tcp = i < 2;
        if (eraseSocket(netns.inet.at(i), inode) && is_tcp && inode != 0)
          gone_from_tcp_.emplace(netns.inode, inode);
      }
    }
  }
}

void ArchiveState::takeQueues() {
  for (Rows& rows = tables_->queues; rows.next(snapshot_.id);) {
    NetnsState* netns = netnsOf(rows);
    if (netns == nullptr) continue;
    auto& table = at(netns->inet, rows.integer(2));
    const auto inode = rows.as<uint64_t>(3);
    for (auto row = table.lower_bound({.inode = inode, .local = {}, .remote = {}});
         row != table.end() && row->first.inode == inode; ++row) {
      row->second.tx_queue = rows.as<uint32_t>(4);
      row->second.rx_queue = rows.as<uint32_t>(5);
      row->second.timer = rows.as<uint8_t>(6);
      row->second.retransmits = rows.as<uint32_t>(7);
      row->second.probes = rows.as<uint32_t>(8);
      row->second.drops = rows.optional<uint64_t>(9);
    }
  }
}

void ArchiveState::takeTimeWait() {
  for (Rows& rows = tables_->time_wait; rows.next(snapshot_.id);) {
    NetnsState* netns = netnsOf(rows);
    if (netns == nullptr) continue;
    auto& counts = at(netns->time_wait, rows.integer(2));
    const auto port = rows.optional<uint16_t>(3);
    if (rows.integer(4) == 0) {
      counts.erase(port);
    } else {
      counts[port] = rows.as<uint64_t>(4);
    }
  }
}

void ArchiveState::takeUnix() {
  for (Rows& rows = tables_->unix_rows; rows.next(snapshot_.id);) {
    NetnsState* netns = netnsOf(rows);
    if (netns == nullptr) continue;
    const UnixRow row{.inode = rows.as<uint64_t>(4),
                      .reference_count = rows.as<uint32_t>(9),
                      .flags = rows.as<uint32_t>(8),
                      .type = rows.as<uint16_t>(6),
                      .state = rows.as<uint8_t>(7),
                      .path = rows.bytes(5)};
    const UnixKey key(row.inode, row.path, row.type, row.state);
    if (rows.change(3) == Change::Gone) {
      netns->unix_rows.erase(key);
    } else {
      netns->unix_rows[key] = {.row = row, .row_count = rows.as<uint64_t>(10)};
    }
  }
}

void ArchiveState::takeNetlink() {
  for (Rows& rows = tables_->netlink; rows.next(snapshot_.id);) {
    NetnsState* netns = netnsOf(rows);
    if (netns == nullptr) continue;
    const NetlinkRow row{.inode = rows.as<uint64_t>(4),
                         .protocol = rows.as<uint32_t>(5),
                         .port_id = rows.as<uint32_t>(6),
                         .groups = rows.as<uint32_t>(7),
                         .rx_queue = rows.integer(8),
                         .tx_queue = rows.integer(9),
                         .drops = rows.as<uint64_t>(10)};
    const NetlinkKey key(row.inode, row.protocol, row.port_id);
    if (rows.change(3) == Change::Gone) {
      netns->netlink_rows.erase(key);
    } else {
      netns->netlink_rows[key] = row;
    }
  }
}

void ArchiveState::takePacket() {
  for (Rows& rows = tables_->packet; rows.next(snapshot_.id);) {
    NetnsState* netns = netnsOf(rows);
    if (netns == nullptr) continue;
    const PacketRow row{.inode = rows.as<uint64_t>(4),
                        .type = rows.as<uint16_t>(5),
                        .protocol = rows.as<uint16_t>(6),
                        .interface = rows.as<int32_t>(7),
                        .running = rows.integer(8) != 0,
                        .rx_queue = rows.integer(9),
                        .uid = rows.as<uint32_t>(10)};
    if (rows.change(3) == Change::Gone) {
      netns->packet_rows.erase(row.inode);
    } else {
      netns->packet_rows[row.inode] = row;
    }
  }
}

void ArchiveState::takeSockstat() {
  for (Rows& rows = tables_->sockstat; rows.next(snapshot_.id);) {
    NetnsState* netns = netnsOf(rows);
    if (netns == nullptr) continue;
    const bool is_second = rows.integer(2) == static_cast<int64_t>(NetTable::Sockstat6);
    auto& values = netns->sockstat.at(is_second ? 1 : 0);
    if (rows.change(3) == Change::Gone) {
      values.erase(rows.bytes(4));
    } else {
      values[rows.bytes(4)] = rows.integer(5);
    }
  }
}

}  // namespace fdmortem
