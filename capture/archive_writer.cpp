#include "capture/archive_writer.h"

#include <time.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "capture/archive_lock.h"
#include "schema/archive_file.h"
#include "schema/file_handle.h"
#include "schema/format.h"

namespace fdmortem {
namespace {

/// A lone copy of a live archive's main file is at most this old.
constexpr int64_t kCheckpointIntervalNs = 60'000'000'000;

int64_t monotonicNs() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// An INSERT that is prepared once and run with one value a column.
class Insert {
 public:
  Insert(SQLite::Database& database, const char* table, int column_count)
      : statement_(database, sql(table, column_count)) {}

  template <class... Values>
  void operator()(const Values&... values) {
    int index = 0;
    (bind(++index, values), ...);
    statement_.exec();
    statement_.reset();
  }

 private:
  static std::string sql(const char* table, int column_count) {
    std::string text = fmt::format("INSERT INTO {} VALUES (?", table);
    for (int i = 1; i < column_count; ++i)
      text += ", ?";
    return text + ")";
  }

  void bind(int index, std::nullopt_t) { statement_.bind(index); }
  void bind(int index, const std::string& text) { statement_.bind(index, text); }
  void bind(int index, std::string_view bytes) {
    statement_.bind(index, bytes.data(), static_cast<int>(bytes.size()));
  }
  template <class Number>
  requires std::is_integral_v<Number>
  void bind(int index, Number number) {
    // SQLite's integers are signed 64 bit: a larger number keeps its bits, as schema/README.md
    // says.
    statement_.bind(index, static_cast<int64_t>(number));
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void bind(int index, Enum value) { bind(index, static_cast<int64_t>(value)); }
  template <class Value>
  void bind(int index, const std::optional<Value>& value) {
    if (value) {
      bind(index, *value);
    } else {
      statement_.bind(index);
    }
  }

  SQLite::Statement statement_;
};

/// Values that many rows share, stored once between two keyframes. The ids of one stretch are not
/// used in the next, so that the snapshots before a keyframe can be dropped with all that they
/// refer to.
class Interned {
 public:
  Interned(SQLite::Database& database, const char* table)
      : insert_(database, table, 3),
        next_id_(database.execAndGet(fmt::format("SELECT coalesce(max(id), 0) + 1 FROM {}", table))
                     .getInt64()) {}

  int64_t id(std::string_view value, int64_t snapshot) {
    const auto found = ids_.find(std::string(value));
    if (found != ids_.end()) return found->second;
    insert_(next_id_, snapshot, value);
    ids_.emplace(value, next_id_);
    return next_id_++;
  }

  void startKeyframe() { ids_.clear(); }

 private:
  Insert insert_;
  int64_t next_id_;
  std::unordered_map<std::string, int64_t> ids_;
};

}  // namespace

class ArchiveWriter::Impl {
 public:
  explicit Impl(const std::string& path)
      : lock_(openExclusively(path)), database_(openDatabase(path)) {
    markRecorder(lock_);
  }

  void beginRecording(const RecordingInfo& info) {
    SQLite::Transaction transaction(database_);
    statements_.emplace(database_);
    recording_ = nextId("recording");
    snapshot_ = nextId("snapshot") - 1;
    Insert(database_, "recording", 13)(
        recording_, info.started_at_ns, info.boot_id, info.host_name, info.kernel_release,
        info.machine, info.clock_ticks_per_second, std::string(FDMORTEM_VERSION), info.recorder_pid,
        info.recorder_uid, info.interval_ms, info.options, info.note);
    transaction.commit();
    checkpointed_ns_ = monotonicNs();
  }

  int64_t write(const Snapshot& snapshot, const ChangeSet& changes, const SnapshotTiming& timing) {
    const int64_t started_ns = monotonicNs();
    SQLite::Transaction transaction(database_);
    ++snapshot_;
    if (timing.keyframe) {
      statements_->text.startKeyframe();
      statements_->address.startKeyframe();
    }
    writeFailures(snapshot);
    writeProcesses(snapshot, changes);
    writeFds(changes);
    writeAutopsies(snapshot, timing.keyframe);
    writeInet(changes);
    writeOtherTables(changes);
    const int64_t store_us = timing.compare_us + (monotonicNs() - started_ns) / 1000;
    writeSnapshot(snapshot, timing, store_us);
    const int64_t before_commit_ns = monotonicNs();
    transaction.commit();
    last_commit_us_ = (monotonicNs() - before_commit_ns) / 1000;
    checkpointSometimes();
    return snapshot_;
  }

  void endRecording(int64_t ended_at_ns, const std::string& reason) {
    SQLite::Transaction transaction(database_);
    Insert(database_, "recording_end", 4)(recording_, ended_at_ns, reason, last_commit_us_);
    transaction.commit();
    statements_.reset();
    // With this the archive is one file again.
    leaveWriteAheadMode(database_);
  }

