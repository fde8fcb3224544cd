// schema/views/net.sql.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

std::string tableSpansOf(std::string_view drawing) {
  return Timeline(drawing).rows(
      "SELECT first_snapshot, last_snapshot, status FROM net_table_span WHERE net_table = 1 "
      "AND netns = 1 ORDER BY first_snapshot");
}

std::string inetSpansOf(std::string_view drawing) {
  return Timeline(drawing).rows(
      "SELECT inode, first_snapshot, last_snapshot, (SELECT name FROM tcp_state t WHERE t.state = "
      "i.state) FROM inet_span i ORDER BY netns, net_table, inode, remote, first_snapshot");
}

TEST(NetTableSpan, AStretchForEachStatus) {
  EXPECT_EQ(tableSpansOf(R"(
    snapshots:  R      .  .       .      .     .
    process a:  ok     .  .       .      .     .
    read tcp:   whole  .  failed  whole  part  absent
  )"),
            "1 2 1\n3 3 3\n4 4 1\n5 5 4\n6 6 2\n");
}

TEST(NetTableSpan, LeavesOutWhereNobodyIsLeftToReadThrough) {
  EXPECT_EQ(tableSpansOf(R"(
    snapshots:  R      .  .     .  .      .
    process a:  ok     .  .     .  .      .
    read tcp:   whole  .  none  .  whole  .
  )"),
            "1 2 1\n5 6 1\n");
}

TEST(NetTableSpan, EndsWithTheRecording) {
  EXPECT_EQ(tableSpansOf(R"(
    snapshots:  R      .  R  .  R
    process a:  ok     .  .  .  .
    read tcp:   whole  .  _  .  whole
  )"),
            "1 2 1\n5 5 1\n");
}

TEST(TcpRead, NeedsBothTables) {
  Timeline timeline(R"(
    snapshots:   R      .       .      .
    process a:   ok     .       .      .
    read tcp:    whole  .       part   whole
    read tcp6:   whole  failed  whole  .
  )");
  EXPECT_EQ(timeline.rows("SELECT snapshot FROM _tcp_read ORDER BY 1"), "1\n4\n");
}

TEST(TcpRead, TakesATableThatTheKernelDoesNotHave) {
  Timeline timeline(R"(
    snapshots:   R       .
    process a:   ok      .
    read tcp:    whole   .
    read tcp6:   absent  .
  )");
  EXPECT_EQ(timeline.rows("SELECT snapshot FROM _tcp_read ORDER BY 1"), "1\n2\n");
}

TEST(TcpRead, IsNoneWhereBothAreAbsent) {
  // A kernel without TCP: more likely /proc/PID/net itself could not be looked at.
  Timeline timeline(R"(
    snapshots:   R       .
    process a:   ok      .
    read tcp:    absent  .
    read tcp6:   absent  .
  )");
  EXPECT_EQ(timeline.rows("SELECT count(*) FROM _tcp_read"), "0\n");
}

TEST(InetSpan, AStretchForEachState) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:  R     .    .   .  .
    process a:  ok    .    .   .  .
    tcp 500:    SYN   EST  CW  .  -
  )"),
            "500 1 1 SYN_SENT\n500 2 2 ESTABLISHED\n500 3 4 CLOSE_WAIT\n");
}

TEST(InetSpan, ReachesOverAKeyframe) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:  R    .  K  .
    process a:  ok   .  .  .
    tcp 500:    EST  .  .  .
  )"),
            "500 1 4 ESTABLISHED\n");
}

TEST(InetSpan, ReachesOverTwoRecordingsThatListIt) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:  R    .  R  .
    process a:  ok   .  .  .
    tcp 500:    EST  .  .  .
  )"),
            "500 1 4 ESTABLISHED\n");
}

TEST(InetSpan, EndsWithTheRecordingAfterWhichItIsNotListed) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:  R    .  R  .
    process a:  ok   .  .  .
    tcp 500:    EST  .  -  .
  )"),
            "500 1 2 ESTABLISHED\n");
}

TEST(InetSpan, ReachesOverATableThatWasNotRead) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:  R      .       .      .
    process a:  ok     .       .      .
    tcp 500:    EST    .       .      -
    read tcp:   whole  failed  whole  .
  )"),
            "500 1 3 ESTABLISHED\n");
}

TEST(InetSpan, EndsWhereItsTableIsNotLookedAfter) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:  R      .  .     .      .
    process a:  ok     .  .     .      .
    tcp 500:    EST    .  .     =EST   .
    read tcp:   whole  .  none  whole  .
  )"),
            "500 1 2 ESTABLISHED\n500 4 5 ESTABLISHED\n");
}

TEST(InetSpan, ATupleThatComesBackIsAnother) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:  R    .  .    .
    process a:  ok   .  .    .
    tcp 500:    EST  -  EST  .
  )"),
            "500 1 1 ESTABLISHED\n500 3 4 ESTABLISHED\n");
}

TEST(InetSpan, RowsThatNobodyOwnsAreToldApartByTheirAddresses) {
  EXPECT_EQ(inetSpansOf(R"(
    snapshots:                     R    .    .
    process a:                     ok   .    .
    tcp 0 remote=203.0.113.1:1:    EST  -    .
    tcp 0 remote=203.0.113.2:2:    _    EST  .
  )"),
            "0 1 1 ESTABLISHED\n0 2 3 ESTABLISHED\n");
}

TEST(InetSpan, KeepsItsPortAndAddresses) {
  Timeline timeline(R"(
    snapshots:                                                   R
    process a:                                                   ok
    tcp6 500 local=[2001:db8::1]:9091 remote=[2001:db8::7]:4000: EST
  )");
  EXPECT_EQ(timeline.rows("SELECT net_table, local, local_port, remote, remote_port, uid "
                          "FROM inet_span"),
            "2 [2001:db8::1]:9091 9091 [2001:db8::7]:4000 4000 0\n");
}

TEST(InetQueueSpan, AStretchForEachLength) {
  Timeline timeline(R"(
    snapshots:  R       .  .  .
    process a:  ok      .  .  .
    tcp 500:    LISTEN  .  .  .
    queue 500:  4       .  9  .
  )");
  EXPECT_EQ(timeline.rows("SELECT rx_queue, first_snapshot, last_snapshot FROM inet_queue_span"),
            "4 1 2\n9 3 4\n");
}

TEST(InetQueueSpan, EndsWithTheRecordingAfterWhichItIsEmpty) {
  // An empty queue has no row in a keyframe.
  Timeline timeline(R"(
    snapshots:  R       .  R  .
    process a:  ok      .  .  .
    tcp 500:    LISTEN  .  .  .
    queue 500:  4       .  _  .
  )");
  EXPECT_EQ(timeline.rows("SELECT rx_queue, first_snapshot, last_snapshot FROM inet_queue_span"),
            "4 1 2\n");
}

}  // namespace

}  // namespace fdmortem::test
