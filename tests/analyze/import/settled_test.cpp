// What analyze/import/settled.h promises: a report says the same whether the fds that it only
// counts are left out or not. The SQL of schema/views, over all rows, is what it is compared with.
#include "analyze/import/settled.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "capture/archive/writer.h"
#include "tests/analyze/import/whole_and_brief.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

constexpr int kSnapshots = 40;
constexpr int kSnapshotsPerKeyframe = 7;
constexpr int32_t kFirstFd = 4;
constexpr int32_t kFds = 14;

/// Two processes, of which one ends now and then, whose sockets, pipes and files come and go. Most
/// have a number of their own and are listed as long as they are open, or dead all that time; some
/// are neither.
class Traffic {
 public:
  explicit Traffic(unsigned seed)
      : random_(seed),
        trouble_(1 + seed % 4),
        limited_(seed / 4 % 3),
        has_epoll_(seed / 2 % 2 == 1) {}

  Snapshot next(int place) {
    rows_ = {};
    autopsies_.clear();
    Snapshot result;
    std::vector<ProcessRecord> processes;
    for (const size_t process : {0U, 1U}) {
      if (process == 1 && place > kSnapshots - 9) continue;
      is_unread_ = troubled(40);
      const int32_t pid = 7 + static_cast<int32_t>(process);
      processes.push_back(processWith(fdsOf(process, pid), pid));
      if (is_unread_) processes.back().fd_list_status = ReadStatus::Failed;
      processes.back().limits = limits(place);
    }
    NetnsRecord netns = netnsWith(std::move(rows_[0]));
    netns.inet[1] = std::move(rows_[1]);
    for (auto& table : netns.inet)
      std::sort(table.begin(), table.end(),
                [](const InetRow& a, const InetRow& b) { return a.inode < b.inode; });
    if (troubled(40)) netns.status[random_() % 2] = ReadStatus::Failed;
    result = snapshotOf(std::move(processes), {std::move(netns)});
    if (troubled(60)) result.namespaces.clear();
    result.autopsies = autopsies_;
    result.clocks.wall_ns += place * 10'000'000'000;
    result.clocks.monotonic_ns += place * 10'000'000'000;
    result.clocks.boottime_ns += place * 10'000'000'000;
    return result;
  }

 private:
  struct Behind {
    int kind = 0;
    uint64_t inode = 0;
    uint16_t port = 0;
    int since = 0;
    uint8_t state = kEstablished;
    std::shared_ptr<const AutopsyRecord> autopsy;
  };

  /// In some of the archives one that is reached now and then, in some it is lowered below fds that
  /// are open.
  std::vector<Limit> limits(int place) const {
    const bool is_lowered = limited_ == 2 && place > kSnapshots / 3;
    const int64_t soft = limited_ == 1 ? kFirstFd + kFds - 1 : is_lowered ? kFds / 2 : 1024;
    return {{"Max open files", soft, 4096, "files"}};
  }

  /// It is read before the fds that it watches: some of these are closed meanwhile.
  FdRecord epoll(const std::vector<FdRecord>& fds) {
    FdRecord epoll = fileFd(2, "anon_inode:[eventpoll]");
    epoll.info->watches = watched_;
    watched_.clear();
    for (const FdRecord& fd : fds)
      if (fd.link.type == LinkType::Socket)
        watched_.push_back({.watched_fd = fd.fd, .events = 1, .data = 0, .inode = fd.link.number});
    for (const EpollWatch& watch : watched_)
      if (std::find(epoll.info->watches.begin(), epoll.info->watches.end(), watch) ==
          epoll.info->watches.end())
        epoll.info->watches.push_back(watch);
    return epoll;
  }

  bool sometimes(unsigned one_of) { return random_() % one_of == 0; }
  /// Not at all in some of the archives.
  bool troubled(unsigned one_of) { return trouble_ > 1 && sometimes(one_of / trouble_ * 2); }

  std::vector<FdRecord> fdsOf(size_t process, int32_t pid) {
    std::vector<FdRecord> fds;
    if (process == 0) {
      fds.push_back(socketFd(3, 99));
      InetRow listener = tcpRow(99, kListening);
      listener.remote = {.address = {.bytes = {}, .length = 4}, .port = 0};
      rows_[0].push_back(listener);
    }
    for (int32_t i = 0; i < kFds; ++i) {
      Behind& behind = behind_.at(process).at(static_cast<size_t>(i));
      if (behind.kind == 0 || sometimes(6)) behind = another();
      if (behind.kind > 1) fds.push_back(show(behind, kFirstFd + i, pid));
    }
    if (has_epoll_ && process == 0) fds.insert(fds.begin(), epoll(fds));
    return fds;
  }

  Behind another() {
    Behind behind{.kind = 1 + static_cast<int>(random_() % 9)};
    behind.inode = troubled(8) ? 500 + random_() % 30 : ++last_inode_;
    behind.port = sometimes(3) ? 443 : 9091;
    return behind;
  }

