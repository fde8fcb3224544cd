#include "capture/collect/collector.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "capture/collect/net_collector.h"
#include "capture/collect/process_collector.h"
#include "capture/collect/second_look.h"
#include "tests/support/fake_proc.h"

namespace fdmortem::test {

namespace {

constexpr uint8_t kEstablished = 1;  // TCP_* of include/net/tcp_states.h
constexpr uint8_t kTimeWait = 6;
constexpr uint8_t kListen = 10;
constexpr uint32_t kKernelThread = 0x00200000;  // PF_KTHREAD of include/linux/sched.h
constexpr uint32_t kExiting = 0x00000004;       // PF_EXITING

class CollectorTest : public testing::Test {
 protected:
  CollectorTest() { proc_.setProcess(7); }

  void take() {
    Snapshot now = collector_.take(previous_ ? &*previous_ : nullptr);
    previous_ = std::move(now);
  }
  const Snapshot& snapshot() const { return *previous_; }
  const ProcessRecord& process() const { return snapshot().processes.at(0); }
  const NetnsRecord& netns() const { return snapshot().namespaces.at(0); }

  ReadStatus statusOf(NetTable table) const {
    return netns().status.at(static_cast<size_t>(table) - 1);
  }
  const std::vector<InetRow>& rowsOf(NetTable table) const {
    return netns().inet.at(static_cast<size_t>(table) - 1);
  }
  /// `operation subject`, one after the other.
  std::string failures() const {
    std::string text;
    for (const Failure& failure : snapshot().failures) {
      text += (text.empty() ? "" : "; ") + failure.operation + " " + failure.subject;
    }
    return text;
  }
  std::string fds() const {
    std::string text;
    for (const FdRecord& fd : process().fds)
      text += (text.empty() ? "" : " ") + std::to_string(fd.fd);
    return text;
  }
  std::string secondLooks() const {
    std::string text;
    for (const SecondLookRecord& look : snapshot().second_looks) {
      text += std::to_string(look.fd) + ":" + std::to_string(static_cast<int>(look.outcome)) + "x" +
              std::to_string(look.table_reads) + " ";
    }
    return text;
  }

