// schema/views/socket.sql: what became of the connection behind a file descriptor.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// The verdicts of fd 3 of process `a`.
std::string verdictsOf(std::string_view drawing) {
  return Timeline(drawing).verdicts("a", 3);
}

// --- what must be told ---

TEST(Outlived, SeenTwiceWithoutTheConnectionIsHistory) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  .
    process a:  ok    .  .  .
    fd a/3:     s500  .  .  .
    tcp 500:    EST   .  -  .
  )"),
            "1-2 connected, 3-4 outlived history");
}

TEST(Outlived, SeenOnceInTwoReadingsIsHistory) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .      .
    process a:  ok    .  .      .
    fd a/3:     s500  .  .      -
    tcp 500:    EST   .  -      .
    look a/3:   .     .  same2  .
  )"),
            "1-2 connected, 3-3 outlived history");
}

TEST(Outlived, SeenOnceIsSingle) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .
    process a:  ok    .  .
    fd a/3:     s500  .  .
    tcp 500:    EST   .  -
  )"),
            "1-2 connected, 3-3 outlived single");
}

TEST(Outlived, IsToldOfSocketsInTcp6) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:                                                   R     .  .  .
    process a:                                                   ok    .  .  .
    fd a/3 protocol=TCPv6:                                       s500  .  .  .
    tcp6 500 local=[2001:db8::1]:9091 remote=[2001:db8::7]:4000: EST   .  -  .
  )"),
            "1-2 connected, 3-4 outlived history");
}

TEST(Outlived, IsToldWhereTheKernelHasNoTcp6) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R       .  .  .
    process a:  ok      .  .  .
    fd a/3:     s500    .  .  .
    tcp 500:    EST     .  -  .
    read tcp6:  absent  .  .  .
  )"),
            "1-2 connected, 3-4 outlived history");
}

TEST(Outlived, IsToldWhereTheProtocolIsNotKnown) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:             R     .  .  .
    process a:             ok    .  .  .
    fd a/3 protocol=none:  s500  .  .  .
    tcp 500:               EST   .  -  .
  )"),
            "1-2 connected, 3-4 outlived history");
}

TEST(Outlived, ReachesOverAKeyframe) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  K  .
    process a:  ok    .  .  .  .
    fd a/3:     s500  .  .  .  .
    tcp 500:    EST   .  -  .  .
  )"),
            "1-2 connected, 3-5 outlived history");
}

TEST(Outlived, AConnectionThatGoesAtAKeyframeIsGone) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  K  .
    process a:  ok    .  .  .
    fd a/3:     s500  .  .  .
    tcp 500:    EST   .  -  .
  )"),
            "1-2 connected, 3-4 outlived history");
}

TEST(Outlived, ReachesIntoALaterRecordingOfTheBoot) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  R  .
    process a:  ok    .  .  .  .
    fd a/3:     s500  .  .  .  .
    tcp 500:    EST   .  -  .  .
  )"),
            "1-2 connected, 3-5 outlived history");
}

TEST(Outlived, AConnectionThatGoesBetweenTwoRecordingsIsGone) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  R  .
    process a:  ok    .  .  .
    fd a/3:     s500  .  .  .
    tcp 500:    EST   .  -  .
  )"),
            "1-2 connected, 3-4 outlived history");
}

TEST(Outlived, AConnectionThatStaysOverTwoRecordingsIsConnected) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  R  .
    process a:  ok    .  .  .
    fd a/3:     s500  .  .  .
    tcp 500:    EST   .  .  .
  )"),
            "1-4 connected");
}

TEST(Outlived, FollowsASocketThatAForkedProcessHolds) {
  // The second process's fd is first seen when the connection is gone. The first one's fd, seen at
  // the same time, is the chain to it.
  Timeline timeline(R"(
    snapshots:  R     .   .     .     .  .
    process a:  ok    .   .     .     .  .
    process b:  _     _   ok    .     .  .
    fd a/3:     s500  .   .     .     -  .
    fd b/3:     _     _   _     s500  .  .
    tcp 500:    EST   .   -     .     .  .
  )");
  EXPECT_EQ(timeline.verdicts("a", 3), "1-2 connected, 3-4 outlived history");
  EXPECT_EQ(timeline.verdicts("b", 3), "4-6 outlived history");
}

TEST(Outlived, CloseWaitFirst) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .   .  .  .
    process a:  ok    .   .  .  .
    fd a/3:     s500  .   .  .  .
    tcp 500:    EST   CW  .  -  .
  )"),
            "1-1 connected, 2-3 peer-closed, 4-5 outlived history");
}

TEST(Outlived, OnlyCloseWaitWasSeen) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .
    process a:  ok    .  .
    fd a/3:     s500  .  .
    tcp 500:    CW    -  .
  )"),
            "1-1 peer-closed, 2-3 outlived history");
}

