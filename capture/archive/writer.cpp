#include "capture/archive/writer.h"

#include <algorithm>
#include <functional>
#include <map>
#include <new>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "capture/archive/chain_writer.h"
#include "capture/archive/insert.h"
#include "capture/archive/text_archive.h"
#include "capture/archive/write_transaction.h"
#include "capture/clocks.h"
#include "capture/finally.h"
#include "schema/evidence/row_digest.h"
#include "schema/format.h"

namespace fdmortem {
namespace {

/// Values that many rows share, stored once between two keyframes. The ids of one stretch are not
/// used in the next, so that the snapshots before a keyframe can be dropped with all that they
/// refer to.
class Interned {
 public:
  Interned(SQLite::Database& database, HashedTable table, RowDigest& digest)
      : insert_(database, table, 3, digest),
        next_id_(database
                     .execAndGet(fmt::format("SELECT coalesce(max(id), 0) + 1 FROM {}",
                                             kHashedTableNames.at(static_cast<size_t>(table))))
                     .getInt64()) {}

  int64_t id(std::string_view value, int64_t snapshot) {
    const auto found = ids_.find(value);
    if (found != ids_.end()) return found->second;
    insert_(next_id_, snapshot, value);
    ids_.emplace(value, next_id_);
    return next_id_++;
  }

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

}  // namespace

class ArchiveWriter::Impl {
 public:
  Impl(const std::string& path, const RetentionLimits& limits, const Redaction& redaction)
      : archive_(path, limits.max_bytes),
        database_(archive_.connection()),
        retention_(archive_, limits),
        redactor_(redaction),
        chain_(database_) {
    trimmed_snapshots_ = retention_.trim();
  }

  ArchiveDatabase& archive() { return archive_; }
  const Digest& head() const { return chain_.head(); }

  int64_t trimmedSnapshots() const { return trimmed_snapshots_; }

  void beginRecording(const RecordingInfo& info) {
    boot_id_ = info.boot_id;
    WriteTransaction transaction(database_);
    chain_.begin();
    statements_.emplace(database_, digest_);
    writeRecording(info);
    transaction.commit();
    chain_.committed();
  }

  std::optional<NotStored> beginAnew(const RecordingInfo& info, const Clocks& at,
                                     const std::string& reason, const std::string& missed) {
    const int64_t recording = recording_;
    texts_.startAnew();
    process_ids_.clear();
    netns_ids_.clear();
    statements_->text.startAnew();
    statements_->address.startAnew();
    database_.tryExec("PRAGMA shrink_memory");
    auto error = storeForSure([&] {
      if (!missed.empty()) writeEvent(at, "missed-at-end", missed);
      writeEnd(at.wall_ns, reason);
      writeRecording(info);
    });
    if (error) recording_ = recording;
    return error;
  }

  bool wantsKeyframe(const Clocks& now) const { return retention_.wantsKeyframe(now); }

  tl::expected<int64_t, NotStored> write(const Snapshot& snapshot, const ChangeSet& changes,
                                         const SnapshotTiming& timing) {
    auto stored = attempt(snapshot, changes, timing);
    const auto is_over_limit = [&] {
      return !stored && stored.error().why == StoreFailure::OverLimit;
    };
    if (!is_over_limit()) return stored;
    // While somebody reads the archive its log can't be emptied: then dropping makes no room.
    if (!archive_.emptyLog()) {
      return tl::unexpected(
          NotStored{StoreFailure::OverLimit,
                    "does not fit into --max-size while somebody reads the archive"});
    }
    stored = attempt(snapshot, changes, timing);
    if (!is_over_limit()) return stored;
    // More than was foreseen: the oldest go first, and at last all, if this can stand alone.
    if (const auto error = freeSpace([&] { return retention_.dropAllButNewest(); })) {
      return tl::unexpected(*error);
    }
    stored = attempt(snapshot, changes, timing);
    if (!is_over_limit()) return stored;
    if (!timing.keyframe) {
      retention_.requireKeyframe();
      return stored;
    }
    if (!retention_.couldStandAlone(attempted_bytes_)) return stored;
    const auto drop_all = [&] {
      archive_.dropBefore(snapshot_ + 1, "max-size");
      archive_.shrink(0);
      return true;
    };
    if (const auto error = freeSpace(drop_all)) return tl::unexpected(*error);
    return attempt(snapshot, changes, timing);
  }