  FakeProc proc_;
  ProcSource source_{proc_.root()};
  Collector collector_{source_, Selection{.comms = {"server"}}, false};
  const TextPolicy keeps_no_texts_;
  TextLog texts_{keeps_no_texts_};
  std::optional<Snapshot> previous_;
};

// --- what a process is ---

TEST_F(CollectorTest, ReadsAProcess) {
  take();
  EXPECT_EQ(failures(), "");
  EXPECT_EQ(process().identity, (ProcessIdentity{7, 1000}));
  EXPECT_EQ(process().parent_pid, 1);
  EXPECT_EQ(process().comm, "server");
  EXPECT_EQ(process().exe, "/usr/bin/server");
  EXPECT_EQ(process().cmdline, std::string("server\0-x\0", 10));
  EXPECT_EQ(process().cgroup, "/system.slice/server.service");
  EXPECT_EQ(process().status->real_uid, 1000U);
  EXPECT_EQ(process().status->effective_uid, 1001U);
  EXPECT_EQ(process().netns, 4000U);
  EXPECT_EQ(process().limits->at(0), (Limit{"Max open files", 1024, 4096, "files"}));
  EXPECT_EQ(process().fd_list_status, ReadStatus::Whole);
}

TEST_F(CollectorTest, ReadsTheHost) {
  take();
  EXPECT_EQ(snapshot().file_nr->allocated, 992U);
  EXPECT_EQ(snapshot().nr_open, 1048576U);
  EXPECT_EQ(snapshot().uptime_ms, 350735470U);
  EXPECT_GT(snapshot().clocks.wall_ns, 0);
  EXPECT_GE(snapshot().clocks.boottime_ns, snapshot().clocks.monotonic_ns);
}

TEST_F(CollectorTest, AHostFileThatIsMissingIsNoZero) {
  proc_.remove("sys/fs/file-nr");
  proc_.write("uptime", "soon\n");
  take();
  EXPECT_FALSE(snapshot().file_nr);
  EXPECT_FALSE(snapshot().uptime_ms);
  EXPECT_EQ(failures(), "read sys/fs/file-nr; parse uptime");
}

TEST_F(CollectorTest, WhatCanNotBeReadIsAFailureAndNoDefault) {
  for (const char* file : {"7/limits", "7/cgroup", "7/status", "7/cmdline"})
    proc_.makeUnreadable(file);
  take();
  EXPECT_FALSE(process().limits);
  EXPECT_FALSE(process().cgroup);
  EXPECT_FALSE(process().status);
  EXPECT_FALSE(process().cmdline);
  ASSERT_EQ(snapshot().failures.size(), 4U) << "each file is told";
  for (const Failure& failure : snapshot().failures) {
    EXPECT_EQ(failure.count, 1U);
    EXPECT_EQ(failure.error_number, ELOOP);
  }
}

TEST_F(CollectorTest, WhatIsNotUnderstoodIsAFailureAndNoDefault) {
  proc_.write("7/limits", "Limits\n");
  proc_.write("7/status", "Name:\tserver\n");
  take();
  EXPECT_FALSE(process().limits);
  EXPECT_FALSE(process().status);
  EXPECT_EQ(failures(), "parse 7/status; parse 7/limits");
}

TEST_F(CollectorTest, AKernelThreadHasNoProgram) {
  proc_.setProcess(2, {.comm = "kthreadd", .exe = "", .flags = kKernelThread});
  Collector collector(source_, Selection{.pids = {2}}, false);
  const Snapshot taken = collector.take(nullptr);
  ASSERT_EQ(taken.processes.size(), 1U);
  EXPECT_FALSE(taken.processes[0].exe);
  EXPECT_TRUE(taken.failures.empty());
}

TEST_F(CollectorTest, AZombieIsNotThere) {
  proc_.setProcess(7, {.state = 'Z'});
  take();
  EXPECT_TRUE(snapshot().processes.empty());
  EXPECT_TRUE(snapshot().namespaces.empty());
  EXPECT_EQ(failures(), "");
}

TEST_F(CollectorTest, APidThatIsUsedAgainIsANewProcess) {
  take();
  proc_.setProcess(7, {.start_ticks = 2000});
  take();
  ASSERT_EQ(snapshot().processes.size(), 1U);
  EXPECT_EQ(process().identity.start_ticks, 2000U);
}

TEST_F(CollectorTest, APidThatIsUsedAgainEndsItsRecording) {
  Collector collector(source_, Selection{.pids = {7}}, false);
  EXPECT_EQ(collector.take(nullptr).processes.size(), 1U);
  proc_.setProcess(7, {.start_ticks = 2000});
  EXPECT_TRUE(collector.take(nullptr).processes.empty());
  EXPECT_TRUE(collector.isExhausted());
}

// --- fds ---

TEST_F(CollectorTest, ListsFdsByNumber) {
  for (const int fd : {10, 2, 0, 1})
    proc_.openFd("7", fd, "pipe:[" + std::to_string(fd + 500) + "]");
  take();
  EXPECT_EQ(fds(), "0 1 2 10");
  EXPECT_EQ(process().fds[3].link.type, LinkType::Pipe);
  EXPECT_EQ(process().fds[3].link.number, 510U);
  EXPECT_EQ(process().fds[3].info->inode, 510U);
}

TEST_F(CollectorTest, AnFdThatWasClosedSinceItWasListedIsLeftOut) {
  proc_.openFd("7", 3, "pipe:[500]");
  ProcessRecord record{.identity = {7, 1000}};
  FailureLog failures;
  proc_.remove("7/fdinfo/3");
  EXPECT_TRUE(readFds(source_, KnownMounts(source_), nullptr, record, texts_, failures));
  // Its link is still there: only the fdinfo could not be read.
  ASSERT_EQ(record.fds.size(), 1U);
  EXPECT_FALSE(record.fds[0].info);
  EXPECT_EQ(failures.take().size(), 1U);
}

TEST_F(CollectorTest, AnFdWithoutFdinfoIsAnFd) {
  proc_.openFd("7", 3, "pipe:[500]");
  proc_.openFd("7", 4, "pipe:[501]");
  proc_.makeUnreadable("7/fdinfo/3");
  proc_.write("7/fdinfo/4", "pos:\tx\n");
  take();
  EXPECT_EQ(fds(), "3 4");
  EXPECT_FALSE(process().fds[0].info);
  EXPECT_FALSE(process().fds[1].info);
  EXPECT_EQ(failures(), "read 7/fdinfo/3; parse 7/fdinfo/4");
}

TEST_F(CollectorTest, AnFdWhoseLinkIsNoneIsAnFd) {
  proc_.write("7/fd/3", "");
  proc_.write("7/fdinfo/3", "pos:\t0\nflags:\t02\n");
  take();
  EXPECT_EQ(fds(), "3");
  EXPECT_EQ(process().fds[0].link.type, LinkType::Unreadable);
  EXPECT_EQ(failures(), "readlink 7/fd/3");
}

TEST_F(CollectorTest, ANameThatIsNoNumberIsAFailure) {
  proc_.openFd("7", 3, "pipe:[500]");
  proc_.link("7/fd/x", "pipe:[1]");
  take();
  EXPECT_EQ(fds(), "3");
  EXPECT_EQ(failures(), "parse 7/fd");
}

TEST_F(CollectorTest, AListThatCanNotBeReadIsNotEmpty) {
  proc_.makeUnreadable("7/fd");
  take();
  EXPECT_EQ(process().fd_list_status, ReadStatus::Failed);
  EXPECT_EQ(failures(), "list 7/fd");
}

TEST_F(CollectorTest, AFileIsWhatItsPathIs) {
  writeFile(proc_.root() + "/a file", "");
  proc_.openFd("7", 3, proc_.root() + "/a file");
  proc_.openFd("7", 4, "/does/not/exist (deleted)");
  take();
  EXPECT_EQ(process().fds[0].file_type, 8);
  EXPECT_EQ(process().fds[0].link_count, 1U);
  EXPECT_FALSE(process().fds[1].file_type);
}

TEST_F(CollectorTest, WithADeadMainThreadTheFdsAreReadThroughALivingOne) {
  proc_.setProcess(7, {.state = 'Z', .flags = kExiting, .thread_count = 2});
  proc_.addThread(7, 7, {.state = 'Z', .flags = kExiting, .thread_count = 2});
  proc_.addThread(7, 8, {.thread_count = 2});
  proc_.openFd("7/task/8", 3, "socket:[500]");
  proc_.write("7/task/8/net/tcp",
              contentOf(proc_.root() + "/7/task/8/net/tcp") + tcpTableRow(500, kEstablished));
  proc_.remove("7/ns/net");
  take();
  EXPECT_EQ(process().identity, (ProcessIdentity{7, 1000}));
  EXPECT_EQ(fds(), "3");
  EXPECT_EQ(process().fd_list_status, ReadStatus::Whole);
  EXPECT_EQ(process().netns, 4000U);
  EXPECT_EQ(rowsOf(NetTable::Tcp).size(), 1U);
}

TEST_F(CollectorTest, AThreadThatIsExitingItselfGivesNoList) {
  proc_.setProcess(7, {.state = 'Z', .flags = kExiting, .thread_count = 2});
  proc_.addThread(7, 8, {.flags = kExiting, .thread_count = 2});
  proc_.openFd("7/task/8", 3, "socket:[500]");
  take();
  EXPECT_EQ(process().fd_list_status, ReadStatus::Failed);
  EXPECT_EQ(fds(), "");
  EXPECT_EQ(failures(), "list 7/fd");
}

TEST_F(CollectorTest, AThreadThatHasGoneGivesNoList) {
  proc_.setProcess(7, {.state = 'Z', .flags = kExiting, .thread_count = 2});
  proc_.addThread(7, 8, {.thread_count = 2});
  proc_.openFd("7/task/8", 3, "socket:[500]");
  proc_.remove("7/task/8/stat");
  take();
  EXPECT_EQ(process().fd_list_status, ReadStatus::Failed);
  EXPECT_EQ(fds(), "");
  EXPECT_EQ(failures(), "list 7/fd");
}

TEST_F(CollectorTest, TextsAreTheSameInMemoryThatIsUsedAgain) {
  Collector collector(source_, Selection{.pids = {7}}, false, {.keeps_texts = true});
  const Snapshot first = collector.take(nullptr);
  const Snapshot second = collector.take(&first);
  const std::string texts = second.texts->first.bytes();
  const auto also_used = first.texts;
  collector.reuse(first);  // somebody else has them still
  EXPECT_EQ(also_used->first.bytes(), texts);
  const Snapshot third = collector.take(&second);
  collector.reuse(third);
  proc_.setProcess(7, {.comm = "another"});
  const Snapshot fourth = collector.take(&second);
  EXPECT_NE(fourth.texts->first.bytes(), texts);
  proc_.setProcess(7);
  EXPECT_EQ(collector.take(&second).texts->first.bytes(), texts);
  EXPECT_EQ(second.texts->first.bytes(), texts);
}

// --- tables ---

TEST_F(CollectorTest, ReadsTables) {
  proc_.setTcp(7, {tcpTableRow(501, kEstablished), tcpTableRow(500, kListen, 9091, 0)});
  take();
  EXPECT_EQ(netns().inode, 4000U);
  EXPECT_EQ(statusOf(NetTable::Tcp), ReadStatus::Whole);
  ASSERT_EQ(rowsOf(NetTable::Tcp).size(), 2U);
  EXPECT_EQ(rowsOf(NetTable::Tcp)[0].inode, 500U);
  EXPECT_EQ(rowsOf(NetTable::Tcp)[1].inode, 501U);
}

TEST_F(CollectorTest, ATableThatIsMissingIsAbsentAndNoFailure) {
  proc_.remove("7/net/tcp6");
  take();
  EXPECT_EQ(statusOf(NetTable::Tcp6), ReadStatus::Absent);
  EXPECT_EQ(statusOf(NetTable::Tcp), ReadStatus::Whole);
  EXPECT_EQ(failures(), "");
}

TEST_F(CollectorTest, ATableThatCanNotBeReadFailed) {
  proc_.makeUnreadable("7/net/tcp");
  take();
  EXPECT_EQ(statusOf(NetTable::Tcp), ReadStatus::Failed);
  EXPECT_EQ(failures(), "read 7/net/tcp");
}

TEST_F(CollectorTest, ATableThatIsCutIsIncomplete) {
  std::string cut = tcpTableRow(501, kEstablished);
  cut.resize(60);
  proc_.setTcp(7, {tcpTableRow(500, kEstablished), cut});
  take();
  EXPECT_EQ(statusOf(NetTable::Tcp), ReadStatus::Incomplete);
  EXPECT_EQ(rowsOf(NetTable::Tcp).size(), 1U);
  EXPECT_EQ(failures(), "parse 7/net/tcp");
}

TEST_F(CollectorTest, ATextThatIsNoTableFailed) {
  proc_.write("7/net/tcp", "");
  take();
  EXPECT_EQ(statusOf(NetTable::Tcp), ReadStatus::Failed);
  EXPECT_EQ(failures(), "parse 7/net/tcp");
}

TEST_F(CollectorTest, OfARowThatIsDoubledTheLastStays) {
  proc_.setTcp(7, {tcpTableRow(500, kEstablished), tcpTableRow(500, 8)});
  take();
  ASSERT_EQ(rowsOf(NetTable::Tcp).size(), 1U);
  EXPECT_EQ(rowsOf(NetTable::Tcp)[0].state, 8);
}

TEST_F(CollectorTest, TimeWaitIsCountedByPort) {
  proc_.setTcp(7, {tcpTableRow(500, kListen, 9091, 0), tcpTableRow(0, kTimeWait, 9091, 1),
                   tcpTableRow(0, kTimeWait, 9091, 2), tcpTableRow(0, kTimeWait, 50000, 9091)});
  take();
  EXPECT_EQ(rowsOf(NetTable::Tcp).size(), 1U);
  EXPECT_EQ(netns().time_wait[0],
            (std::vector<TimeWaitCount>{{std::nullopt, 1}, {uint16_t{9091}, 2}}));
}

TEST_F(CollectorTest, EachNamespaceIsReadOnce) {
  proc_.setProcess(8);
  proc_.setProcess(9, {.netns = 4001});
  take();
  ASSERT_EQ(snapshot().namespaces.size(), 2U);
  EXPECT_EQ(snapshot().namespaces[0].inode, 4000U);
  EXPECT_EQ(snapshot().namespaces[1].inode, 4001U);
}

TEST_F(CollectorTest, ANamespaceIsReadThroughAProcessThatStillLivesInIt) {
  proc_.setProcess(8);
  proc_.setTcp(7, {tcpTableRow(500, kEstablished)});
  proc_.setTcp(8, {tcpTableRow(501, kEstablished)});
  proc_.link("7/ns/net", "net:[4001]");
  FailureLog failures;
  const auto record = readNetns(source_, 4000, {{7, 1000}, {8, 1000}}, texts_, failures);
  ASSERT_TRUE(record);
  ASSERT_EQ(record->inet[0].size(), 1U);
  EXPECT_EQ(record->inet[0][0].inode, 501U);
  EXPECT_TRUE(failures.take().empty());
}

TEST_F(CollectorTest, ANamespaceThatNobodyLivesInAnyMoreFailed) {
  FailureLog failures;
  const auto record = readNetns(source_, 4001, {{7, 1000}, {9, 1000}}, texts_, failures);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->inode, 4001U);
  for (const ReadStatus status : record->status)
    EXPECT_EQ(status, ReadStatus::Failed);
  EXPECT_EQ(failures.take().size(), 1U);
}

TEST_F(CollectorTest, ThatAllProcessesOfANamespaceHaveEndedIsNoFailure) {
  FailureLog failures;
  EXPECT_FALSE(readNetns(source_, 4001, {{9, 1000}, {10, 1000}}, texts_, failures));
  EXPECT_TRUE(failures.take().empty());
}

// --- the second look ---

TEST_F(CollectorTest, ASocketThatIsListedIsNotLookedAtAgain) {
  proc_.openFd("7", 3, "socket:[500]");
  proc_.setTcp(7, {tcpTableRow(500, kEstablished)});
  take();
  EXPECT_EQ(secondLooks(), "");
}

TEST_F(CollectorTest, ASocketThatNeverWasListedIsReadOnce) {
  proc_.openFd("7", 3, "socket:[500]");
  take();
  take();
  EXPECT_EQ(secondLooks(), "");
}

TEST_F(CollectorTest, AfterAConnectionVanishedTheTablesAreReadTwice) {
  proc_.openFd("7", 3, "socket:[500]");
  proc_.setTcp(7, {tcpTableRow(500, kEstablished)});
  take();
  proc_.setTcp(7, {});
  take();
  EXPECT_EQ(secondLooks(), "3:1x2 ");
  take();
  EXPECT_EQ(secondLooks(), "") << "it was gone already in the snapshot before";
}

/// A snapshot in which the second look has yet to come.
class SecondLookTest : public CollectorTest {
 protected:
  SecondLookTest() {
    proc_.openFd("7", 3, "socket:[500]");
    proc_.setTcp(7, {tcpTableRow(500, kEstablished)});
    take();
    proc_.setTcp(7, {});
    now_ = snapshot();
    now_.namespaces = {};
    FailureLog failures;
    now_.namespaces.push_back(readNetns(source_, 4000, {{7, 1000}}, texts_, failures).value());
  }