TEST(Outlived, AConnectionAfterAnAttempt) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .    .  .
    process a:  ok    .    .  .
    fd a/3:     s500  .    .  .
    tcp 500:    SYN   EST  -  .
  )"),
            "1-1 connected, 2-2 connected, 3-4 outlived history");
}

TEST(Outlived, OneSightingIsEnoughAfterAFailedTable) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .  .       .
    process a:  ok     .  .       .
    fd a/3:     s500   .  .       .
    tcp 500:    EST    .  .       -
    read tcp:   whole  .  failed  whole
  )"),
            "1-2 connected, 3-3 unlisted, 4-4 outlived single");
}

// --- what must not ---

TEST(NotOutlived, TheTableCouldNotBeRead) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .  .       .
    process a:  ok     .  .       .
    fd a/3:     s500   .  .       .
    tcp 500:    EST    .  -       .
    read tcp:   whole  .  failed  .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, OnlyOneOfTheTwoTablesWasRead) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .  .       .
    process a:  ok     .  .       .
    fd a/3:     s500   .  .       .
    tcp 500:    EST    .  -       .
    read tcp6:  whole  .  failed  .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, TheTableWasReadInPart) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .  .     .
    process a:  ok     .  .     .
    fd a/3:     s500   .  .     .
    tcp 500:    EST    .  -     .
    read tcp:   whole  .  part  .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, ItsNamespaceIsNotReadAnyMore) {
  // The fd's socket is of another namespace than its process, and nobody lives there any more.
  EXPECT_EQ(verdictsOf(R"(
    snapshots:          R      .  .     .
    process a netns=2:  ok     .  .     .
    fd a/3:             s500   .  .     .
    tcp 500:            EST    .  .     .
    read tcp:           whole  .  none  .
    read tcp6:          whole  .  none  .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, NorInALaterRecordingThatDoesNotReadItsNamespace) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:          R      .  R     .
    process a netns=2:  ok     .  .     .
    fd a/3:             s500   .  .     .
    tcp 500:            EST    .  _     .
    read tcp:           whole  .  _     .
    read tcp6:          whole  .  _     .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, TheConnectionIsListedAgainLater) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  .  .    .
    process a:  ok    .  .  .  .    .
    fd a/3:     s500  .  .  .  .    .
    tcp 500:    EST   .  -  .  EST  .
  )"),
            "1-2 connected, 3-4 unlisted, 5-6 connected");
}

TEST(NotOutlived, TheConnectionIsListedAgainInAnotherState) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  .  .   .
    process a:  ok    .  .  .  .   .
    fd a/3:     s500  .  .  .  .   .
    tcp 500:    EST   .  -  .  CW  .
  )"),
            "1-2 connected, 3-4 unlisted, 5-6 peer-closed");
}

TEST(NotOutlived, TheNumberBelongedToAnotherSocketOfTheProcess) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  .  .     .
    process a:  ok    .  .  .  .     .
    fd a/3:     s500  .  -  .  s500  .
    tcp 500:    EST   .  -  .  .     .
  )"),
            "1-2 connected, 5-6 unlisted");
}

TEST(NotOutlived, TheNumberBelongedToASocketOfAnotherProcess) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  .     .
    process a:  ok    .  .  .     .
    process b:  ok    .  .  .     .
    fd b/8:     s500  .  -  .     .
    fd a/3:     _     .  .  s500  .
    tcp 500:    EST   .  -  .     .
  )"),
            "4-5 unlisted");
}

TEST(NotOutlived, TheNumberIsGivenAwayAgainFromOneSnapshotToTheNext) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .      .
    process a:  ok    .  .      .
    fd a/8:     s500  .  -      .
    fd a/3:     p9    .  +s500  .
    tcp 500:    EST   .  -      .
  )"),
            "3-4 unlisted");
}

TEST(NotOutlived, TheNumberBelongedToASocketBeforeTheReboot) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:                        R      .  B     .
    process a:                        ok     .  -     .
    process b boot=1 netns=2 comm=a:  _      .  ok    .
    fd a/3:                           s500   .  -     .
    fd b/3:                           _      .  s500  .
    tcp 500:                          EST    .  -     .
    read tcp:                         whole  .  _     .
    read tcp6:                        whole  .  _     .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, TheRowWasOfASocketInAnotherNamespace) {
  // Both namespaces list the number; its own goes on to list it.
  EXPECT_EQ(verdictsOf(R"(
    snapshots:                             R     .  .  .
    process a:                             ok    .  .  .
    process b netns=2:                     ok    .  .  .
    fd a/3:                                s500  .  .  .
    tcp 500:                               EST   .  .  .
    tcp 500 netns=2 remote=203.0.113.5:1:  EST   .  -  .
  )"),
            "1-4 connected");
}

TEST(NotOutlived, TheSecondLookFoundItClosed) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .       .
    process a:  ok    .  .       .
    fd a/3:     s500  .  .       -
    tcp 500:    EST   .  -       .
    look a/3:   .     .  closed  .
  )"),
            "1-2 connected, 3-3 unlisted");
}