 private:
  struct Statements {
    explicit Statements(SQLite::Database& db)
        : text(db, "text"),
          address(db, "address"),
          snapshot(db, "snapshot", 19),
          failure(db, "failure", 7),
          process(db, "process", 4),
          process_change(db, "process_change", 12),
          limit_change(db, "limit_change", 7),
          fd_change(db, "fd_change", 14),
          fd_position_change(db, "fd_position_change", 4),
          epoll_watch_change(db, "epoll_watch_change", 10),
          second_look(db, "second_look", 6),
          autopsy(db, "autopsy", 26),
          netns(db, "netns", 3),
          net_table_change(db, "net_table_change", 4),
          inet_change(db, "inet_change", 11),
          inet_queue_change(db, "inet_queue_change", 10),
          time_wait_change(db, "time_wait_change", 5),
          unix_change(db, "unix_change", 10),
          netlink_change(db, "netlink_change", 10),
          packet_change(db, "packet_change", 10),
          sockstat_change(db, "sockstat_change", 6) {}

    Interned text, address;
    Insert snapshot, failure, process, process_change, limit_change, fd_change, fd_position_change,
        epoll_watch_change, second_look, autopsy, netns, net_table_change, inet_change,
        inet_queue_change, time_wait_change, unix_change, netlink_change, packet_change,
        sockstat_change;
  };

  static SQLite::Database openDatabase(const std::string& path) {
    SQLite::Database database(path, SQLite::OPEN_READWRITE);
    database.exec("PRAGMA temp_store = MEMORY");
    const std::string difference = schemaDifference(database);
    if (!difference.empty()) throw std::runtime_error(fmt::format("{}: {}", path, difference));
    database.exec("PRAGMA synchronous = FULL");
    enterWriteAheadMode(database, path);
    return database;
  }

  int64_t nextId(const char* table) {
    return database_.execAndGet(fmt::format("SELECT coalesce(max(id), 0) + 1 FROM {}", table))
        .getInt64();
  }

  int64_t text(std::string_view value) { return statements_->text.id(value, snapshot_); }
  std::optional<int64_t> text(const std::optional<std::string>& value) {
    return value ? std::optional(text(std::string_view(*value))) : std::nullopt;
  }
  /// Of a text for which empty means none.
  std::optional<int64_t> textOrNull(const std::string& value) {
    return value.empty() ? std::nullopt : std::optional(text(std::string_view(value)));
  }
  int64_t address(const Endpoint& endpoint) {
    return statements_->address.id(endpoint.address.view(), snapshot_);
  }

  int64_t processId(const ProcessIdentity& identity) {
    const auto found = process_ids_.find(identity);
    if (found != process_ids_.end()) return found->second;
    if (next_process_id_ == 0) next_process_id_ = nextId("process");
    statements_->process(next_process_id_, recording_, identity.pid, identity.start_ticks);
    return process_ids_[identity] = next_process_id_++;
  }

  int64_t netnsId(uint64_t inode) {
    const auto found = netns_ids_.find(inode);
    if (found != netns_ids_.end()) return found->second;
    if (next_netns_id_ == 0) next_netns_id_ = nextId("netns");
    statements_->netns(next_netns_id_, recording_, inode);
    return netns_ids_[inode] = next_netns_id_++;
  }

  void writeFailures(const Snapshot& snapshot) {
    for (const Failure& failure : snapshot.failures) {
      const auto detail = failure.detail.empty() ? std::nullopt : std::optional(failure.detail);
      statements_->failure(snapshot_, failure.operation, failure.subject, failure.pid,
                           failure.error_number, detail, failure.count);
    }
  }

  void writeProcesses(const Snapshot& snapshot, const ChangeSet& changes) {
    for (const auto& [change, process] : changes.processes) {
      const int64_t id = processId(process->identity);
      if (change == Change::Gone) {
        statements_->process_change(snapshot_, id, change, std::nullopt, std::nullopt, std::nullopt,
                                    std::nullopt, std::nullopt, std::nullopt, std::nullopt,
                                    std::nullopt, std::nullopt);
        process_ids_.erase(process->identity);
        continue;
      }
      std::optional<uint32_t> real_uid, effective_uid;
      if (process->status) {
        real_uid = process->status->real_uid;
        effective_uid = process->status->effective_uid;
      }
      const auto netns = process->netns ? std::optional(netnsId(*process->netns)) : std::nullopt;
      statements_->process_change(snapshot_, id, change, process->fd_list_status,
                                  process->parent_pid, text(process->comm), text(process->exe),
                                  text(process->cmdline), text(process->cgroup), real_uid,
                                  effective_uid, netns);
    }
    for (const auto& [process, change, limit] : changes.limits) {
      const bool is_there = change != Change::Gone;
      statements_->limit_change(
          snapshot_, processId(process), change, text(std::string_view(limit->resource)),
          is_there ? limit->soft : std::nullopt, is_there ? limit->hard : std::nullopt,
          is_there ? textOrNull(limit->unit) : std::nullopt);
    }
    for (const SecondLookRecord& look : snapshot.second_looks) {
      const auto error = look.error_number != 0 ? std::optional(look.error_number) : std::nullopt;
      statements_->second_look(snapshot_, processId(look.process), look.fd, look.outcome,
                               look.table_reads, error);
    }
  }

