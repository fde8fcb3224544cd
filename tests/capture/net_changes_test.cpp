// What changed in the tables of network namespaces.
#include <cstdint>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include "tests/capture/changes.h"

namespace fdmortem::test {

namespace {

using NetChanges = ChangesTest;

TEST_F(NetChanges, TheFirstReadingIsPresent) {
  now_ = snapshotOf({}, {netnsWith({tcpRow(500)})});
  compare(true);
  EXPECT_EQ(tcp(), "present 500");
  EXPECT_EQ(tables(), "tcp 1;");
}

TEST_F(NetChanges, ARowThatAppearedChangedAndWent) {
  compareTcp({tcpRow(500), tcpRow(501)}, {tcpRow(501, kCloseWait), tcpRow(502)});
  EXPECT_EQ(tcp(), "changed 501; appeared 502");
  EXPECT_EQ(goneSockets(), "500");
  EXPECT_EQ(tables(), "");
}

TEST_F(NetChanges, ASocketWithAnotherAddressHasNotGone) {
  InetRow moved = tcpRow(500);
  moved.remote.port = 50000;
  compareTcp({tcpRow(500)}, {moved});
  EXPECT_EQ(tcp(), "gone 500; appeared 500");
  EXPECT_EQ(goneSockets(), "");
  compareTcp({tcpRow(500), moved}, {moved});
  EXPECT_EQ(tcp(), "gone 500");
  EXPECT_EQ(goneSockets(), "");
  compareTcp({tcpRow(500), moved}, {});
  EXPECT_EQ(tcp(), "");
  EXPECT_EQ(goneSockets(), "500");
}

// A socket that IPV6_ADDRFORM made one of IPv4, or a number that another namespace uses too.
TEST_F(NetChanges, ASocketThatAnotherTableListsHasNotGone) {
  before_ = snapshotOf({}, {netnsWith({tcpRow(500), tcpRow(501)})});
  now_ = snapshotOf({}, {netnsWith({})});
  now_.namespaces[0].inet[1] = {tcpRow(500)};
  now_.namespaces.push_back(netnsWith({tcpRow(501)}));
  now_.namespaces[1].inode = 4001;
  compare();
  EXPECT_EQ(tcp(), "gone 500; gone 501; appeared 500; present 501");
  EXPECT_EQ(goneSockets(), "");
}

TEST_F(NetChanges, AKeyframeRepeats) {
  compareTcp({tcpRow(500), tcpRow(501)}, {tcpRow(500)}, true);
  EXPECT_EQ(tcp(), "present 500");
  EXPECT_EQ(goneSockets(), "501");
  EXPECT_EQ(tables(), "tcp 1;");
}

TEST_F(NetChanges, ATableThatCouldNotBeReadLosesNothing) {
  before_ = snapshotOf({}, {netnsWith({tcpRow(500)})});
  now_ = snapshotOf({}, {netnsWith({})});
  now_.namespaces[0].status[0] = ReadStatus::Failed;
  compare();
  EXPECT_EQ(tcp(), "");
  EXPECT_EQ(goneSockets(), "");
  EXPECT_EQ(tables(), "tcp 3;");
}

TEST_F(NetChanges, ATableThatWasReadInPartLosesNothingAndGains) {
  before_ = snapshotOf({}, {netnsWith({tcpRow(500), tcpRow(501)})});
  now_ = snapshotOf({}, {netnsWith({tcpRow(501, kCloseWait), tcpRow(502)})});
  now_.namespaces[0].status[0] = ReadStatus::Incomplete;
  compare();
  EXPECT_EQ(tcp(), "changed 501; appeared 502");
  EXPECT_EQ(goneSockets(), "");
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
  EXPECT_EQ(tcp(), "appeared 502");
  EXPECT_EQ(goneSockets(), "500");
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
  EXPECT_EQ(goneSockets(), "");
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
  EXPECT_EQ(goneSockets(), "");
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