TEST(NotOutlived, TheSecondLookFoundItClosedAfterTwoReadings) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .        .
    process a:  ok    .  .        .
    fd a/3:     s500  .  .        -
    tcp 500:    EST   .  -        .
    look a/3:   .     .  closed2  .
  )"),
            "1-2 connected, 3-3 unlisted");
}

TEST(NotOutlived, TheSecondLookFoundAnotherSocket) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .         .
    process a:  ok    .  .         .
    fd a/3:     s500  .  .         +s600
    tcp 500:    EST   .  -         .
    look a/3:   .     .  replaced  .
  )"),
            "1-2 connected, 3-3 unlisted, 4-4 unlisted");
}

TEST(NotOutlived, TheSecondLookFailed) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .       .
    process a:  ok    .  .       .
    fd a/3:     s500  .  .       -
    tcp 500:    EST   .  -       .
    look a/3:   .     .  failed  .
  )"),
            "1-2 connected, 3-3 unlisted");
}

TEST(NotOutlived, ItOnlyTriedToConnect) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .  .
    process a:  ok    .  .  .
    fd a/3:     s500  .  .  .
    tcp 500:    SYN   .  -  .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, ItOnlyListened) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R       .  .  .
    process a:  ok      .  .  .
    fd a/3:     s500    .  .  .
    tcp 500:    LISTEN  .  -  .
  )"),
            "1-2 listening, 3-4 unlisted");
}

TEST(NotOutlived, ItWasNeverListed) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .
    process a:  ok    .  .
    fd a/3:     s500  .  .
  )"),
            "1-3 unlisted");
}

TEST(NotOutlived, ItsTableIsNotTheOneOfTcp) {
  for (const std::string_view protocol : {"UDP", "UDPv6", "UNIX", "UNIX-STREAM", "NETLINK"}) {
    const std::string drawing = R"(
      snapshots:              R     .  .
      process a:              ok    .  .
      udp 500:                EST   -  .
      unix 500:               on    -  .
      fd a/3 protocol=)" + std::string(protocol) +
                                ":  s500  .  .\n";
    EXPECT_EQ(verdictsOf(drawing), "1-3 other") << protocol;
  }
}

TEST(NotOutlived, ADatagramSocketWhoseNumberATcpSocketHadBefore) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:            R     .  .     .
    process a:            ok    .  .     .
    fd a/8:               s500  .  .     -
    fd a/3 protocol=UDP:  _     .  s500  .
    tcp 500:              EST   -  .     .
  )"),
            "3-4 other");
}

TEST(NotOutlived, MultipathTcp) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:              R     .  .  .
    process a:              ok    .  .  .
    fd a/3 protocol=MPTCP:  s500  .  .  .
    tcp 500:                EST   .  -  .
  )"),
            "1-2 connected, 3-4 unlisted");
}

TEST(NotOutlived, TheFdsWereNotReadWhenTheTableWas) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .     .
    process a:  ok    .  fail  .
    fd a/3:     s500  .  .     .
    tcp 500:    EST   .  -     .
  )"),
            "1-2 connected");
}

TEST(NotOutlived, ASnapshotWithoutItsFdsIsNoSighting) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R     .  .     .
    process a:  ok    .  fail  ok
    fd a/3:     s500  .  .     .
    tcp 500:    EST   .  -     .
  )"),
            "1-2 connected, 3-3 unlisted, 4-4 outlived single");
}

// --- the life of a socket ---

TEST(SocketLife, JoinsSightingsThatOverlap) {
  Timeline timeline(R"(
    snapshots:  R     .     .  .  .
    process a:  ok    .     .  .  .
    process b:  ok    .     .  .  .
    fd a/3:     s500  .     -  .  .
    fd b/4:     _     s500  .  .  -
  )");
  EXPECT_EQ(timeline.rows("SELECT * FROM _socket_life"), "500 1 4\n");
}

TEST(SocketLife, IsCutWhereNothingJoinsThem) {
  Timeline timeline(R"(
    snapshots:  R     .  .     .
    process a:  ok    .  .     .
    fd a/3:     s500  .  -     .
    fd a/4:     _     .  s500  .
  )");
  EXPECT_EQ(timeline.rows("SELECT * FROM _socket_life"), "500 1 2\n500 3 4\n");
}

TEST(SocketLife, ARowInAllItsStatesIsOneSighting) {
  Timeline timeline(R"(
    snapshots:  R     .    .   .
    process a:  ok    .    .   .
    fd a/3:     _     .    .   s500
    tcp 500:    SYN   EST  CW  .
  )");
  EXPECT_EQ(timeline.rows("SELECT * FROM _socket_life"), "500 1 4\n");
}

}  // namespace

}  // namespace fdmortem::test