  void look() {
    FailureLog failures;
    takeSecondLook(source_, &*previous_, now_, false, texts_, failures);
    previous_ = std::move(now_);
  }

  Snapshot now_;
};

TEST_F(SecondLookTest, AnFdThatWasClosed) {
  proc_.closeFd("7", 3);
  look();
  EXPECT_EQ(secondLooks(), "3:2x2 ");
}

TEST_F(SecondLookTest, AnFdThatPointsElsewhere) {
  proc_.openFd("7", 3, "socket:[501]");
  look();
  EXPECT_EQ(secondLooks(), "3:3x2 ");
  EXPECT_EQ(process().fds[0].link.number, 500U);
}

TEST_F(SecondLookTest, AnFdOfAProcessThatEnded) {
  proc_.removeProcess(7);
  look();
  EXPECT_EQ(secondLooks(), "3:2x1 ");
}

TEST_F(SecondLookTest, AnFdOfAPidThatIsUsedAgain) {
  proc_.setProcess(7, {.start_ticks = 2000});
  proc_.openFd("7", 3, "socket:[500]");
  look();
  EXPECT_EQ(secondLooks(), "3:2x1 ");
}

TEST_F(SecondLookTest, AnFdThatCanNotBeRead) {
  proc_.write("7/fd/3", "");
  look();
  EXPECT_EQ(secondLooks(), "3:4x2 ");
}

TEST_F(SecondLookTest, ARowThatTheFirstReadingSkipped) {
  proc_.setTcp(7, {tcpTableRow(500, kEstablished)});
  look();
  EXPECT_EQ(secondLooks(), "");
  ASSERT_EQ(rowsOf(NetTable::Tcp).size(), 1U);
  EXPECT_EQ(rowsOf(NetTable::Tcp)[0].inode, 500U);
}

TEST_F(SecondLookTest, ASecondReadingThatIsCutIsNone) {
  std::string cut = tcpTableRow(501, kEstablished);
  cut.resize(60);
  proc_.setTcp(7, {cut});
  look();
  EXPECT_EQ(secondLooks(), "");
}

}  // namespace

}  // namespace fdmortem::test
