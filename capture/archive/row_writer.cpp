#include "capture/archive/row_writer.h"

#include <set>
#include <vector>

namespace fdmortem {
namespace {

struct Autopsy {
  ProcessIdentity process;
  int32_t fd;
  const AutopsyRecord* record;
};

/// A keyframe repeats those of all sockets that are still open, under an fd that has the socket
/// now.
std::vector<Autopsy> autopsiesToWrite(const Snapshot& snapshot, bool is_keyframe) {
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

}  // namespace

RowWriter::RowWriter(SQLite::Database& database, Redactor& redactor, RowIds& ids, RowDigest& digest)
    : redactor_(redactor),
      ids_(ids),
      failure_(database, HashedTable::Failure, 7, digest),
      process_change_(database, HashedTable::ProcessChange, 12, digest),
      limit_change_(database, HashedTable::LimitChange, 7, digest),
      fd_change_(database, HashedTable::FdChange, 14, digest),
      fd_position_change_(database, HashedTable::FdPositionChange, 4, digest),
      epoll_watch_change_(database, HashedTable::EpollWatchChange, 10, digest),
      second_look_(database, HashedTable::SecondLook, 6, digest),
      autopsy_(database, HashedTable::Autopsy, 26, digest),
      net_table_change_(database, HashedTable::NetTableChange, 4, digest),
      inet_change_(database, HashedTable::InetChange, 11, digest),
      inet_gone_(database, HashedTable::InetGone, 2, digest),
      inet_queue_change_(database, HashedTable::InetQueueChange, 10, digest),
      time_wait_change_(database, HashedTable::TimeWaitChange, 5, digest),
      unix_change_(database, HashedTable::UnixChange, 10, digest),
      netlink_change_(database, HashedTable::NetlinkChange, 10, digest),
      packet_change_(database, HashedTable::PacketChange, 10, digest),
      sockstat_change_(database, HashedTable::SockstatChange, 6, digest) {}

void RowWriter::write(int64_t number, const Snapshot& snapshot, const ChangeSet& changes,
                      bool is_keyframe) {
  snapshot_ = number;
  writeFailures(snapshot);
  writeProcesses(snapshot, changes);
  writeFds(changes);
  writeAutopsies(snapshot, is_keyframe);
  writeInet(changes);
  writeOtherTables(changes);
}

int64_t RowWriter::text(std::string_view value) {
  return ids_.text(value);
}

std::optional<int64_t> RowWriter::text(const std::optional<std::string>& value) {
  return value ? std::optional(text(std::string_view(*value))) : std::nullopt;
}

std::optional<int64_t> RowWriter::textOrNull(const std::string& value) {
  return value.empty() ? std::nullopt : std::optional(text(std::string_view(value)));
}

int64_t RowWriter::path(std::string_view value) {
  return text(std::string_view(redactor_.path(value)));
}

std::optional<int64_t> RowWriter::path(const std::optional<std::string>& value) {
  return value ? std::optional(path(std::string_view(*value))) : std::nullopt;
}

std::optional<int64_t> RowWriter::cmdline(const std::optional<std::string>& value) {
  return value ? std::optional(text(std::string_view(redactor_.cmdline(*value)))) : std::nullopt;
}

int64_t RowWriter::address(const Endpoint& endpoint) {
  const IpAddress address = redactor_.address(endpoint.address);
  return ids_.address(address.view());
}

void RowWriter::writeFailures(const Snapshot& snapshot) {
  for (const Failure& failure : snapshot.failures) {
    const auto detail = failure.detail.empty() ? std::nullopt : std::optional(failure.detail);
    failure_(snapshot_, failure.operation, failure.subject, failure.pid, failure.error_number,
             detail, failure.count);
  }
}

void RowWriter::writeProcesses(const Snapshot& snapshot, const ChangeSet& changes) {
  for (const auto& [change, process] : changes.processes) {
    const int64_t id = ids_.process(process->identity);
    if (change == Change::Gone) {
      process_change_.with(process->identity.pid, process->identity.start_ticks, std::nullopt)(
          snapshot_, id, change, std::nullopt, std::nullopt, std::nullopt, std::nullopt,
          std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt);
      ids_.remove(process->identity);
      continue;
    }
    std::optional<uint32_t> real_uid, effective_uid;
    if (process->status) {
      real_uid = process->status->real_uid;
      effective_uid = process->status->effective_uid;
    }
    const auto netns = process->netns ? std::optional(ids_.netns(*process->netns)) : std::nullopt;
    const auto comm = text(process->comm);
    const auto exe = path(process->exe);
    const auto arguments = cmdline(process->cmdline);
    const auto cgroup = path(process->cgroup);
    process_change_.with(process->identity.pid, process->identity.start_ticks, process->netns)(
        snapshot_, id, change, process->fd_list_status, process->parent_pid, comm, exe, arguments,
        cgroup, real_uid, effective_uid, netns);
  }
  for (const auto& [process, change, limit] : changes.limits) {
    const bool is_there = change != Change::Gone;
    limit_change_(snapshot_, ids_.process(process), change, text(std::string_view(limit->resource)),
                  is_there ? limit->soft : std::nullopt, is_there ? limit->hard : std::nullopt,
                  is_there ? textOrNull(limit->unit) : std::nullopt);
  }
  for (const SecondLookRecord& look : snapshot.second_looks) {
    const auto error = look.error_number != 0 ? std::optional(look.error_number) : std::nullopt;
    second_look_(snapshot_, ids_.process(look.process), look.fd, look.outcome, look.table_reads,
                 error);
  }
}

void RowWriter::writeFds(const ChangeSet& changes) {
  for (const auto& [process, change, fd] : changes.fds)
    writeFd(process, change, *fd);
  for (const auto& [process, fd, position] : changes.positions) {
    fd_position_change_(snapshot_, ids_.process(process), fd, position);
  }
  for (const auto& [process, fd, change, watch] : changes.watches) {
    const bool is_there = change != Change::Gone;
    epoll_watch_change_(snapshot_, ids_.process(process), fd, change, watch.watched_fd, watch.inode,
                        watch.device, is_there ? std::optional(watch.events) : std::nullopt,
                        is_there ? std::optional(watch.data) : std::nullopt,
                        is_there ? watch.position : std::nullopt);
  }
}

void RowWriter::writeFd(const ProcessIdentity& process, Change change, const FdRecord& fd) {
  const int64_t process_id = ids_.process(process);
  if (change == Change::Gone) {
    fd_change_(snapshot_, process_id, fd.fd, change, std::nullopt, std::nullopt, std::nullopt,
               std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt,
               std::nullopt);
    return;
  }
  const bool is_number = fd.link.type == LinkType::Socket || fd.link.type == LinkType::Pipe;
  const bool is_text = fd.link.type == LinkType::Text;
  static const FdInfo kNone;
  const FdInfo& info = fd.info ? *fd.info : kNone;
  fd_change_(snapshot_, process_id, fd.fd, change, fd.link.type,
             is_number ? std::optional(fd.link.number) : std::nullopt,
             is_text ? std::optional(path(std::string_view(fd.link.text))) : std::nullopt,
             textOrNull(fd.protocol.text()), info.flags, info.mount_id, info.inode, fd.file_type,
             fd.link_count,
             // It can name files: those of io_uring, for instance.
             redactor_.redaction().paths ? std::nullopt : textOrNull(info.detail));
}

void RowWriter::writeAutopsies(const Snapshot& snapshot, bool is_keyframe) {
  const auto address_of = [&](const std::optional<Endpoint>& endpoint) {
    return endpoint ? std::optional(address(*endpoint)) : std::nullopt;
  };
  const auto port_of = [](const std::optional<Endpoint>& endpoint) {
    return endpoint ? std::optional(endpoint->port) : std::nullopt;
  };
  for (const auto& [process, fd, pointer] : autopsiesToWrite(snapshot, is_keyframe)) {
    const AutopsyRecord& record = *pointer;
    autopsy_(snapshot_, ids_.process(process), fd, record.inode, record.asked_at_ns, record.state,
             address_of(record.local), port_of(record.local), address_of(record.remote),
             port_of(record.remote), record.peer_error, record.netns, record.options, record.rtt_us,
             record.min_rtt_us, record.last_data_sent_ms, record.last_data_received_ms,
             record.last_ack_received_ms, record.bytes_acked, record.bytes_received,
             record.segments_out, record.segments_in, record.data_segments_out,
             record.data_segments_in, record.delivered, record.retransmits);
  }
}

void RowWriter::writeInet(const ChangeSet& changes) {
  for (const auto& [netns, table, status] : changes.net_tables) {
    net_table_change_.with(netns)(snapshot_, ids_.netns(netns), table, status);
  }
  for (const auto& [netns, table, change, row] : changes.inet) {
    const bool is_there = change != Change::Gone;
    inet_change_(snapshot_, ids_.netns(netns), table, change, row->inode, address(row->local),
                 row->local.port, address(row->remote), row->remote.port,
                 is_there ? std::optional(row->state) : std::nullopt,
                 is_there ? std::optional(row->uid) : std::nullopt);
  }
  for (const uint64_t inode : changes.inet_gone)
    inet_gone_(snapshot_, inode);
  for (const auto& [netns, table, change, row] : changes.inet_queues) {
    inet_queue_change_(snapshot_, ids_.netns(netns), table, row->inode, row->tx_queue,
                       row->rx_queue, row->timer, row->retransmits, row->probes, row->drops);
  }
  for (const auto& [netns, table, count] : changes.time_wait) {
    time_wait_change_(snapshot_, ids_.netns(netns), table, count.local_port, count.count);
  }
}

void RowWriter::writeOtherTables(const ChangeSet& changes) {
  const auto unless_gone = [](Change change, auto value) {
    return change != Change::Gone ? std::optional(value) : std::nullopt;
  };
  for (const auto& [netns, table, change, record] : changes.unix_rows) {
    const UnixRow& row = record->row;
    unix_change_(snapshot_, ids_.netns(netns), change, row.inode,
                 text(std::string_view(redactor_.socketName(row.path))), row.type, row.state,
                 unless_gone(change, row.flags), unless_gone(change, row.reference_count),
                 unless_gone(change, record->row_count));
  }
  for (const auto& [netns, table, change, row] : changes.netlink_rows) {
    netlink_change_(snapshot_, ids_.netns(netns), change, row->inode, row->protocol, row->port_id,
                    unless_gone(change, row->groups), unless_gone(change, row->rx_queue),
                    unless_gone(change, row->tx_queue), unless_gone(change, row->drops));
  }
  for (const auto& [netns, table, change, row] : changes.packet_rows) {
    packet_change_(snapshot_, ids_.netns(netns), change, row->inode, unless_gone(change, row->type),
                   unless_gone(change, row->protocol), unless_gone(change, row->interface),
                   unless_gone(change, row->running), unless_gone(change, row->rx_queue),
                   unless_gone(change, row->uid));
  }
  for (const auto& [netns, table, change, value] : changes.sockstat) {
    sockstat_change_(snapshot_, ids_.netns(netns), table, change, value->name,
                     unless_gone(change, value->value));
  }
}

}  // namespace fdmortem
