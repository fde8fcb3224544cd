// schema/views: what is said of a socket in snapshots whose tables could not be read. A state that
// was not read is not known to go on.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// The verdicts of fd 3 of process `a`.
std::string verdictsOf(std::string_view drawing) {
  return Timeline(drawing).verdicts("a", 3);
}

constexpr std::string_view kDiesUnread = R"(
  snapshots:  R      .  .       .       .      .
  process a:  ok     .  .       .       .      .
  fd a/3:     s500   .  .       .       .      .
  tcp 500:    EST    .  .       .       -      .
  read tcp:   whole  .  failed  .       whole  .
)";

TEST(UnreadTables, AConnectionThatGoesMeanwhileIsNotCalledConnected) {
  EXPECT_EQ(verdictsOf(kDiesUnread), "1-2 connected, 3-4 unlisted, 5-6 outlived history");
}

TEST(UnreadTables, OnlyWhatWasReadHasATime) {
  Timeline timeline(kDiesUnread);
  EXPECT_EQ(
      timeline.rows("SELECT connection_last_seen, outlived_since, outlived_seconds, last_state"
                    " FROM outlived"),
      "2026-01-01T00:00:10.000Z 2026-01-01T00:00:40.000Z 10.0 ESTABLISHED\n");
}

TEST(UnreadTables, AtTheEndNothingIsKnownOfAConnection) {
  constexpr std::string_view kDrawing = R"(
    snapshots:  R      .  .       .  .
    process a:  ok     .  .       .  .
    fd a/3:     s500   .  .       .  .
    tcp 500:    EST    .  .       .  .
    read tcp:   whole  .  failed  .  .
  )";
  EXPECT_EQ(verdictsOf(kDrawing), "1-2 connected, 3-5 unlisted");
  Timeline timeline(kDrawing);
  EXPECT_EQ(timeline.rows("SELECT verdict, remote, last_state, connection_last_seen, fd_last_seen"
                          " FROM sockets"),
            "unlisted 198.51.100.7:40000 ESTABLISHED 2026-01-01T00:00:10.000Z "
            "2026-01-01T00:00:40.000Z\n");
}

TEST(UnreadTables, OfAListenerNeither) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R       .  .       .
    process a:  ok      .  .       .
    fd a/3:     s500    .  .       .
    tcp 500:    LISTEN  .  .       .
    read tcp:   whole   .  failed  .
  )"),
            "1-2 listening, 3-4 unlisted");
}

TEST(UnreadTables, WhatIsListedAsBeforeAfterwardsWasThereAllTheTime) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .  .       .      .
    process a:  ok     .  .       .      .
    fd a/3:     s500   .  .       .      .
    tcp 500:    EST    .  .       .      .
    read tcp:   whole  .  failed  whole  .
  )"),
            "1-5 connected");
}

TEST(UnreadTables, WhenAStateChangedMeanwhileIsNotKnown) {
  Timeline timeline(R"(
    snapshots:  R      .  .       .      .
    process a:  ok     .  .       .      .
    fd a/3:     s500   .  .       .      .
    tcp 500:    EST    .  .       CW     .
    read tcp:   whole  .  failed  whole  .
  )");
  EXPECT_EQ(timeline.verdicts("a", 3), "1-2 connected, 3-3 unlisted, 4-5 peer-closed");
  EXPECT_EQ(timeline.rows("SELECT * FROM _socket_life"), "500 1 5\n");
}

TEST(UnreadTables, AKeyframeRepeatsARowThatNobodySaw) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .       K  .
    process a:  ok     .       .  .
    fd a/3:     s500   .       .  .
    tcp 500:    EST    .       .  .
    read tcp:   whole  failed  .  .
  )"),
            "1-1 connected, 2-4 unlisted");
}

TEST(UnreadTables, WhatATableThatIsReadInPartShowsIsThere) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .     .  .
    process a:  ok     .     .  .
    fd a/3:     s500   .     .  .
    tcp 500:    _      EST   .  -
    read tcp:   whole  part  .  whole
  )"),
            "1-1 unlisted, 2-2 connected, 3-3 unlisted, 4-4 outlived single");
}

TEST(UnreadTables, AlsoInTheFirstSnapshot) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:  R      .      .
    process a:  ok     .      .
    fd a/3:     s500   .      .
    tcp 500:    EST    .      -
    read tcp:   part   whole  .
  )"),
            "1-2 connected, 3-3 outlived single");
}

