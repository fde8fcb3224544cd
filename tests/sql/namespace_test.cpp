// schema/views: rows of other namespaces, and inode numbers that two sockets have at a time. The
// kernel hands the numbers out one after the other, 32 bits of them, and does not look whether one
// is in use.
#include <gtest/gtest.h>

#include "schema/sql.h"
#include "tests/sql/findings.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// The verdicts of fd 3 of process `a`.
std::string verdictsOf(std::string_view drawing) {
  return Timeline(drawing).verdicts("a", 3);
}

TEST(OtherNamespace, ItsRowIsOfAnotherSocketWhereTheSocketItselfTells) {
  for (const auto& [said, verdict] :
       {std::pair("never", "never-connected"), std::pair("dead", "outlived autopsy")}) {
    const std::string drawing = std::string(R"(
      snapshots:                      R     .  .  .
      process b:                      ok    .  .  .
      process a netns=2:              ok    .  .  .
      fd a/3:                         s500  .  .  .
      tcp 500:                        EST   .  -  .
      autopsy a/3 inode=500 netns=2:  )") +
                                said + "  .  .  .\n";
    EXPECT_EQ(verdictsOf(drawing), "1-4 " + std::string(verdict));
    Timeline timeline(drawing);
    EXPECT_EQ(timeline.rows("SELECT netns, last_state, connection_last_seen FROM sockets"),
              "4001 - -\n");
  }
}

TEST(OtherNamespace, ItsRowIsOfThisSocketWhereTheSocketItselfTells) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:                      R     .  .     .
    process b:                      ok    .  .     .
    process a netns=2:              ok    .  .     .
    fd a/3:                         s500  .  .     .
    tcp 500:                        EST   .  -     .
    autopsy a/3 inode=500 netns=1:  .     .  dead  .
  )"),
            "1-2 connected, 3-4 outlived autopsy");
}

TEST(OtherNamespace, ARowThatNothingTiesToTheSocketProvesNothing) {
  constexpr std::string_view kDrawing = R"(
    snapshots:          R     .  .  .
    process b:          ok    .  .  .
    process a netns=2:  ok    .  .  .
    fd a/3:             s500  .  .  .
    tcp 500:            EST   .  -  .
  )";
  EXPECT_EQ(verdictsOf(kDrawing), "1-2 connected, 3-4 unlisted");
  EXPECT_EQ(Timeline(kDrawing).rows("SELECT netns, last_state FROM sockets"), "4000 ESTABLISHED\n");
}

TEST(OtherNamespace, ItIsSaidWhoToldOfIt) {
  const auto source = [](const std::string& more) {
    return Timeline(R"(
      snapshots:          R     .  .  .
      process b:          ok    .  .  .
      process a netns=2:  ok    .  .  .
      fd a/3:             s500  .  .  .
    )" + more)
        .rows("SELECT netns, netns_source FROM sockets");
  };
  EXPECT_EQ(source("tcp 500: EST . . .\n"), "4000 table\n");
  EXPECT_EQ(source("autopsy a/3 inode=500 netns=1: dead . . .\n"), "4000 socket\n");
  EXPECT_EQ(source(""), "4001 process\n") << "nothing told; it can be another";
}

TEST(OtherNamespace, NorDoesItTurnANewSocketIntoAFailedConnect) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:              R     .  .      .
    process b:              ok    .  .      .
    process a netns=2:      ok    .  .      .
    fd a/3:                 s500  .  .      .
    tcp 500:                SYN   .  -      .
    autopsy a/3 inode=500:  .     .  never  .
  )"),
            "1-2 connected, 3-4 never-connected");
}

TEST(OtherNamespace, WhoLivesThereAndHadTheSocketTiesItsRowToIt) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:          R     .     .  .  .
    process b:          ok    .     .  .  .
    process a netns=2:  ok    .     .  .  .
    fd b/8:             s500  .     -  .  .
    fd a/3:             _     s500  .  .  .
    tcp 500:            EST   .     .  -  .
  )"),
            "2-3 connected, 4-5 outlived history");
}