  std::optional<NotStored> makeRoom(const Clocks& now) {
    return freeSpace([&] { return retention_.dropOld(now, boot_id_); });
  }

  std::optional<NotStored> note(const Clocks& at, const std::string& kind,
                                const std::optional<std::string>& detail) {
    return storeForSure([&] { writeEvent(at, kind, detail); });
  }

  std::optional<NotStored> endRecording(const Clocks& at, const std::string& reason,
                                        const std::string& missed) {
    const auto store_all = [&] {
      if (!missed.empty()) writeEvent(at, "missed-at-end", missed);
      writeEnd(at.wall_ns, reason);
    };
    auto error = storeForSure(store_all);
    if (error) {
      archive_.spendBallast();
      archive_.checkpoint();
      error = storeForSure(store_all);
    }
    // How many were missed then follows from the interval and the end.
    if (error && error->why != StoreFailure::NoMemory && !missed.empty()) {
      error = storeForSure([&] { writeEnd(at.wall_ns, reason); });
    }
    statements_.reset();
    archive_.seal();
    return error;
  }

 private:
  struct Statements {
    Statements(SQLite::Database& db, RowDigest& digest)
        : text(db, HashedTable::Text, digest),
          address(db, HashedTable::Address, digest),
          process(db, "process", 4),
          netns(db, "netns", 3),
          snapshot(db, HashedTable::Snapshot, 22, digest),
          delay(db, HashedTable::Delay, 3, digest),
          failure(db, HashedTable::Failure, 7, digest),
          process_change(db, HashedTable::ProcessChange, 12, digest),
          limit_change(db, HashedTable::LimitChange, 7, digest),
          fd_change(db, HashedTable::FdChange, 14, digest),
          fd_position_change(db, HashedTable::FdPositionChange, 4, digest),
          epoll_watch_change(db, HashedTable::EpollWatchChange, 10, digest),
          second_look(db, HashedTable::SecondLook, 6, digest),
          autopsy(db, HashedTable::Autopsy, 26, digest),
          net_table_change(db, HashedTable::NetTableChange, 4, digest),
          inet_change(db, HashedTable::InetChange, 11, digest),
          inet_queue_change(db, HashedTable::InetQueueChange, 10, digest),
          time_wait_change(db, HashedTable::TimeWaitChange, 5, digest),
          unix_change(db, HashedTable::UnixChange, 10, digest),
          netlink_change(db, HashedTable::NetlinkChange, 10, digest),
          packet_change(db, HashedTable::PacketChange, 10, digest),
          sockstat_change(db, HashedTable::SockstatChange, 6, digest),
          verbatim(db, HashedTable::Verbatim, 6, digest) {}

    Interned text, address;
    Insert process, netns, snapshot, delay, failure, process_change, limit_change, fd_change,
        fd_position_change, epoll_watch_change, second_look, autopsy, net_table_change, inet_change,
        inet_queue_change, time_wait_change, unix_change, netlink_change, packet_change,
        sockstat_change, verbatim;
  };

  /// What `action` gives, or why it could not be done if that may pass.
  template <class Action>
  auto guarded(const Action& action) -> tl::expected<decltype(action()), NotStored> {
    try {
      return action();
    } catch (const SQLite::Exception& error) {
      auto reason = archive_.explain(error);
      if (!reason) throw;
      return tl::unexpected(std::move(*reason));
    } catch (const std::bad_alloc&) {
      return tl::unexpected(NotStored{StoreFailure::NoMemory, {}});
    }
  }

  /// A row that has to be there in any case, in a transaction of its own; `action` returns the
  /// head with it. The error, if it could not be stored all the same.
  template <class Action>
  std::optional<NotStored> storeForSure(const Action& action) {
    archive_.leaveRoomForDropping(false);
    const auto done = guarded([&] {
      WriteTransaction transaction(database_);
      chain_.begin();
      action();
      transaction.commit();
      chain_.committed();
      return true;
    });
    archive_.leaveRoomForDropping(true);
    return done ? std::nullopt : std::optional(done.error());
  }