  void writeFds(const ChangeSet& changes) {
    for (const auto& [process, change, fd] : changes.fds)
      writeFd(process, change, *fd);
    for (const auto& [process, fd, position] : changes.positions) {
      statements_->fd_position_change(snapshot_, processId(process), fd, position);
    }
    for (const auto& [process, fd, change, watch] : changes.watches) {
      const bool is_there = change != Change::Gone;
      statements_->epoll_watch_change(snapshot_, processId(process), fd, change, watch.watched_fd,
                                      watch.inode, watch.device,
                                      is_there ? std::optional(watch.events) : std::nullopt,
                                      is_there ? std::optional(watch.data) : std::nullopt,
                                      is_there ? watch.position : std::nullopt);
    }
  }

  void writeFd(const ProcessIdentity& process, Change change, const FdRecord& fd) {
    const int64_t process_id = processId(process);
    if (change == Change::Gone) {
      statements_->fd_change(snapshot_, process_id, fd.fd, change, std::nullopt, std::nullopt,
                             std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt,
                             std::nullopt, std::nullopt, std::nullopt);
      return;
    }
    const bool is_number = fd.link.type == LinkType::Socket || fd.link.type == LinkType::Pipe;
    const bool is_text = fd.link.type == LinkType::Text;
    static const FdInfo kNone;
    const FdInfo& info = fd.info ? *fd.info : kNone;
    statements_->fd_change(
        snapshot_, process_id, fd.fd, change, fd.link.type,
        is_number ? std::optional(fd.link.number) : std::nullopt,
        is_text ? std::optional(text(std::string_view(fd.link.text))) : std::nullopt,
        textOrNull(fd.protocol), info.flags, info.mount_id, info.inode, fd.file_type, fd.link_count,
        textOrNull(info.detail));
  }

  struct Autopsy {
    ProcessIdentity process;
    int32_t fd;
    const AutopsyRecord* record;
  };

  /// A keyframe repeats those of all sockets that are still open, under an fd that has the socket
  /// now.
  static std::vector<Autopsy> autopsiesToWrite(const Snapshot& snapshot, bool is_keyframe) {
    std::vector<Autopsy> autopsies;
    std::set<const AutopsyRecord*> taken;
    for (const auto& record : snapshot.autopsies) {
      taken.insert(record.get());
      autopsies.push_back({record->process, record->fd, record.get()});
    }
    if (!is_keyframe) return autopsies;
    for (const ProcessRecord& process : snapshot.processes) {
      for (const FdRecord& fd : process.fds) {
        if (!fd.autopsy || !taken.insert(fd.autopsy.get()).second) continue;
        autopsies.push_back({process.identity, fd.fd, fd.autopsy.get()});
      }
    }
    return autopsies;
  }

  void writeAutopsies(const Snapshot& snapshot, bool is_keyframe) {
    const auto address_of = [&](const std::optional<Endpoint>& endpoint) {
      return endpoint ? std::optional(address(*endpoint)) : std::nullopt;
    };
    const auto port_of = [](const std::optional<Endpoint>& endpoint) {
      return endpoint ? std::optional(endpoint->port) : std::nullopt;
    };
    for (const auto& [process, fd, pointer] : autopsiesToWrite(snapshot, is_keyframe)) {
      const AutopsyRecord& record = *pointer;
      statements_->autopsy(snapshot_, processId(process), fd, record.inode, record.asked_at_ns,
                           record.state, address_of(record.local), port_of(record.local),
                           address_of(record.remote), port_of(record.remote), record.peer_error,
                           record.netns, record.options, record.rtt_us, record.min_rtt_us,
                           record.last_data_sent_ms, record.last_data_received_ms,
                           record.last_ack_received_ms, record.bytes_acked, record.bytes_received,
                           record.segments_out, record.segments_in, record.data_segments_out,
                           record.data_segments_in, record.delivered, record.retransmits);
    }
  }

