// What analyze/import/settled.h promises of connections that are open at the end: a report that
// only counts them says what SQL makes of all rows.
#include <algorithm>
#include <array>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "capture/changes.h"
#include "tests/analyze/import/whole_and_brief.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

constexpr int kSnapshots = 24;
constexpr unsigned kFirst = 20;  ///< connections at the beginning
constexpr uint8_t kSynSent = 2;
constexpr uint8_t kFinWait2 = 5;
constexpr uint16_t kUpstreamPort = 5432;

/// A service with clients and an upstream. Most of its connections stay; what else there is differs
/// from seed to seed.
class Service {
 public:
  explicit Service(unsigned seed) : random_(seed) {
    tables_ = any(4);  // tcp, tcp6, both, one after the other
    clients_ = any(5) % 3;
    upstreams_ = any(5) % 3;
    epoll_ = any(4);
    limit_ = any(9);
    if (sometimes(2)) oddity_ = 1 + any(14);
    has_trouble_ = sometimes(6);
    has_child_ = sometimes(6);
    has_listener_ = !sometimes(4);
    if (sometimes(2)) odd_growth_ = std::array{6U, 8U, 10U}.at(any(3));
    for (unsigned i = 0; i < kFirst; ++i)
      open(sometimes(2));
  }

  bool isOneRecording() { return !sometimes(6); }

  Snapshot next(int place) {
    advance(place);
    for (auto& rows : rows_)
      rows.clear();
    autopsies_.clear();
    std::vector<ProcessRecord> processes{processWith(fds(place))};
    processes[0].limits = limits(place);
    if (has_trouble_ && sometimes(12)) processes[0].fd_list_status = ReadStatus::Failed;
    if (processes[0].fd_list_status == ReadStatus::Failed) processes[0].fds.clear();
    if (has_child_) processes.push_back(child(processes[0], place));
    NetnsRecord netns = netnsWith(std::move(rows_[0]));
    netns.inet[1] = std::move(rows_[1]);
    if (has_trouble_ && sometimes(12)) netns.status[any(2)] = ReadStatus::Failed;
    for (auto& table : netns.inet)
      std::sort(table.begin(), table.end(),
                [](const InetRow& a, const InetRow& b) { return a.inode < b.inode; });
    Snapshot result = snapshotOf(std::move(processes), {std::move(netns)});
    result.autopsies = autopsies_;
    for (int64_t* clock :
         {&result.clocks.wall_ns, &result.clocks.monotonic_ns, &result.clocks.boottime_ns})
      *clock += place * 10'000'000'000;
    return result;
  }

 private:
  struct Connection {
    int32_t fd = 0;
    uint64_t inode = 0;
    bool is_client = true;
    size_t table = 0;
    uint8_t state = kEstablished;
    unsigned oddity = 0;
    bool is_watched = false;
    int since = 0;
    bool is_gone = false;
    std::shared_ptr<const AutopsyRecord> autopsy;
  };

  unsigned any(unsigned below) { return static_cast<unsigned>(random_() % below); }
  bool sometimes(unsigned one_of) { return any(one_of) == 0; }

  int32_t freeNumber() const {
    int32_t fd = 5;
    while (
        std::any_of(open_.begin(), open_.end(), [&](const auto& other) { return other.fd == fd; }))
      ++fd;
    return fd;
  }

  void open(bool is_client) {
    Connection added{.fd = freeNumber(), .inode = ++last_inode_, .is_client = is_client};
    added.table = tables_ == 2 ? any(2) : tables_ == 1 ? 1 : 0;
    if (!is_client && sometimes(3)) added.state = kSynSent;
    if (sometimes(5)) added.oddity = oddity_;
    // What grows alone is what nobody knows all of.
    if (odd_growth_ > 0 && last_inode_ > 1000 + kFirst) added.oddity = odd_growth_;
    added.is_watched = epoll_ == 1 || (epoll_ > 1 && sometimes(2));
    open_.push_back(added);
  }

  /// 0: as many stay; 1: they become more and more; 2: so, but not any more after a while.
  void grow(unsigned how, bool is_client, int place) {
    if (how == 0 && sometimes(4)) open(is_client);
    for (int i = 0; how > 0 && (how == 1 || place < kSnapshots / 2) && i < 2; ++i)
      open(is_client);
  }

  void advance(int place) {
    if (tables_ == 3 && place == kSnapshots / 2) tables_ = 1;
    for (Connection& connection : open_) {
      ++connection.since;
      if (connection.state == kSynSent && sometimes(2)) connection.state = kEstablished;
      if (connection.state == kEstablished && sometimes(150)) connection.state = kCloseWait;
      if (connection.state == kEstablished && sometimes(200)) connection.state = kFinWait2;
      if (sometimes(150)) connection.is_gone = true;
    }
    std::erase_if(open_, [&](const auto&) { return sometimes(60); });
    grow(clients_, true, place);
    grow(upstreams_, false, place);
  }

  std::vector<Limit> limits(int place) const {
    const int64_t soft = limit_ == 1                             ? 24
                         : limit_ == 2 && place > kSnapshots / 2 ? 12
                         : limit_ == 3 ? 5 + static_cast<int64_t>(open_.size()) + 20 - place
                                       : 1024;
    return {{"Max open files", static_cast<uint64_t>(soft), 4096, "files"}};
  }

