#include "capture/changes.h"

#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/snapshots.h"

namespace fdmortem::test {

namespace {

constexpr const char* kChangeNames[] = {"gone", "appeared", "changed", "present"};

std::string nameOf(Change change) {
  return kChangeNames[static_cast<size_t>(change)];
}

/// Lines of one kind, `change what`, each with a ';'.
template <class Rows, class Describe>
std::string describe(const Rows& rows, Describe describe_row) {
  std::string text;
  for (const auto& row : rows)
    text += (text.empty() ? "" : "; ") + describe_row(row);
  return text;
}

/// Two snapshots that are compared as the recorder does it.
class ChangesTest : public testing::Test {
 protected:
  void compare(bool keyframe = false) {
    if (before_) carryOver(*before_, now_);
    changes_ = detectChanges(before_ ? &*before_ : nullptr, now_, keyframe);
  }
  void compareFds(const std::vector<FdRecord>& before, const std::vector<FdRecord>& after,
                  bool keyframe = false) {
    before_ = snapshotOf({processWith(before)});
    now_ = snapshotOf({processWith(after)});
    compare(keyframe);
  }
  void compareTcp(const std::vector<InetRow>& before, const std::vector<InetRow>& after,
                  bool keyframe = false) {
    before_ = snapshotOf({}, {netnsWith(before)});
    now_ = snapshotOf({}, {netnsWith(after)});
    compare(keyframe);
  }

  std::string fds() const {
    return describe(changes_.fds, [](const FdChange& row) {
      return nameOf(row.change) + " " + std::to_string(row.fd->fd);
    });
  }
  std::string processes() const {
    return describe(changes_.processes, [](const ProcessChange& row) {
      return nameOf(row.change) + " " + std::to_string(row.process->identity.pid);
    });
  }
  std::string limits() const {
    return describe(changes_.limits, [](const LimitChange& row) {
      return nameOf(row.change) + " " + row.limit->resource;
    });
  }
  std::string tcp() const {
    return describe(changes_.inet, [](const RowChange<InetRow>& row) {
      return nameOf(row.change) + " " + std::to_string(row.row->inode);
    });
  }
  std::string tables() const {
    std::string text;
    for (const NetTableChange& row : changes_.net_tables) {
      if (row.table != NetTable::Tcp) continue;
      text += "tcp " + std::to_string(static_cast<int>(row.status)) + ";";
    }
    return text;
  }