  /// Drops snapshots by what `action` does, which returns whether it did. The error, if it could
  /// not.
  template <class Action>
  std::optional<NotStored> freeSpace(const Action& action) {
    const auto done = guarded(action);
    // Also after an error some may be gone.
    if (!done || *done) must_forget_ = true;
    const auto forgotten = guarded([&] {
      forgetDropped();
      return true;
    });
    if (!done) return done.error();
    return forgotten ? std::nullopt : std::optional(forgotten.error());
  }

  /// Stores a snapshot whole or not at all.
  tl::expected<int64_t, NotStored> attempt(const Snapshot& snapshot, const ChangeSet& changes,
                                           const SnapshotTiming& timing) {
    const auto forgotten = guarded([&] {
      forgetDropped();
      return true;
    });
    if (!forgotten) return tl::unexpected(forgotten.error());
    auto process_ids = process_ids_;
    auto netns_ids = netns_ids_;
    const int64_t number = snapshot_;
    attempted_bytes_ = 0;
    bool is_stored = false;
    // Whatever is thrown here: nobody has memory for certain.
    const Finally take_back([&] {
      if (is_stored) return;
      // What was given a number in it is not there.
      snapshot_ = number;
      process_ids_.swap(process_ids);
      netns_ids_.swap(netns_ids);
      statements_->text.startAnew();
      statements_->address.startAnew();
    });
    auto stored = guarded([&] {
      const int64_t started_ns = nowNs(CLOCK_MONOTONIC);
      WriteTransaction transaction(database_);
      chain_.begin();
      const int64_t bytes_before = archive_.contentBytes();
      ++snapshot_;
      digest_.reset();
      writeRows(snapshot, changes, timing);
      const int64_t bytes = std::max<int64_t>(archive_.contentBytes() - bytes_before, 0);
      attempted_bytes_ = bytes;
      const int64_t store_us = timing.compare_us + (nowNs(CLOCK_MONOTONIC) - started_ns) / 1000;
      writeSnapshot(snapshot, timing, store_us, bytes);
      chain_.add(LinkKind::Snapshot, snapshot_, digest_.finish());
      commit(transaction);
      is_stored = true;
      chain_.committed();
      texts_.stored(snapshot_, snapshot.texts);
      retention_.stored(snapshot.clocks, timing.keyframe, bytes);
      return snapshot_;
    });
    if (stored) {
      archive_.checkpointSometimes();
    } else {
      stored.error().needed_bytes = static_cast<uint64_t>(attempted_bytes_);
    }
    return stored;
  }

  void commit(WriteTransaction& transaction) {
    const int64_t started_ns = nowNs(CLOCK_MONOTONIC);
    transaction.commit();
    last_commit_us_ = (nowNs(CLOCK_MONOTONIC) - started_ns) / 1000;
  }

  void writeRows(const Snapshot& snapshot, const ChangeSet& changes, const SnapshotTiming& timing) {
    if (timing.keyframe) {
      statements_->text.startAnew();
      statements_->address.startAnew();
    }
    for (const Delay& delay : timing.delays)
      statements_->delay(snapshot_, delay.reason, delay.missed);
    writeFailures(snapshot);
    writeProcesses(snapshot, changes);
    writeFds(changes);
    writeAutopsies(snapshot, timing.keyframe);
    writeInet(changes);
    writeOtherTables(changes);
    if (snapshot.texts) writeTexts(*snapshot.texts, timing.keyframe);
  }

  void writeTexts(const SnapshotTexts& texts, bool is_keyframe) {
    for (const EncodedText& text : texts_.encode(snapshot_, texts, is_keyframe)) {
      statements_->verbatim(snapshot_, text.part, text.base, text.size, bytesOf(text.digest),
                            Undigested{text.frame});
    }
  }

  /// What was dropped may have taken with it the rows of processes and namespaces that come back.
  void forgetDropped() {
    if (!must_forget_) return;
    const auto forget = [&](const char* table, auto& ids) {
      std::set<int64_t> there;
      SQLite::Statement query(database_, fmt::format("SELECT id FROM {}", table));
      while (query.executeStep())
        there.insert(query.getColumn(0).getInt64());
      std::erase_if(ids, [&](const auto& entry) { return !there.contains(entry.second); });
    };
    forget("process", process_ids_);
    forget("netns", netns_ids_);
    must_forget_ = false;
  }

