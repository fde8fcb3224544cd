#include "analyze/import/settled.h"

#include <algorithm>
#include <limits>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "schema/format.h"

namespace fdmortem {
namespace {

constexpr int64_t kSocket = 1;  // fd_change.link_type
constexpr int64_t kPipe = 2;
constexpr int8_t kEstablished = 1;  // tcp_state.state
constexpr int8_t kClose = 7;
constexpr int8_t kCloseWait = 8;
constexpr int8_t kListen = 10;
constexpr int8_t kLastState = 12;
constexpr int32_t kOpen = LeftOutCounts::kOpen;
constexpr auto kTcpTable = static_cast<int64_t>(NetTable::Tcp);
constexpr auto kTcp6Table = static_cast<int64_t>(NetTable::Tcp6);

bool is(int64_t change, Change expected) {
  return change == static_cast<int64_t>(expected);
}

uint64_t keyOf(int64_t process, int64_t fd) {
  return static_cast<uint64_t>(process) << 32U | static_cast<uint64_t>(fd);
}

}  // namespace

void SettledFds::addSnapshot(int64_t snapshot, int64_t recording, int64_t boottime_ns) {
  if (recordings_.empty()) first_snapshot_ = snapshot;
  const auto place = static_cast<int64_t>(recordings_.size());
  if (snapshot != first_snapshot_ + place || place == std::numeric_limits<int32_t>::max())
    is_off_ = true;
  recordings_.push_back(recording);
  boottimes_.push_back(boottime_ns);
}

/// Of the table that is being told; none of what is left of a snapshot that was dropped.
std::optional<int32_t> SettledFds::indexOf(int64_t snapshot) {
  if (is_off_ || snapshot < first_snapshot_) return {};
  const auto at = static_cast<int32_t>(snapshot - first_snapshot_);
  // Out of order: a row may belong to what is told later.
  if (at < last_at_ || static_cast<size_t>(at) >= recordings_.size()) {
    is_off_ = true;
    return {};
  }
  last_at_ = at;
  return at;
}

void SettledFds::noteRead(Stretches& stretches, int64_t what, int64_t which, int32_t at,
                          bool is_whole) {
  Stretch& stretch =
      stretches.try_emplace({what, which, recordings_[static_cast<size_t>(at)]}, Stretch{at})
          .first->second;
  if (!is_whole) stretch.until = std::min(stretch.until, at);
}

bool SettledFds::isInOneRecording(int32_t a, int32_t b) const {
  return recordings_[static_cast<size_t>(a)] == recordings_[static_cast<size_t>(b)];
}

/// Whether it was read whole from one snapshot to another, both included.
bool SettledFds::covers(const Stretches& stretches, int64_t what, int64_t which, int32_t from,
                        int32_t to) const {
  if (!isInOneRecording(from, to)) return false;
  const auto found = stretches.find({what, which, recordings_[static_cast<size_t>(from)]});
  return found != stretches.end() && found->second.from <= from && to < found->second.until;
}

void SettledFds::beginTable() {
  last_at_ = 0;
}

void SettledFds::addProcess(int64_t snapshot, int64_t process, int64_t change,
                            int64_t fd_list_status) {
  const auto at = indexOf(snapshot);
  if (!at) return;
  const bool is_gone = is(change, Change::Gone);
  if (is_gone) ended_.emplace(process, *at);
  noteRead(processes_, process, 0, *at,
           !is_gone && fd_list_status == static_cast<int64_t>(ReadStatus::Whole));
}

void SettledFds::addLimit(int64_t process, int64_t soft_limit) {
  const auto lowest = lowest_limits_.try_emplace(process, soft_limit).first;
  lowest->second = std::min(lowest->second, soft_limit);
}

void SettledFds::addNetTable(int64_t snapshot, int64_t netns, int64_t net_table, int64_t status) {
  const auto at = indexOf(snapshot);
  if (at)
    noteRead(tables_, netns, net_table, *at, status == static_cast<int64_t>(ReadStatus::Whole));
}

void SettledFds::addWatch(const WatchRow& row) {
  if (row.watched_fd < 0 || row.watched_fd > INT32_MAX) return;  // no fd has such a number
  Watches& watches = watches_.tryEmplace(keyOf(row.process, row.watched_fd), {}).first;
  const bool is_first = watches.files == 0 && is(row.change, Change::Present);
  if (is(row.change, Change::Gone)) {
    --watches.files;
    watches.inodes -= static_cast<uint64_t>(row.inode);
  } else if (is_first || is(row.change, Change::Appeared)) {
    ++watches.files;
    watches.inodes += static_cast<uint64_t>(row.inode);
  } else if (!watches.isOne(row.inode)) {
    watches.is_plain = false;
  }
  if (row.inode == kNone || watches.files < 0) watches.is_plain = false;
}

void SettledFds::addFd(const FdRow& row) {
  const auto at = indexOf(row.snapshot);
  fd_owners_.push_back(at ? takeFd(row, *at) : kNobody);
}

SettledFds::Owner SettledFds::takeFd(const FdRow& row, int32_t at) {
  Owner& slot = by_number_.tryEmplace(keyOf(row.process, row.fd), kNobody).first;
  const Owner last = slot;
  const bool is_gone = is(row.change, Change::Gone);
  if (last != kNobody && episodes_[static_cast<size_t>(last)].closed < 0) {
    Episode& episode = episodes_[static_cast<size_t>(last)];
    // Two rows of one snapshot have no order.
    if (at == episode.last_row) episode.is_plain = false;
    const bool goes_on = !is_gone && !is(row.change, Change::Appeared) &&
                         row.link_number == episode.link_number &&
                         row.link_type == episode.link_type;
    if (goes_on || is_gone) {
      if (is_gone) episode.closed = at;
      noteInode(episode, row);
      if (!isInOneRecording(episode.opened, at)) episode.is_plain = false;
      episode.protocol = is_gone ? episode.protocol : row.protocol;
      episode.last_row = at;
      return last;
    }
    episode.closed = at;
    episode.is_replaced = true;
    if (!is(row.change, Change::Appeared)) episode.is_plain = false;
  }
  if (is_gone) return kNobody;
  slot = begin(row, at, last);
  return slot;
}

void SettledFds::noteInode(Episode& episode, const FdRow& row) {
  if (row.inode != kNone && row.inode != episode.link_number) episode.has_own_inode = false;
}

SettledFds::Owner SettledFds::begin(const FdRow& row, int32_t at, Owner before) {
  const auto owner = static_cast<Owner>(episodes_.size());
  Episode& episode = episodes_.emplace_back();
  episode.process = static_cast<int32_t>(row.process);
  episode.fd = static_cast<int32_t>(row.fd);
  episode.opened = episode.last_row = at;
  episode.first_row = static_cast<int32_t>(fd_owners_.size());
  episode.before = before;
  episode.protocol = row.protocol;
  episode.link_number = row.link_number;
  noteInode(episode, row);
  episode.link_type = static_cast<int8_t>(std::clamp<int64_t>(row.link_type, -1, 3));
  episode.is_plain = (episode.link_type == kSocket || episode.link_type == kPipe) &&
                     row.link_number > 0 && !is(row.change, Change::Changed);
  if (before != kNobody) {
    const Episode& other = episodes_[static_cast<size_t>(before)];
    const bool is_broken_off = other.is_replaced && !is(row.change, Change::Appeared);
    if (other.last_row == at || is_broken_off) episode.is_plain = false;
  }
  if (episode.link_type != kSocket) return owner;
  // A number that is used again, or held by two fds.
  const auto [known, is_new] = by_inode_.tryEmplace(static_cast<uint64_t>(row.link_number), owner);
  if (!is_new) episode.is_plain = episodes_[static_cast<size_t>(known)].is_plain = false;
  return owner;
}

/// Nothing if there is none of which nothing is unusual.
SettledFds::Episode* SettledFds::plainEpisodeOf(int64_t inode) {
  const Owner* found = by_inode_.find(static_cast<uint64_t>(inode));
  if (found == nullptr) return nullptr;
  Episode& episode = episodes_[static_cast<size_t>(*found)];
  return episode.is_plain ? &episode : nullptr;
}

void SettledFds::addInet(const InetRow& row) {
  inet_owners_.push_back(kNobody);
  const auto at = indexOf(row.snapshot);
  if (!at) return;
  noteListener(row, *at);
  Episode* episode = plainEpisodeOf(row.inode);
  if (row.net_table > kTcp6Table) {
    if (episode != nullptr) episode->has_other_row = true;
    return;
  }
  if (episode != nullptr && episode->connection < 0) {
    beginConnection(*episode, row, *at);
  } else if (episode != nullptr &&
             !extendConnection(connections_[static_cast<size_t>(episode->connection)], row, *at)) {
    episode->is_plain = false;
  }
  // What becomes of it is for SQL to say.
  const bool is_known = episode != nullptr && episode->is_plain;
  if (!is_known && row.inode != 0 && row.state != kListen && !is(row.change, Change::Gone))
    groups_.addUnknown(row.remote, row.remote_port, row.local_port);
  if (episode == nullptr) return;
  inet_owners_.back() = static_cast<Owner>(episode - episodes_.data());
}

void SettledFds::addGone(int64_t snapshot, int64_t inode) {
  gone_owners_.push_back(kNobody);
  const auto at = indexOf(snapshot);
  if (!at) return;
  Episode* episode = plainEpisodeOf(inode);
  if (episode == nullptr || episode->connection < 0) return;
  Connection& connection = connections_[static_cast<size_t>(episode->connection)];
  // All rows of inet_change were told before: none may be of later.
  episode->is_plain = connection.gone < 0 && *at > connection.last_row;
  connection.gone = *at;
  gone_owners_.back() = static_cast<Owner>(episode - episodes_.data());
}

void SettledFds::noteListener(const InetRow& row, int32_t at) {
  if (row.state != kListen || row.net_table > kTcp6Table || is(row.change, Change::Gone)) return;
  const bool is_certain = covers(tables_, row.netns, row.net_table, at, at);
  (is_certain ? listeners_ : perhaps_listeners_).emplace(row.netns, row.local_port);
}

void SettledFds::beginConnection(Episode& episode, const InetRow& row, int32_t at) {
  episode.is_plain = (is(row.change, Change::Appeared) || is(row.change, Change::Present)) &&
                     row.state > 0 && row.state <= kLastState && row.state != kListen;
  if (!episode.is_plain) return;
  episode.connection = static_cast<int32_t>(connections_.size());
  connections_.push_back({.local = row.local,
                          .remote = row.remote,
                          .netns = static_cast<int32_t>(row.netns),
                          .local_port = static_cast<int32_t>(row.local_port),
                          .remote_port = static_cast<int32_t>(row.remote_port),
                          .listed = at,
                          .last_row = at,
                          .last_state = static_cast<int32_t>(states_.size()),
                          .net_table = static_cast<int8_t>(row.net_table)});
  states_.push_back({.before = -1, .from = at, .state = static_cast<int8_t>(row.state)});
}

/// False: the row is of something else, or unusual.
bool SettledFds::extendConnection(Connection& connection, const InetRow& row, int32_t at) {
  const bool is_same = row.netns == connection.netns && row.net_table == connection.net_table &&
                       row.local == connection.local && row.local_port == connection.local_port &&
                       row.remote == connection.remote && row.remote_port == connection.remote_port;
  if (!is_same || connection.gone >= 0 || at == connection.last_row) return false;
  connection.last_row = at;
  if (is(row.change, Change::Gone)) {
    connection.gone = at;
    return true;
  }
  if (is(row.change, Change::Appeared) || row.state <= 0 || row.state > kLastState ||
      row.state == kListen)
    return false;
  if (states_[static_cast<size_t>(connection.last_state)].state != row.state) {
    states_.push_back(
        {.before = connection.last_state, .from = at, .state = static_cast<int8_t>(row.state)});
    connection.last_state = static_cast<int32_t>(states_.size()) - 1;
  }
  return true;
}

void SettledFds::addAutopsy(const AutopsyRow& row) {
  autopsy_owners_.push_back(kNobody);
  const auto at = indexOf(row.snapshot);
  if (!at) return;
  Episode* episode = plainEpisodeOf(row.inode);
  if (episode == nullptr) return;
  const bool is_own = row.process == episode->process && row.fd == episode->fd &&
                      *at >= episode->opened && *at < episode->closed;
  episode->is_plain = is_own && row.state == kClose && row.remote != kNone && row.has_carried;
  if (!episode->is_plain) return;
  if (episode->autopsy < 0) {
    episode->autopsy = static_cast<int32_t>(autopsies_.size());
    autopsies_.push_back({.local = row.local,
                          .remote = row.remote,
                          .local_port = static_cast<int32_t>(row.local_port),
                          .remote_port = static_cast<int32_t>(row.remote_port),
                          .first = *at});
  }
  const Autopsy& first = autopsies_[static_cast<size_t>(episode->autopsy)];
  episode->is_plain = row.local == first.local && row.remote == first.remote &&
                      static_cast<int32_t>(row.local_port) == first.local_port &&
                      static_cast<int32_t>(row.remote_port) == first.remote_port;
  autopsy_owners_.back() = static_cast<Owner>(episode - episodes_.data());
}

void SettledFds::addQueue(const QueueRow& row) {
  queue_owners_.push_back(kNobody);
  if (!indexOf(row.snapshot)) return;
  Episode* episode = plainEpisodeOf(row.inode);
  if (episode == nullptr) return;
  episode->is_busy = episode->is_busy || row.is_busy;
  episode->had_unread = episode->had_unread || row.has_unread;
  episode->is_unanswered = row.is_unanswered;
  queue_owners_.back() = static_cast<Owner>(episode - episodes_.data());
}

/// And in the snapshot after it was closed. In the last one an epoll, which is read before the fds,
/// can still watch what was closed meanwhile.
bool SettledFds::wasReadThroughout(const Episode& episode) const {
  const int32_t next = episode.closed + 1;
  if (episode.closed < 0 || static_cast<size_t>(next) >= recordings_.size()) return false;
  const auto ended = ended_.find(episode.process);
  return covers(processes_, episode.process, 0, episode.opened, next) &&
         (ended == ended_.end() || next < ended->second);
}

void SettledFds::findFull() {
  for (const Episode& episode : episodes_) {
    const auto limit = lowest_limits_.find(episode.process);
    if (limit == lowest_limits_.end() || episode.fd < limit->second - thresholds_.few_free)
      continue;
    const auto first = full_.try_emplace(episode.process, episode.opened).first;
    first->second = std::min(first->second, episode.opened);
  }
}

/// From then on it matters which numbers are not below the limit, and what was open when it was
/// reached.
bool SettledFds::isBeforeFull(const Episode& episode) const {
  const auto full = full_.find(episode.process);
  return full == full_.end() || episode.closed <= full->second;
}

/// One row of one table, from before the fd was opened until after it was closed, or to the end.
bool SettledFds::isListedThroughout(const Episode& episode, const Names& names) const {
  if (episode.connection < 0 || episode.autopsy >= 0 || episode.has_other_row) return false;
  const Connection& connection = connections_[static_cast<size_t>(episode.connection)];
  const bool is_longer =
      episode.closed < 0 ? connection.gone < 0 : connection.gone >= episode.closed;
  const int32_t last = connection.gone < 0 ? lastSnapshot() : connection.gone;
  if (!is_longer || connection.listed > episode.opened) return false;
  if (!covers(tables_, connection.netns, connection.net_table, connection.listed, last))
    return false;
  const std::pair port(names.netns_inode(connection.netns), int64_t{connection.local_port});
  return listeners_.contains(port) || !perhaps_listeners_.contains(port);
}

/// No table ever listed it, and the kernel says that it was connected.
bool SettledFds::isDeadThroughout(const Episode& episode) const {
  return episode.connection < 0 && episode.autopsy >= 0 && !episode.has_other_row &&
         episode.kind_of_protocol == Protocol::Tcp;
}

bool SettledFds::canBeLeftOut(const Episode& episode) const {
  if (!episode.is_plain || !wasReadThroughout(episode) || !isBeforeFull(episode)) return false;
  if (episode.link_type != kSocket) return true;
  const bool is_other =
      episode.kind_of_protocol == Protocol::Other && episode.connection < 0 && episode.autopsy < 0;
  return is_other || episode.is_listed || isDeadThroughout(episode);
}

SettledFds::Protocol SettledFds::protocolOf(const Episode& episode, const Names& names) {
  if (episode.protocol == kNone) return Protocol::Unknown;
  const auto [known, is_new] = protocols_.emplace(episode.protocol, Protocol::Other);
  if (is_new) {
    const std::string name = names.text(episode.protocol);
    if (name == "TCP" || name == "TCPv6") known->second = Protocol::Tcp;
    if (name == "MPTCP" || name == "MPTCPv6") known->second = Protocol::Mptcp;
  }
  return known->second;
}

void SettledFds::nameListeners(const Names& names) {
  for (auto* ports : {&listeners_, &perhaps_listeners_}) {
    std::set<std::pair<int64_t, int64_t>> named;
    for (const auto& [netns, port] : *ports)
      named.emplace(names.netns_inode(netns), port);
    *ports = std::move(named);
  }
}

void SettledFds::decide(const Names& names) {
  if (is_off_) return;
  nameListeners(names);
  findFull();
  left_out_.reserve(episodes_.size());
  for (Episode& episode : episodes_) {
    episode.kind_of_protocol = protocolOf(episode, names);
    episode.is_listed = episode.is_plain && isListedThroughout(episode, names);
    left_out_.push_back(canBeLeftOut(episode) ? 1 : 0);
    if (left_out_.back() != 0) count(episode, names);
  }
  findSteady();
  decideOpen(names);
}

void SettledFds::findSteady() {
  constexpr int32_t kNot = -1;
  for (const auto& [key, stretch] : processes_) {
    const auto process = static_cast<int32_t>(std::get<0>(key));
    auto& span = steady_.try_emplace(process, ConnectionGroups::Span{stretch.from, lastSnapshot()})
                     .first->second;
    // A process that has ended was not read to the end either.
    if (std::get<2>(key) != recordings_.back() || stretch.until != INT32_MAX ||
        full_.contains(process))
      span.last = kNot;
  }
  std::erase_if(steady_, [](const auto& entry) { return entry.second.last == kNot; });
}

/// Unless its connection has gone before it: then it is of no group.
void SettledFds::noteUnknown(const Episode& episode) {
  if (episode.connection < 0) return;
  const Connection& connection = connections_[static_cast<size_t>(episode.connection)];
  if (connection.gone >= 0 && (episode.closed < 0 || connection.gone < episode.closed)) return;
  groups_.addUnknown(connection.remote, connection.remote_port, connection.local_port);
}

/// Or not at all.
bool SettledFds::isWatchedPlainly(const Episode& episode) {
  const Watches* watches = watches_.find(keyOf(episode.process, episode.fd));
  return watches == nullptr ||
         (watches->is_plain && (watches->files == 0 || watches->isOne(episode.link_number)));
}

/// Of those that are open connections.
bool SettledFds::canOnlyBeCounted(const Episode& episode, const Names& names) {
  const Connection& connection = connections_[static_cast<size_t>(episode.connection)];
  if (episode.had_unread || episode.is_unanswered || !episode.has_own_inode ||
      lastStateOf(episode) != kEstablished || connection.local_port == 0 ||
      connection.remote_port == 0 || !isWatchedPlainly(episode))
    return false;
  const auto group = groupOf(episode, names);
  if (!group) return true;
  return !groups_.mayOnlyGrow(*group) &&
         !(isIn(connection, names)
               ? groups_.hasUnknownAt(connection.local_port)
               : groups_.hasUnknownWith(connection.remote, connection.remote_port));
}

void SettledFds::decideOpen(const Names& names) {
  std::vector<size_t> open;
  for (size_t i = 0; i < episodes_.size(); ++i) {
    const Episode& episode = episodes_[i];
    const auto steady = steady_.find(episode.process);
    if (steady == steady_.end() || !episode.is_listed) {
      if (left_out_[i] == 0) noteUnknown(episode);
      continue;
    }
    if (episode.closed < 0) open.push_back(i);
    if (const auto group = groupOf(episode, names))
      groups_.add(*group, steady->second, episode.opened,
                  episode.closed < 0 ? kOpen : episode.closed);
  }
  // Where all are in tcp6, each is told of.
  std::set<int32_t> with_tcp;
  for (const int64_t net_table : {kTcpTable, kTcp6Table}) {
    for (const size_t i : open) {
      const Episode& episode = episodes_[i];
      const int8_t listed_in = connections_[static_cast<size_t>(episode.connection)].net_table;
      if (listed_in != net_table ||
          (listed_in == kTcp6Table && !with_tcp.contains(episode.process)) ||
          !canOnlyBeCounted(episode, names))
        continue;
      left_out_[i] = 1;
      with_tcp.insert(episode.process);
      count(episode, names);
      countPeer(episode, names);
      if (watches_.find(keyOf(episode.process, episode.fd)) != nullptr)
        counts_.addWatched({episode.process, episode.fd, episode.link_number});
    }
  }
}

SettledFds::Fate SettledFds::of(const std::vector<Owner>& owners, size_t place) const {
  if (is_off_ || place >= owners.size() || owners[place] == kNobody) return Fate::Kept;
  return left_out_[static_cast<size_t>(owners[place])] != 0 ? Fate::LeftOut : Fate::Kept;
}

SettledFds::Fate SettledFds::ofFd(size_t place) const {
  const Fate fate = of(fd_owners_, place);
  if (fate != Fate::LeftOut) return fate;
  const Episode& episode = episodes_[static_cast<size_t>(fd_owners_[place])];
  if (static_cast<size_t>(episode.first_row) != place || episode.before == kNobody) return fate;
  const Episode& before = episodes_[static_cast<size_t>(episode.before)];
  const bool is_kept = left_out_[static_cast<size_t>(episode.before)] == 0;
  return before.is_replaced && is_kept ? Fate::End : fate;
}

void SettledFds::countAs(int32_t process, std::string_view what, std::string_view name,
                         int32_t opened, int32_t closed) {
  counts_.add(counts_.seriesOf(process, what, name), opened, closed);
}

void SettledFds::count(const Episode& episode, const Names& names) {
  const int32_t closed = episode.closed < 0 ? kOpen : episode.closed;
  countAs(episode.process, "kind", episode.link_type == kSocket ? "socket" : "pipe", episode.opened,
          closed);
  if (episode.link_type != kSocket) return;
  if (episode.connection >= 0) return countConnection(episode, names);
  if (episode.autopsy < 0) {
    countAs(episode.process, "verdict", "other", episode.opened, closed);
    countAs(episode.process, "socket", names.text(episode.protocol), episode.opened, closed);
    return;
  }
  const int32_t dead_since = autopsies_[static_cast<size_t>(episode.autopsy)].first;
  countAs(episode.process, "verdict", "outlived", dead_since, closed);
  countLost(episode, "outlived", dead_since);
  if (dead_since > episode.opened)
    countAs(episode.process, "verdict", "unlisted", episode.opened, dead_since);
}

/// As _closed_late of schema/views/judgement.sql has it. It is no connection that is open at the
/// end.
void SettledFds::countLost(const Episode& episode, std::string_view verdict, int32_t since) {
  const auto at = [&](int32_t snapshot) { return boottimes_[static_cast<size_t>(snapshot)]; };
  if (at(episode.closed - 1) - at(since) <= thresholds_.grace_ns) return;
  counts_.addClosedLate(episode.process, verdict, at(episode.closed) - at(since));
}

/// While the fd was open.
int8_t SettledFds::lastStateOf(const Episode& episode) const {
  int32_t last = connections_[static_cast<size_t>(episode.connection)].last_state;
  while (episode.closed >= 0 && last >= 0 &&
         states_[static_cast<size_t>(last)].from >= episode.closed)
    last = states_[static_cast<size_t>(last)].before;
  return last < 0 ? int8_t{0} : states_[static_cast<size_t>(last)].state;
}

bool SettledFds::isIn(const Connection& connection, const Names& names) const {
  return connection.local_port != 0 &&
         listeners_.contains({names.netns_inode(connection.netns), int64_t{connection.local_port}});
}

/// As fd_class of schema/views/growth.sql has it: the series of the class and name.
std::optional<uint64_t> SettledFds::groupOf(const Episode& episode, const Names& names) {
  Connection& connection = connections_[static_cast<size_t>(episode.connection)];
  if (!connection.is_grouped) connection.group = findGroup(episode, connection, names);
  connection.is_grouped = true;
  return connection.group == kNoGroup ? std::nullopt : std::optional(connection.group);
}

uint64_t SettledFds::findGroup(const Episode& episode, const Connection& connection,
                               const Names& names) {
  if (!isIn(connection, names)) {
    if (connection.remote_port == 0) return kNoGroup;
    return counts_.seriesOf(episode.process, "pool",
                            names.endpoint(connection.remote, connection.remote_port));
  }
  if (lastStateOf(episode) != kEstablished || episode.is_busy) return kNoGroup;
  return counts_.seriesOf(episode.process, "idle", fmt::format("port {}", connection.local_port));
}

void SettledFds::countConnection(const Episode& episode, const Names& names) {
  const Connection& connection = connections_[static_cast<size_t>(episode.connection)];
  const int32_t closed = episode.closed < 0 ? kOpen : episode.closed;
  int32_t until = closed;
  int32_t peer_closed = -1;
  for (int32_t i = connection.last_state; i >= 0 && until > episode.opened;
       i = states_[static_cast<size_t>(i)].before) {
    const State& state = states_[static_cast<size_t>(i)];
    if (state.from >= until) continue;
    const int32_t from = std::max(state.from, episode.opened);
    countAs(episode.process, "verdict", names.verdicts.at(state.state), from, until);
    if (state.state == kCloseWait) peer_closed = from;
    until = from;
  }
  if (peer_closed >= 0 && episode.closed >= 0) countLost(episode, "peer-closed", peer_closed);
  if (const auto group = groupOf(episode, names)) counts_.add(*group, episode.opened, closed);
}

void SettledFds::countPeer(const Episode& episode, const Names& names) {
  const Connection& connection = connections_[static_cast<size_t>(episode.connection)];
  const bool is_in = isIn(connection, names);
  counts_.addPeer({.process = episode.process,
                   .net_table = connection.net_table,
                   .is_in = is_in,
                   .local_port = is_in ? connection.local_port : 0,
                   .remote = connection.remote,
                   .remote_port = is_in ? 0 : connection.remote_port});
}

void SettledFds::store(SQLite::Database& analysis, const Names& names) const {
  counts_.store(analysis, first_snapshot_, names.endpoint);
}

}  // namespace fdmortem