TEST(SameNumber, AnFdThatWasAskedDoesNotTakeAnothersAnswer) {
  Timeline timeline(R"(
    snapshots:                                            R      .  .
    process a:                                            ok     .  .
    process b:                                            ok     .  .
    fd a/3:                                               s500   .  .
    fd b/8:                                               s500   .  .
    autopsy a/3 inode=500 remote=203.0.113.5:1:           dead   .  .
    autopsy b/8 inode=500:                                never  .  .
  )");
  EXPECT_EQ(timeline.verdicts("a", 3), "1-3 outlived autopsy");
  EXPECT_EQ(timeline.verdicts("b", 8), "1-3 never-connected");
  EXPECT_EQ(timeline.rows("SELECT count(*) FROM socket_holder"), "0\n");
}

TEST(SameNumber, AnFdThatWasNotAskedTakesIt) {
  Timeline timeline(R"(
    snapshots:              R     .  K
    process a:              ok    .  .
    process b:              ok    .  .
    fd a/3:                 s500  .  .
    fd b/8:                 s500  .  .
    autopsy a/3 inode=500:  dead  .  dead
  )");
  EXPECT_EQ(timeline.verdicts("b", 8), "1-3 outlived autopsy");
  EXPECT_EQ(timeline.rows("SELECT fd, holders FROM socket_holder ORDER BY fd"), "3 2\n8 2\n");
}

TEST(SameNumber, AKeyframeMayNameAnotherHolder) {
  // What `a` said in the first snapshot is repeated in the third through `b`, with the same time.
  Timeline timeline(R"(
    snapshots:  R     .  K
    process a:  ok    .  .
    process b:  ok    .  .
    fd a/3:     s500  -  .
    fd b/8:     s500  .  .
    autopsy a/3 inode=500 asked_at=0: dead  .  .
    autopsy b/8 inode=500 asked_at=0: .     .  dead
  )");
  EXPECT_EQ(timeline.rows("SELECT outlived_since FROM outlived WHERE fd = 8"),
            "2026-01-01T00:00:00.000Z\n");
}

TEST(SameNumber, AddressesAreThoseOfTheOwnNamespace) {
  Timeline timeline(R"(
    snapshots:                                      R     .
    process a netns=2:                              ok    .
    process b:                                      ok    .
    fd a/3 protocol=UDP:                            s500  .
    fd a/4 protocol=UNIX:                           s501  .
    udp 500 netns=1 local=203.0.113.5:1 remote=203.0.113.6:2: EST .
    udp 500 netns=2:                                EST   .
    unix 501 netns=1 path=/theirs:                  on    .
    unix 501 netns=2 path=/ours:                    on    .
  )");
  EXPECT_EQ(timeline.rows("SELECT fd, local, remote FROM sockets ORDER BY fd"),
            "3 192.0.2.1:9091 198.51.100.7:40000\n4 /ours -\n");
}

TEST(SameNumber, AddressesAreThoseOfItsTime) {
  Timeline timeline(R"(
    snapshots:              R     .  .     .
    process a:              ok    .  .     .
    fd a/3 protocol=UDP:    _     .  s500  .
    fd a/4 protocol=UNIX:   _     .  s501  .
    fd a/5 protocol=none:   _     .  s502  .
    udp 500:                EST   -  .     .
    unix 501 path=/before:  on    -  .     .
    unix 502 path=/before:  on    -  .     .
  )");
  EXPECT_EQ(timeline.rows("SELECT fd, verdict, protocol, local, remote FROM sockets ORDER BY fd"),
            "3 other UDP - -\n4 other UNIX - -\n5 unlisted - - -\n");
}

TEST(SameNumber, AQueueIsThatOfTheOwnNamespace) {
  Timeline timeline(R"(
    snapshots:          R       .
    process a netns=2:  ok      .
    process b:          ok      .
    limit a:            1/9     .
    fd a/3:             s500    .
    tcp 500 netns=2:    LISTEN  .
    tcp 500 netns=1:    LISTEN  .
    queue 500 netns=1:  5       .
  )");
  for (const sql::SqlFile& rule : sql::findings()) {
    if (rule.name != "accept-queue") continue;
    EXPECT_EQ(timeline.rows(std::string(rule.text)), "");
  }
}

// --- sockets of a namespace that was not read ---