  FdRecord show(Behind& behind, int32_t fd, int32_t pid) {
    ++behind.since;
    FdRecord record = socketFd(fd, behind.inode);
    if (behind.since == 3 && sometimes(3)) record.info->flags = 4;
    switch (behind.kind) {
      case 2:
        record.link.type = LinkType::Pipe;
        record.protocol = {};
        break;
      case 3:
        record.protocol = sometimes(20) ? "UNIX" : "UDP";
        break;
      case 4:
        return fileFd(fd, "/var/log/" + std::to_string(behind.inode), behind.inode);
      case 5:
      case 6:
        ask(behind, record, pid);
        break;
      default:
        list(behind);
    }
    return record;
  }

  void ask(Behind& behind, FdRecord& fd, int32_t pid) {
    if (is_unread_ || (behind.since == 1 && sometimes(4))) return;
    if (!behind.autopsy || troubled(8)) {
      AutopsyRecord said{.inode = behind.inode, .process = {pid, 1000}, .fd = fd.fd, .state = 7};
      said.asked_at_ns = static_cast<int64_t>(1000 + random_() % 3);
      said.remote = tcpRow(behind.inode).remote;
      said.local = tcpRow(behind.inode).local;
      said.delivered = troubled(4) ? 0 : 3;
      said.last_data_sent_ms = 5;
      said.data_segments_out = 2;
      behind.autopsy = std::make_shared<const AutopsyRecord>(said);
      autopsies_.push_back(behind.autopsy);
    }
    fd.autopsy = behind.autopsy;
  }

  void list(Behind& behind) {
    if (troubled(10)) return;
    if (sometimes(9)) behind.state = kCloseWait;
    InetRow row = tcpRow(behind.inode, behind.state);
    row.local.port = behind.port;
    if (behind.port == 443) row.remote.port = 5432;
    if (sometimes(9)) row.tx_queue = 3;
    rows_.at(behind.kind % 2).push_back(row);
  }

  std::mt19937 random_;
  unsigned trouble_;
  unsigned limited_;
  bool has_epoll_;
  std::vector<EpollWatch> watched_;  ///< the sockets of the snapshot before
  bool is_unread_ = false;           ///< the fds of the process that is made
  uint64_t last_inode_ = 1000;
  std::array<std::array<Behind, kFds>, 2> behind_{};
  std::array<std::vector<InetRow>, 2> rows_;
  std::vector<std::shared_ptr<const AutopsyRecord>> autopsies_;
};

/// Two recordings of the same boot.
void record(const std::string& path, unsigned seed) {
  Traffic traffic(seed);
  recordAll(path, kSnapshots, kSnapshots / 2, kSnapshotsPerKeyframe,
            [&](int place) { return traffic.next(place); });
}

TEST(SettledFds, TheReportOfChanceIsTheSameWithoutThem) {
  const TemporaryDirectory folder;
  int64_t left_out = 0;
  for (unsigned seed = 0; seed < 48; ++seed) {
    SCOPED_TRACE(seed);
    const std::string path = folder.file(std::to_string(seed) + ".db");
    record(path, seed);
    left_out += compareReports(path).fds;
  }
  EXPECT_GT(left_out, 500);
}

TEST(SettledFds, WhatAnEpollStillWatchesInTheLastSnapshotIsKept) {
  const TemporaryDirectory folder;
  constexpr int kLast = 5;
  ArchiveWriter writer(folder.file("epoll.db"));
  writer.beginRecording({.started_at_ns = 1, .boot_id = "boot", .interval_ms = 10'000});
  std::optional<Snapshot> previous;
  for (int place = 0; place <= kLast; ++place) {
    std::vector<FdRecord> fds = {fileFd(2, "anon_inode:[eventpoll]")};
    std::vector<InetRow> rows;
    if (place > 0) fds[0].info->watches = {{.watched_fd = 5, .events = 1, .inode = 600}};
    if (place > 0 && place < kLast) {
      fds.push_back(socketFd(5, 600));
      rows.push_back(tcpRow(600));
    }
    Snapshot now = snapshotOf({processWith(fds)}, {netnsWith(rows)});
    now.clocks.boottime_ns += place * 10'000'000'000;
    const auto changes = detectChanges(previous ? &*previous : nullptr, now, place == 0);
    ASSERT_TRUE(writer.write(now, changes, {.keyframe = place == 0}));
    previous = std::move(now);
  }
  writer.endRecording(2, "count");
  compareReports(folder.file("epoll.db"));
}

TEST(SettledFds, TheReportsOfSamplesAreTheSameWithoutThem) {
  for (const auto& entry : std::filesystem::directory_iterator(FDMORTEM_SAMPLES_DIR)) {
    if (entry.path().extension() != ".db") continue;
    SCOPED_TRACE(entry.path().string());
    compareReports(entry.path().string());
  }
}

}  // namespace
}  // namespace fdmortem::test
