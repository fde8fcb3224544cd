// What changed of processes and their fds.
#include "tests/capture/changes.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace fdmortem::test {

namespace {

using FdChanges = ChangesTest;
using ProcessChanges = ChangesTest;

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

}  // namespace

}  // namespace fdmortem::test