  std::vector<FdRecord> fds(int place) {
    std::vector<FdRecord> fds{socketFd(3, 99)};
    InetRow listener = tcpRow(99, kListening);
    listener.remote = {.address = {.bytes = {}, .length = 4}, .port = 0};
    if (has_listener_) rows_[tables_ == 1 ? 1 : 0].push_back(listener);
    std::sort(open_.begin(), open_.end(), [](const auto& a, const auto& b) { return a.fd < b.fd; });
    FdRecord epoll = fileFd(4, "anon_inode:[eventpoll]");
    for (Connection& connection : open_) {
      fds.push_back(show(connection, place));
      const uint64_t inode = epoll_ == 3 && connection.fd % 3 == 0 ? 7 : connection.inode;
      if (connection.is_watched)
        epoll.info->watches.push_back(
            {.watched_fd = connection.fd, .events = 1, .data = 0, .inode = inode});
    }
    if (epoll_ > 0) fds.insert(fds.begin() + 1, epoll);
    return fds;
  }

  FdRecord show(Connection& connection, int place) {
    FdRecord fd = socketFd(connection.fd, connection.inode);
    if (connection.is_gone) {
      ask(connection, fd);
    } else {
      list(connection, place);
    }
    if (connection.oddity == 1) fd.protocol = {};
    if (connection.oddity == 2 && connection.since == 2) fd.info->flags = 4;
    if (connection.oddity == 3) fd.info->inode = {};
    if (connection.oddity == 11) fd.info->inode = 7;
    return fd;
  }

  void ask(Connection& connection, FdRecord& fd) {
    if (!connection.autopsy) {
      AutopsyRecord said{.inode = connection.inode, .process = {7, 1000}, .fd = fd.fd, .state = 7};
      said.asked_at_ns = 1000;
      said.remote = tcpRow(connection.inode).remote;
      said.local = tcpRow(connection.inode).local;
      said.delivered = 3;
      connection.autopsy = std::make_shared<const AutopsyRecord>(said);
      autopsies_.push_back(connection.autopsy);
    }
    fd.autopsy = connection.autopsy;
  }

  void list(const Connection& connection, int place) {
    InetRow row = tcpRow(connection.inode, connection.state);
    row.remote.address.bytes[3] = static_cast<uint8_t>(7 + connection.inode % 3);
    if (!connection.is_client) {
      row.local.port = static_cast<uint16_t>(30'000 + connection.inode);
      row.remote.port = kUpstreamPort;
    }
    if (connection.oddity == 4) row.tx_queue = 3;
    if (connection.oddity == 5) row.timer = 2;
    if (connection.oddity == 12) row.rx_queue = 5;
    // Unanswered, at times or from some time on.
    if (connection.oddity == 13) row.retransmits = static_cast<uint8_t>(place % 3);
    if (connection.oddity == 14 && place > kSnapshots / 3) row.probes = 2;
    if (connection.oddity == 6 && connection.since == 3) return;
    if (connection.oddity == 7) row.remote.port = 0;
    if (connection.oddity == 10 && connection.since == 1) return;
    rows_[connection.table].push_back(row);
    if (connection.oddity == 8) rows_[1 - connection.table].push_back(row);
    if (oddity_ == 8 && connection.inode % 17 == 0) {
      row.inode += 10'000;  // nobody's
      row.remote.port = static_cast<uint16_t>(place % 5 == 0 ? 7 : 8);
      rows_[0].push_back(row);
    }
  }

  /// It has what is held twice, and a connection of its own at the same port.
  ProcessRecord child(const ProcessRecord& parent, int place) {
    std::vector<FdRecord> fds;
    for (const Connection& connection : open_)
      if (connection.oddity == 9) fds.push_back(socketFd(connection.fd, connection.inode));
    fds.push_back(socketFd(900, 5000));
    rows_[0].push_back(tcpRow(5000));
    ProcessRecord child = processWith(std::move(fds), 8);
    child.parent_pid = parent.identity.pid;
    if (place % 11 == 0) child.comm = "worker";
    return child;
  }

  std::mt19937 random_;
  unsigned oddity_ = 0, odd_growth_ = 0;
  unsigned tables_, clients_, upstreams_, epoll_, limit_;
  bool has_trouble_, has_child_, has_listener_;
  uint64_t last_inode_ = 1000;
  std::vector<Connection> open_;
  std::array<std::vector<InetRow>, 2> rows_;
  std::vector<std::shared_ptr<const AutopsyRecord>> autopsies_;
};

TEST(OpenConnections, TheReportOfChanceIsTheSameWithoutThem) {
  const TemporaryDirectory folder;
  int64_t left_out = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    SCOPED_TRACE(seed);
    const std::string path = folder.file(std::to_string(seed) + ".db");
    Service service(seed);
    recordAll(path, kSnapshots, service.isOneRecording() ? kSnapshots : kSnapshots / 2, 7,
              [&](int place) { return service.next(place); });
    left_out += compareReports(path).open;
  }
  EXPECT_GT(left_out, 100);
}

TEST(OpenConnections, AListenerIsNone) {
  const TemporaryDirectory folder;
  recordAll(folder.file("listener.db"), 3, 3, 7, [](int) {
    return snapshotOf({processWith({socketFd(5, 600)})}, {netnsWith({tcpRow(600, kListening)})});
  });
  EXPECT_EQ(compareReports(folder.file("listener.db")).open, 0);
}

}  // namespace
}  // namespace fdmortem::test