  void writeRecording(const RecordingInfo& info) {
    recording_ = nextId("recording");
    // The numbers of snapshots that were dropped are not used again.
    snapshot_ = std::max(
        nextId("snapshot") - 1,
        database_.execAndGet("SELECT coalesce(max(last_snapshot), 0) FROM dropped").getInt64());
    Insert insert(database_, "recording", 16);
    insert(
        recording_, info.started_at_ns, info.boot_id, info.host_name, info.kernel_release,
        info.machine, info.clock_ticks_per_second, std::string(FDMORTEM_VERSION), info.recorder_pid,
        info.recorder_uid, info.recorder_login_uid, info.interval_ms, optionsText(info.options),
        info.keeps_texts,
        redactor_.redaction().any() ? std::optional(redactor_.redaction().names()) : std::nullopt,
        info.note);
    chain_.add(LinkKind::RecordingBegan, recording_, digestOf(insert.row().view()));
    texts_.startAnew();
    retention_.requireKeyframe();
  }

  void writeEvent(const Clocks& at, const std::string& kind,
                  const std::optional<std::string>& detail) {
    Insert insert(database_, "recorder_event", 6);
    const int64_t id = nextId("recorder_event");
    insert(id, recording_, at.wall_ns, at.boottime_ns, kind, detail);
    chain_.add(LinkKind::RecorderEvent, id, digestOf(insert.row().view()));
  }