  void writeInet(const ChangeSet& changes) {
    for (const auto& [netns, table, status] : changes.net_tables) {
      statements_->net_table_change(snapshot_, netnsId(netns), table, status);
    }
    for (const auto& [netns, table, change, row] : changes.inet) {
      const bool is_there = change != Change::Gone;
      statements_->inet_change(snapshot_, netnsId(netns), table, change, row->inode,
                               address(row->local), row->local.port, address(row->remote),
                               row->remote.port,
                               is_there ? std::optional(row->state) : std::nullopt,
                               is_there ? std::optional(row->uid) : std::nullopt);
    }
    for (const auto& [netns, table, change, row] : changes.inet_queues) {
      statements_->inet_queue_change(snapshot_, netnsId(netns), table, row->inode, row->tx_queue,
                                     row->rx_queue, row->timer, row->retransmits, row->probes,
                                     row->drops);
    }
    for (const auto& [netns, table, count] : changes.time_wait) {
      statements_->time_wait_change(snapshot_, netnsId(netns), table, count.local_port,
                                    count.count);
    }
  }

  void writeOtherTables(const ChangeSet& changes) {
    const auto unless_gone = [](Change change, auto value) {
      return change != Change::Gone ? std::optional(value) : std::nullopt;
    };
    for (const auto& [netns, table, change, record] : changes.unix_rows) {
      const UnixRow& row = record->row;
      statements_->unix_change(
          snapshot_, netnsId(netns), change, row.inode, text(std::string_view(row.path)), row.type,
          row.state, unless_gone(change, row.flags), unless_gone(change, row.reference_count),
          unless_gone(change, record->row_count));
    }
    for (const auto& [netns, table, change, row] : changes.netlink_rows) {
      statements_->netlink_change(
          snapshot_, netnsId(netns), change, row->inode, row->protocol, row->port_id,
          unless_gone(change, row->groups), unless_gone(change, row->rx_queue),
          unless_gone(change, row->tx_queue), unless_gone(change, row->drops));
    }
    for (const auto& [netns, table, change, row] : changes.packet_rows) {
      statements_->packet_change(snapshot_, netnsId(netns), change, row->inode,
                                 unless_gone(change, row->type), unless_gone(change, row->protocol),
                                 unless_gone(change, row->interface),
                                 unless_gone(change, row->running),
                                 unless_gone(change, row->rx_queue), unless_gone(change, row->uid));
    }
    for (const auto& [netns, table, change, value] : changes.sockstat) {
      statements_->sockstat_change(snapshot_, netnsId(netns), table, change, value->name,
                                   unless_gone(change, value->value));
    }
  }

  void writeSnapshot(const Snapshot& snapshot, const SnapshotTiming& timing, int64_t store_us) {
    std::optional<uint64_t> allocated, maximum;
    if (snapshot.file_nr) {
      allocated = snapshot.file_nr->allocated;
      maximum = snapshot.file_nr->maximum;
    }
    statements_->snapshot(snapshot_, recording_, timing.keyframe, snapshot.clocks.wall_ns,
                          snapshot.clocks.monotonic_ns, snapshot.clocks.boottime_ns, timing.late_us,
                          timing.missed_before, snapshot.times.processes_us, snapshot.times.fds_us,
                          snapshot.times.tables_us, snapshot.times.second_look_us, store_us,
                          last_commit_us_, allocated, maximum, snapshot.file_max, snapshot.nr_open,
                          snapshot.uptime_ms);
  }

  void checkpointSometimes() {
    if (monotonicNs() - checkpointed_ns_ < kCheckpointIntervalNs) return;
    database_.tryExec("PRAGMA wal_checkpoint(PASSIVE)");
    checkpointed_ns_ = monotonicNs();
  }

  FileHandle lock_;  // closed last: closing any handle of the file drops SQLite's own locks
  SQLite::Database database_;
  std::optional<Statements> statements_;
  std::map<ProcessIdentity, int64_t> process_ids_;
  std::map<uint64_t, int64_t> netns_ids_;
  int64_t next_process_id_ = 0;
  int64_t next_netns_id_ = 0;
  int64_t recording_ = 0;
  int64_t snapshot_ = 0;
  std::optional<int64_t> last_commit_us_;
  int64_t checkpointed_ns_ = 0;
};

ArchiveWriter::ArchiveWriter(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
ArchiveWriter::~ArchiveWriter() = default;

void ArchiveWriter::beginRecording(const RecordingInfo& info) {
  impl_->beginRecording(info);
}

int64_t ArchiveWriter::write(const Snapshot& snapshot, const ChangeSet& changes,
                             const SnapshotTiming& timing) {
  return impl_->write(snapshot, changes, timing);
}

void ArchiveWriter::endRecording(int64_t ended_at_ns, const std::string& reason) {
  impl_->endRecording(ended_at_ns, reason);
}

}  // namespace fdmortem