// A closed socket stays closed, if its program does not connect it anew; but only the time until
// the tables could be read last is certain.
TEST(UnreadTables, WhatIsDeadStaysDead) {
  for (const std::string_view proof : {"history", "autopsy"}) {
    const std::string drawing = std::string(R"(
      snapshots:              R      .  .  .       .
      process a:              ok     .  .  .       .
      fd a/3:                 s500   .  .  .       .
      tcp 500:                EST    -  .  .       .
      read tcp:               whole  .  .  failed  .
      autopsy a/3 inode=500:  .      )") +
                                (proof == "autopsy" ? "dead" : ".") + "  .  .  .\n";
    Timeline timeline(drawing);
    EXPECT_EQ(timeline.verdicts("a", 3), "1-1 connected, 2-5 outlived " + std::string(proof));
    EXPECT_EQ(timeline.rows("SELECT outlived_since, outlived_seconds, fd_last_seen FROM outlived"),
              "2026-01-01T00:00:10.000Z 10.0 2026-01-01T00:00:40.000Z\n");
  }
}

TEST(UnreadTables, WhatIsDeadCountsAgainOnceTheyAreRead) {
  Timeline timeline(R"(
    snapshots:              R      .     .       .  .
    process a:              ok     .     .       .  .
    fd a/3:                 s500   .     .       .  .
    autopsy a/3 inode=500:  .      dead  .       .  .
    read tcp:               whole  .     failed  .  whole
  )");
  EXPECT_EQ(timeline.rows("SELECT outlived_since, outlived_seconds, proof FROM outlived"),
            "2026-01-01T00:00:10.000Z 30.0 autopsy\n");
}

TEST(UnreadTables, WhoIsConnectedAnewMayHaveBeenMeanwhile) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:                          R      .  .  .       .
    process a:                          ok     .  .  .       .
    fd a/3:                             s500   .  .  .       .
    tcp 500:                            EST    -  .  .       .
    tcp 500 remote=203.0.113.5:1:       _      .  .  .       EST
    read tcp:                           whole  .  .  failed  whole
  )"),
            "1-1 connected, 2-3 outlived history, 4-4 unlisted, 5-5 connected");
}

TEST(UnreadTables, ANewSocketMayHaveConnectedMeanwhile) {
  for (const auto& [said, verdict] :
       {std::pair("never", "never-connected"), std::pair("failed", "connect-failed")}) {
    const std::string drawing = std::string(R"(
      snapshots:              R      .       .      .       .
      process a:              ok     .       .      .       .
      fd a/3:                 s500   .       .      .       .
      autopsy a/3 inode=500:  )") +
                                said + R"(  .       .      .       .
      read tcp:               whole  failed  whole  failed  .
    )";
    EXPECT_EQ(verdictsOf(drawing), "1-3 " + std::string(verdict) + ", 4-5 unlisted");
  }
}

TEST(UnreadTables, AnAutopsyCountsWhereOnlyAnotherNamespaceCouldNotBeRead) {
  // The socket was passed on from namespace 1 to a process in 2, which therefore asked for it.
  EXPECT_EQ(verdictsOf(R"(
    snapshots:              R      .  .       .
    process b:              ok     .  .       .
    process a netns=2:      ok     .  .       .
    fd a/3:                 s500   .  .       .
    tcp 500:                EST    .  .       .
    read tcp:               whole  .  failed  .
    autopsy a/3 inode=500:  .      .  dead    .
  )"),
            "1-2 connected, 3-4 outlived autopsy");
}

TEST(UnreadTables, OthersThanTcpAreWhatTheyAre) {
  EXPECT_EQ(verdictsOf(R"(
    snapshots:             R       .      .
    process a:             ok      .      .
    fd a/3 protocol=UDP:   s500    .      .
    read tcp:              failed  whole  failed
  )"),
            "1-3 other");
}

TEST(UnreadTables, DoNotMakeAnInodeNumberTheSameSocket) {
  // Whether the socket that `b` has is the one that was listed before is not known.
  Timeline timeline(R"(
    snapshots:  R      .  .       .      .
    process a:  ok     .  .       .      .
    process b:  ok     .  .       .      .
    fd a/3:     s500   .  -       .      .
    fd b/8:     _      .  s500    .      .
    tcp 500:    EST    .  .       -      .
    read tcp:   whole  .  failed  whole  .
  )");
  EXPECT_EQ(timeline.verdicts("b", 8), "3-5 unlisted");
}

}  // namespace

}  // namespace fdmortem::test