  std::optional<Snapshot> before_;
  Snapshot now_;
  ChangeSet changes_;
};

using FdChanges = ChangesTest;
using ProcessChanges = ChangesTest;
using NetChanges = ChangesTest;

// --- fds ---

TEST_F(FdChanges, TheFirstListingIsPresent) {
  now_ = snapshotOf({processWith({socketFd(3, 500)})});
  compare(true);
  EXPECT_EQ(fds(), "present 3");
  EXPECT_EQ(processes(), "present 7");
  EXPECT_EQ(limits(), "present Max open files");
}

TEST_F(FdChanges, NothingWhereNothingChanged) {
  compareFds({socketFd(3, 500)}, {socketFd(3, 500)});
  EXPECT_EQ(fds(), "");
  EXPECT_EQ(processes(), "");
  EXPECT_EQ(limits(), "");
}

TEST_F(FdChanges, Opened) {
  compareFds({socketFd(3, 500)}, {socketFd(3, 500), socketFd(4, 501)});
  EXPECT_EQ(fds(), "appeared 4");
}

TEST_F(FdChanges, Closed) {
  compareFds({socketFd(3, 500), socketFd(4, 501)}, {socketFd(4, 501)});
  EXPECT_EQ(fds(), "gone 3");
  EXPECT_EQ(changes_.fds[0].fd->link.number, 500U);
}

TEST_F(FdChanges, Replaced) {
  compareFds({socketFd(3, 500)}, {socketFd(3, 501)});
  EXPECT_EQ(fds(), "appeared 3");
  EXPECT_EQ(changes_.fds[0].fd->link.number, 501U);
}

TEST_F(FdChanges, OtherFlags) {
  FdRecord nonblocking = socketFd(3, 500);
  nonblocking.info->flags = 2 | 04000;
  compareFds({socketFd(3, 500)}, {nonblocking});
  EXPECT_EQ(fds(), "changed 3");
}

TEST_F(FdChanges, ProtocolThatBecomesKnown) {
  FdRecord unknown = socketFd(3, 500);
  unknown.protocol = {};
  compareFds({unknown}, {socketFd(3, 500)});
  EXPECT_EQ(fds(), "changed 3");
}

TEST_F(FdChanges, AFileThatIsDeletedIsTheSame) {
  compareFds({fileFd(3, "/x")}, {fileFd(3, "/x (deleted)")});
  EXPECT_EQ(fds(), "changed 3");
}

TEST_F(FdChanges, AnotherFileOfTheSameName) {
  compareFds({fileFd(3, "/x", 77)}, {fileFd(3, "/x", 78)});
  EXPECT_EQ(fds(), "appeared 3");
}

TEST_F(FdChanges, AnUnreadableLinkIsNoChange) {
  FdRecord unreadable = socketFd(3, 500);
  unreadable.link = {};
  compareFds({socketFd(3, 500)}, {unreadable});
  EXPECT_EQ(fds(), "");
}

TEST_F(FdChanges, AKeyframeRepeatsAndStillTellsWhatIsNew) {
  FdRecord changed = socketFd(5, 502);
  changed.info->flags = 1;
  compareFds({socketFd(3, 500), socketFd(4, 501), socketFd(5, 502)},
             {socketFd(3, 500), changed, socketFd(6, 503)}, true);
  EXPECT_EQ(fds(), "present 3; gone 4; changed 5; appeared 6");
  EXPECT_EQ(processes(), "present 7");
  EXPECT_EQ(limits(), "present Max open files");
}

TEST_F(FdChanges, AListingThatFailedClosesNothing) {
  before_ = snapshotOf({processWith({socketFd(3, 500)})});
  now_ = snapshotOf({processWith({})});
  now_.processes[0].fd_list_status = ReadStatus::Failed;
  compare();
  EXPECT_EQ(fds(), "");
  EXPECT_EQ(processes(), "changed 7");
  EXPECT_EQ(now_.processes[0].fds.size(), 1U);
}

TEST_F(FdChanges, AfterAGapTheListingIsComparedWithTheOneBeforeIt) {
  before_ = snapshotOf({processWith({socketFd(3, 500), socketFd(4, 501)})});
  now_ = snapshotOf({processWith({})});
  now_.processes[0].fd_list_status = ReadStatus::Failed;
  compare();
  before_ = std::move(now_);
  now_ = snapshotOf({processWith({socketFd(4, 501), socketFd(5, 502)})});
  compare();
  EXPECT_EQ(fds(), "gone 3; appeared 5");
}

TEST_F(FdChanges, TheFirstListingAfterFailedOnesIsPresent) {
  before_ = snapshotOf({processWith({})});
  before_->processes[0].fd_list_status = ReadStatus::Failed;
  now_ = snapshotOf({processWith({socketFd(3, 500)})});
  compare();
  EXPECT_EQ(fds(), "present 3");
}

TEST_F(FdChanges, AProcessThatHadNoFdsOpensThem) {
  compareFds({}, {socketFd(3, 500)});
  EXPECT_EQ(fds(), "appeared 3");
}

TEST_F(FdChanges, TheFdsOfANewProcessMayBeOld) {
  before_ = snapshotOf({});
  now_ = snapshotOf({processWith({socketFd(3, 500)})});
  compare();
  EXPECT_EQ(processes(), "appeared 7");
  EXPECT_EQ(fds(), "present 3");
}

TEST_F(FdChanges, APositionThatMoved) {
  FdRecord moved = fileFd(3, "/x");
  moved.info->position = 4096;
  compareFds({fileFd(3, "/x")}, {moved});
  EXPECT_EQ(fds(), "");
  ASSERT_EQ(changes_.positions.size(), 1U);
  EXPECT_EQ(changes_.positions[0].position, 4096);
}

TEST_F(FdChanges, APositionOfZeroIsNoNews) {
  now_ = snapshotOf({processWith({fileFd(3, "/x")})});
  compare(true);
  EXPECT_TRUE(changes_.positions.empty());
}

TEST_F(FdChanges, APositionThatGoesBackToZeroIsNews) {
  FdRecord moved = fileFd(3, "/x");
  moved.info->position = 4096;
  compareFds({moved}, {fileFd(3, "/x")});
  ASSERT_EQ(changes_.positions.size(), 1U);
  EXPECT_EQ(changes_.positions[0].position, 0);
}

TEST_F(FdChanges, AKeyframeRepeatsPositions) {
  FdRecord moved = fileFd(3, "/x");
  moved.info->position = 4096;
  compareFds({moved}, {moved}, true);
  EXPECT_EQ(changes_.positions.size(), 1U);
}

FdRecord epollFd(std::vector<EpollWatch> watches) {
  FdRecord epoll = fileFd(9, "anon_inode:[eventpoll]");
  epoll.info->watches = std::move(watches);
  return epoll;
}

EpollWatch watchOf(int32_t fd, uint32_t events = 1) {
  return {.watched_fd = fd,
          .events = events,
          .data = 5,
          .position = 0,
          .inode = 500U + fd,
          .device = 8};
}

std::string watchesOf(const ChangeSet& changes) {
  return describe(changes.watches, [](const WatchChange& row) {
    return nameOf(row.change) + " " + std::to_string(row.watch.watched_fd);
  });
}

TEST_F(FdChanges, WatchesOfAnEpoll) {
  compareFds({epollFd({watchOf(4), watchOf(3), watchOf(6)})},
             {epollFd({watchOf(6, 5), watchOf(3), watchOf(5)})});
  EXPECT_EQ(fds(), "");
  EXPECT_EQ(watchesOf(changes_), "gone 4; appeared 5; changed 6");
}

TEST_F(FdChanges, WatchesInAnotherOrderAreTheSame) {
  compareFds({epollFd({watchOf(4), watchOf(3)})}, {epollFd({watchOf(3), watchOf(4)})});
  EXPECT_EQ(watchesOf(changes_), "");
}

TEST_F(FdChanges, WatchesOfTwoFilesUnderOneNumber) {
  EpollWatch first = watchOf(4, 9), second = watchOf(4, 1);
  first.inode = 600;
  second.inode = 700;
  EpollWatch changed = first;
  changed.events = 0;
  compareFds({epollFd({first, second})}, {epollFd({changed, second})});
  EXPECT_EQ(watchesOf(changes_), "changed 4");
}

TEST_F(FdChanges, AKeyframeRepeatsWatches) {
  compareFds({epollFd({watchOf(3)})}, {epollFd({watchOf(3)})}, true);
  EXPECT_EQ(watchesOf(changes_), "present 3");
}

TEST_F(FdChanges, WatchesThatCouldNotBeReadHaveNotGone) {
  FdRecord unread = epollFd({});
  unread.info.reset();
  compareFds({epollFd({watchOf(3)})}, {unread});
  EXPECT_EQ(watchesOf(changes_), "");
}

// --- processes ---

TEST_F(ProcessChanges, AProcessThatEnded) {
  before_ = snapshotOf({processWith({socketFd(3, 500)})});
  now_ = snapshotOf({});
  compare();
  EXPECT_EQ(processes(), "gone 7");
  EXPECT_EQ(fds(), "");
  EXPECT_EQ(limits(), "");
}

TEST_F(ProcessChanges, APidThatIsUsedAgainIsAnotherProcess) {
  before_ = snapshotOf({processWith({socketFd(3, 500)})});
  now_ = snapshotOf({processWith({socketFd(3, 500)})});
  now_.processes[0].identity.start_ticks = 2000;
  compare();
  EXPECT_EQ(processes(), "gone 7; appeared 7");
  EXPECT_EQ(fds(), "present 3");
}

TEST_F(ProcessChanges, ANameThatChanged) {
  before_ = snapshotOf({processWith({})});
  now_ = snapshotOf({processWith({})});
  now_.processes[0].comm = "worker";
  compare();
  EXPECT_EQ(processes(), "changed 7");
}

TEST_F(ProcessChanges, WhatCouldNotBeReadStaysAsItWas) {
  before_ = snapshotOf({processWith({})});
  now_ = snapshotOf({processWith({})});
  ProcessRecord& process = now_.processes[0];
  process.exe.reset();
  process.comm.reset();
  process.status.reset();
  process.netns.reset();
  process.limits.reset();
  compare();
  EXPECT_EQ(processes(), "");
  EXPECT_EQ(limits(), "");
}

TEST_F(ProcessChanges, ALimitThatChanged) {
  before_ = snapshotOf({processWith({})});
  now_ = snapshotOf({processWith({})});
  now_.processes[0].limits->at(0).soft.reset();
  compare();
  EXPECT_EQ(limits(), "changed Max open files");
}

// --- namespaces ---

TEST_F(NetChanges, TheFirstReadingIsPresent) {
  now_ = snapshotOf({}, {netnsWith({tcpRow(500)})});
  compare(true);
  EXPECT_EQ(tcp(), "present 500");
  EXPECT_EQ(tables(), "tcp 1;");
}

TEST_F(NetChanges, ARowThatAppearedChangedAndWent) {
  compareTcp({tcpRow(500), tcpRow(501)}, {tcpRow(501, kCloseWait), tcpRow(502)});
  EXPECT_EQ(tcp(), "gone 500; changed 501; appeared 502");
  EXPECT_EQ(tables(), "");
}

TEST_F(NetChanges, AKeyframeRepeats) {
  compareTcp({tcpRow(500), tcpRow(501)}, {tcpRow(500)}, true);
  EXPECT_EQ(tcp(), "present 500; gone 501");
  EXPECT_EQ(tables(), "tcp 1;");
}

TEST_F(NetChanges, ATableThatCouldNotBeReadLosesNothing) {
  before_ = snapshotOf({}, {netnsWith({tcpRow(500)})});
  now_ = snapshotOf({}, {netnsWith({})});
  now_.namespaces[0].status[0] = ReadStatus::Failed;
  compare();
  EXPECT_EQ(tcp(), "");
  EXPECT_EQ(tables(), "tcp 3;");
}

TEST_F(NetChanges, ATableThatWasReadInPartLosesNothingAndGains) {
  before_ = snapshotOf({}, {netnsWith({tcpRow(500), tcpRow(501)})});
  now_ = snapshotOf({}, {netnsWith({tcpRow(501, kCloseWait), tcpRow(502)})});
  now_.namespaces[0].status[0] = ReadStatus::Incomplete;
  compare();
  EXPECT_EQ(tcp(), "changed 501; appeared 502");
  EXPECT_EQ(tables(), "tcp 4;");
}

TEST_F(NetChanges, AfterAGapTheTableIsComparedWithTheOneBeforeIt) {
  before_ = snapshotOf({}, {netnsWith({tcpRow(500), tcpRow(501)})});
  now_ = snapshotOf({}, {netnsWith({})});
  now_.namespaces[0].status[0] = ReadStatus::Failed;
  compare();
  before_ = std::move(now_);
  now_ = snapshotOf({}, {netnsWith({tcpRow(501), tcpRow(502)})});
  compare();
  EXPECT_EQ(tcp(), "gone 500; appeared 502");
  EXPECT_EQ(tables(), "tcp 1;");
}

TEST_F(NetChanges, TheFirstReadingAfterFailedOnesIsPresent) {
  before_ = snapshotOf({}, {netnsWith({})});
  before_->namespaces[0].status[0] = ReadStatus::Failed;
  now_ = snapshotOf({}, {netnsWith({tcpRow(500)})});
  compare();
  EXPECT_EQ(tcp(), "present 500");
}

TEST_F(NetChanges, ANamespaceThatIsNotReadAnyMoreLosesNothing) {
  before_ = snapshotOf({}, {netnsWith({tcpRow(500)})});
  now_ = snapshotOf({}, {});
  compare();
  EXPECT_EQ(tcp(), "");
  EXPECT_EQ(tables(), "tcp 0;");
  EXPECT_EQ(changes_.net_tables.size(), kNetTableNames.size());
  EXPECT_EQ(changes_.net_tables[0].netns, 4000U);
}

TEST_F(NetChanges, ANamespaceThatIsReadAgainStartsAnew) {
  before_ = snapshotOf({}, {});
  now_ = snapshotOf({}, {netnsWith({tcpRow(500)})});
  compare();
  EXPECT_EQ(tcp(), "present 500");
  EXPECT_EQ(tables(), "tcp 1;");
}

TEST_F(NetChanges, RowsThatNobodyOwnsAreToldApartByTheirAddresses) {
  InetRow waiting = tcpRow(0);
  InetRow other = tcpRow(0);
  other.remote.port = 40001;
  compareTcp({waiting}, {other});
  EXPECT_EQ(tcp(), "gone 0; appeared 0");
}

TEST_F(NetChanges, QueuesAreNoChangeOfTheRow) {
  InetRow queued = tcpRow(500);
  queued.rx_queue = 12;
  compareTcp({tcpRow(500)}, {queued});
  EXPECT_EQ(tcp(), "");
  ASSERT_EQ(changes_.inet_queues.size(), 1U);
  EXPECT_EQ(changes_.inet_queues[0].row->rx_queue, 12U);
}

TEST_F(NetChanges, AQueueThatRunsEmptyIsNews) {
  InetRow queued = tcpRow(500);
  queued.rx_queue = 12;
  compareTcp({queued}, {tcpRow(500)});
  EXPECT_EQ(changes_.inet_queues.size(), 1U);
}

TEST_F(NetChanges, AnEmptyQueueIsNoNews) {
  compareTcp({tcpRow(500)}, {tcpRow(500), tcpRow(501)}, true);
  EXPECT_TRUE(changes_.inet_queues.empty());
}

TEST_F(NetChanges, QueuesOfRowsThatNobodyOwnsAreLeftOut) {
  InetRow queued = tcpRow(0);
  queued.rx_queue = 12;
  compareTcp({}, {queued});
  EXPECT_EQ(tcp(), "appeared 0");
  EXPECT_TRUE(changes_.inet_queues.empty());
}

TEST_F(NetChanges, CountsOfTimeWait) {
  before_ = snapshotOf({}, {netnsWith({})});
  before_->namespaces[0].time_wait[0] = {{.local_port = std::nullopt, .count = 4},
                                         {.local_port = uint16_t{80}, .count = 5},
                                         {.local_port = uint16_t{81}, .count = 6}};
  now_ = snapshotOf({}, {netnsWith({})});
  now_.namespaces[0].time_wait[0] = {{.local_port = std::nullopt, .count = 4},
                                     {.local_port = uint16_t{80}, .count = 9}};
  compare();
  ASSERT_EQ(changes_.time_wait.size(), 2U);
  EXPECT_EQ(changes_.time_wait[0].count, (TimeWaitCount{uint16_t{80}, 9}));
  EXPECT_EQ(changes_.time_wait[1].count, (TimeWaitCount{uint16_t{81}, 0}));
}

TEST_F(NetChanges, OtherTables) {
  before_ = snapshotOf({}, {netnsWith({})});
  now_ = snapshotOf({}, {netnsWith({})});
  NetnsRecord& then = before_->namespaces[0];
  NetnsRecord& now = now_.namespaces[0];
  then.unix_rows = {{.row = {.inode = 1}}, {.row = {.inode = 2}}};
  now.unix_rows = {{.row = {.inode = 2, .reference_count = 9}}, {.row = {.inode = 3}}};
  now.netlink_rows = {{.inode = 4}};
  then.packet_rows = {{.inode = 5}};
  then.sockstat[0] = {{"TCP.inuse", 3}};
  now.sockstat[0] = {{"TCP.inuse", 4}};
  compare();
  EXPECT_EQ(describe(changes_.unix_rows,
                     [](const RowChange<UnixRecord>& row) {
                       return nameOf(row.change) + " " + std::to_string(row.row->row.inode);
                     }),
            "gone 1; changed 2; appeared 3");
  ASSERT_EQ(changes_.netlink_rows.size(), 1U);
  EXPECT_EQ(changes_.netlink_rows[0].change, Change::Appeared);
  ASSERT_EQ(changes_.packet_rows.size(), 1U);
  EXPECT_EQ(changes_.packet_rows[0].change, Change::Gone);
  ASSERT_EQ(changes_.sockstat.size(), 1U);
  EXPECT_EQ(changes_.sockstat[0].row->value, 4);
}

TEST_F(NetChanges, OtherTablesThatCouldNotBeReadLoseNothing) {
  before_ = snapshotOf({}, {netnsWith({})});
  now_ = snapshotOf({}, {netnsWith({})});
  NetnsRecord& then = before_->namespaces[0];
  then.unix_rows = {{.row = {.inode = 1}}};
  then.netlink_rows = {{.inode = 4}};
  then.packet_rows = {{.inode = 5}};
  then.sockstat[0] = {{"TCP.inuse", 3}};
  then.time_wait[0] = {{.local_port = std::nullopt, .count = 4}};
  now_.namespaces[0].status.fill(ReadStatus::Failed);
  compare();
  EXPECT_TRUE(changes_.unix_rows.empty());
  EXPECT_TRUE(changes_.netlink_rows.empty());
  EXPECT_TRUE(changes_.packet_rows.empty());
  EXPECT_TRUE(changes_.sockstat.empty());
  EXPECT_TRUE(changes_.time_wait.empty());
}

}  // namespace

}  // namespace fdmortem::test