  void writeEnd(int64_t ended_at_ns, const std::string& reason) {
    Insert insert(database_, "recording_end", 4);
    insert(recording_, ended_at_ns, reason, last_commit_us_);
    chain_.add(LinkKind::RecordingEnded, recording_, digestOf(insert.row().view()));
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
  /// Of a path, a cgroup or a UNIX socket's name.
  int64_t path(std::string_view value) { return text(std::string_view(redactor_.path(value))); }
  std::optional<int64_t> path(const std::optional<std::string>& value) {
    return value ? std::optional(path(std::string_view(*value))) : std::nullopt;
  }
  std::optional<int64_t> cmdline(const std::optional<std::string>& value) {
    return value ? std::optional(text(std::string_view(redactor_.cmdline(*value)))) : std::nullopt;
  }
  int64_t address(const Endpoint& endpoint) {
    const IpAddress address = redactor_.address(endpoint.address);
    return statements_->address.id(address.view(), snapshot_);
  }

  std::string optionsText(const std::vector<std::string>& options) const {
    nlohmann::json array = nlohmann::json::array();
    for (const std::string& option : options)
      array.push_back(redactor_.argument(option));
    return array.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
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
        statements_->process_change.with(process->identity.pid, process->identity.start_ticks,
                                         std::nullopt)(
            snapshot_, id, change, std::nullopt, std::nullopt, std::nullopt, std::nullopt,
            std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt);
        process_ids_.erase(process->identity);
        continue;
      }
      std::optional<uint32_t> real_uid, effective_uid;
      if (process->status) {
        real_uid = process->status->real_uid;
        effective_uid = process->status->effective_uid;
      }
      const auto netns = process->netns ? std::optional(netnsId(*process->netns)) : std::nullopt;
      const auto comm = text(process->comm);
      const auto exe = path(process->exe);
      const auto arguments = cmdline(process->cmdline);
      const auto cgroup = path(process->cgroup);
      statements_->process_change.with(process->identity.pid, process->identity.start_ticks,
                                       process->netns)(
          snapshot_, id, change, process->fd_list_status, process->parent_pid, comm, exe, arguments,
          cgroup, real_uid, effective_uid, netns);
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
        is_text ? std::optional(path(std::string_view(fd.link.text))) : std::nullopt,
        textOrNull(fd.protocol.text()), info.flags, info.mount_id, info.inode, fd.file_type,
        fd.link_count,
        // It can name files: those of io_uring, for instance.
        redactor_.redaction().paths ? std::nullopt : textOrNull(info.detail));
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
      statements_->net_table_change.with(netns)(snapshot_, netnsId(netns), table, status);
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
      statements_->unix_change(snapshot_, netnsId(netns), change, row.inode,
                               text(std::string_view(redactor_.socketName(row.path))), row.type,
                               row.state, unless_gone(change, row.flags),
                               unless_gone(change, row.reference_count),
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

  void writeSnapshot(const Snapshot& snapshot, const SnapshotTiming& timing, int64_t store_us,
                     int64_t stored_bytes) {
    std::optional<uint64_t> allocated, maximum;
    if (snapshot.file_nr) {
      allocated = snapshot.file_nr->allocated;
      maximum = snapshot.file_nr->maximum;
    }
    int64_t missed = 0;
    for (const Delay& delay : timing.delays)
      missed += delay.missed;
    statements_->snapshot(
        snapshot_, recording_, timing.keyframe, timing.is_burst, snapshot.clocks.wall_ns,
        snapshot.clocks.monotonic_ns, snapshot.clocks.boottime_ns, timing.late_us, missed,
        snapshot.times.processes_us, snapshot.times.fds_us, snapshot.times.tables_us,
        snapshot.times.second_look_us, store_us, timing.cpu_us, stored_bytes, last_commit_us_,
        allocated, maximum, snapshot.file_max, snapshot.nr_open, snapshot.uptime_ms);
  }

  ArchiveDatabase archive_;
  SQLite::Database& database_;
  Retention retention_;
  Redactor redactor_;
  std::optional<std::string> boot_id_;
  ChainWriter chain_;
  RowDigest digest_;  ///< of the snapshot that is being stored
  TextArchive texts_;
  std::optional<Statements> statements_;
  std::map<ProcessIdentity, int64_t> process_ids_;
  std::map<uint64_t, int64_t> netns_ids_;
  int64_t next_process_id_ = 0;
  int64_t next_netns_id_ = 0;
  int64_t recording_ = 0;
  int64_t snapshot_ = 0;
  std::optional<int64_t> last_commit_us_;
  int64_t trimmed_snapshots_ = 0;
  bool must_forget_ = false;     ///< rows were dropped to which there still are numbers
  int64_t attempted_bytes_ = 0;  ///< of the last snapshot that was to be stored; 0: not known
};

ArchiveWriter::ArchiveWriter(const std::string& path, const RetentionLimits& limits,
                             const Redaction& redaction)
    : impl_(std::make_unique<Impl>(path, limits, redaction)) {}
ArchiveWriter::~ArchiveWriter() = default;

void ArchiveWriter::beginRecording(const RecordingInfo& info) {
  impl_->beginRecording(info);
}

std::optional<NotStored> ArchiveWriter::beginAnew(const RecordingInfo& info, const Clocks& at,
                                                  const std::string& reason,
                                                  const std::string& missed) {
  return impl_->beginAnew(info, at, reason, missed);
}

int64_t ArchiveWriter::trimmedSnapshots() const {
  return impl_->trimmedSnapshots();
}

bool ArchiveWriter::wantsKeyframe(const Clocks& now) const {
  return impl_->wantsKeyframe(now);
}

tl::expected<int64_t, NotStored> ArchiveWriter::write(const Snapshot& snapshot,
                                                      const ChangeSet& changes,
                                                      const SnapshotTiming& timing) {
  return impl_->write(snapshot, changes, timing);
}

std::optional<NotStored> ArchiveWriter::makeRoom(const Clocks& now) {
  return impl_->makeRoom(now);
}

std::optional<NotStored> ArchiveWriter::note(const Clocks& at, const std::string& kind,
                                             const std::optional<std::string>& detail) {
  return impl_->note(at, kind, detail);
}

std::optional<NotStored> ArchiveWriter::endRecording(int64_t ended_at_ns,
                                                     const std::string& reason) {
  return impl_->endRecording({.wall_ns = ended_at_ns}, reason, {});
}

std::optional<NotStored> ArchiveWriter::endRecording(const Clocks& at, const std::string& reason,
                                                     const std::string& missed) {
  return impl_->endRecording(at, reason, missed);
}

ArchiveDatabase& ArchiveWriter::archive() {
  return impl_->archive();
}

const Digest& ArchiveWriter::head() const {
  return impl_->head();
}

}  // namespace fdmortem