/// Fds that a process has from a namespace in which nobody is recorded: to peers of port 7001, one
/// of them in CLOSE_WAIT, two of which the connections are gone.
constexpr std::string_view kPassedOn = R"(
  snapshots:   R      .  .  .  .  .
  process a:   ok     .  .  .  .  .
  fd a/3:      s500   .  .  .  .  .
  fd a/4:      s501   .  .  .  .  .
  fd a/5:      s502   .  .  .  .  .
  fd a/6:      s503   .  .  .  .  .
  autopsy a/3 inode=500 netns=9 local=192.0.2.1:7001 remote=198.51.100.7:1001:  alive .    . . . .
  autopsy a/4 inode=501 netns=9 local=192.0.2.1:7001 remote=198.51.100.7:1002:  alive half . . . .
  autopsy a/5 inode=502 netns=9 local=192.0.2.1:7001 remote=198.51.100.7:1003:  dead  .    . . . .
  autopsy a/6 inode=503 netns=9 local=192.0.2.1:7001 remote=198.51.100.7:1004:  dead  .    . . . .
)";

TEST(UnreadNamespace, TheKernelTellsWhatNoTableLists) {
  Timeline timeline(kPassedOn);
  EXPECT_EQ(timeline.verdicts("a", 4), "1-6 unlisted");
  EXPECT_EQ(timeline.rows("SELECT fd, netns, state, remote, since, seconds FROM told_socket "
                          "ORDER BY fd"),
            "3 4008 ESTABLISHED 198.51.100.7:1001 2026-01-01T00:00:00.000Z 50.0\n"
            "4 4008 CLOSE_WAIT 198.51.100.7:1002 2026-01-01T00:00:10.000Z 40.0\n");
}

TEST(UnreadNamespace, APortWithSeveralPeersIsOneThatIsListenedOn) {
  EXPECT_EQ(Timeline(kPassedOn).rows("SELECT direction, local_port, peer, count FROM peer_group "
                                     "WHERE verdict = 'outlived'"),
            "in 7001 198.51.100.7 2\n");
}

TEST(UnreadNamespace, WhatStaysInCloseWaitIsAFinding) {
  EXPECT_EQ(findingsOf(kPassedOn), "outlived-connections warning 100\nunread-netns warning 100\n");
  EXPECT_EQ(titleOf(kPassedOn, "unread-netns"),
            "2 connections that no table lists; the kernel says of their sockets: 1 CLOSE_WAIT, 1 "
            "ESTABLISHED");
  const std::string explanation = explanationOf(kPassedOn, "unread-netns");
  EXPECT_NE(explanation.find("the sockets are of network namespace 4008, no TCP table of which was "
                             "read"),
            std::string::npos)
      << explanation;
  EXPECT_NE(explanation.find("1 is so in CLOSE_WAIT for longer than the grace period of 30 s"),
            std::string::npos)
      << explanation;
  EXPECT_NE(explanationOf(kPassedOn, "outlived-connections")
                .find("their sockets are of a network namespace of which no table was read"),
            std::string::npos);
}

TEST(UnreadNamespace, ConnectionsThatAreAliveAreInformation) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                      R      .  .  .  .  .
    process a:                      ok     .  .  .  .  .
    fd a/3:                         s500   .  .  .  .  .
    autopsy a/3 inode=500 netns=9:  alive  .  .  .  .  .
  )"),
            "unread-netns info 100\n");
}

// A process lives there, and the tables tell all there is to tell.
TEST(UnreadNamespace, NoneWhereItWasRead) {
  const std::string drawing = R"(
    snapshots:                      R     .  .  .  .  .
    process b netns=2:              ok    .  .  .  .  .
    process a:                      ok    .  .  .  .  .
    fd a/3:                         s500  .  .  .  .  .
    tcp 500 netns=2:                EST   -  .  .  .  .
    autopsy a/3 inode=500 netns=2:  .  dead  .  .  .  .
  )";
  EXPECT_EQ(findingsOf(drawing), "outlived-connections warning 101\n");
  EXPECT_NE(explanationOf(drawing, "outlived-connections")
                .find("no TCP table of their network namespace lists their sockets"),
            std::string::npos);
  EXPECT_EQ(Timeline(drawing).rows("SELECT count(*) FROM told_socket"), "0\n");
}

}  // namespace

}  // namespace fdmortem::test
