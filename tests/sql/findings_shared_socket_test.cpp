// schema/findings/ on sockets that several fds hold, of one process or through fork: when a rule
// fires and when not.
#include <string>

#include <gtest/gtest.h>

#include "tests/sql/findings.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

TEST(SharedSocketFindings, ASocketThatForkSharedAndNobodyCloses) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .   .  .  .  .
    process a:  ok         .   .  .  .  .
    process b:  ok         .   .  .  .  .
    fd a/3:     s500       .   .  .  .  .
    fd a/4:     p9         .   .  .  .  .
    fd b/3:     s500       .   .  .  .  .
    fd b/4:     p9         .   .  .  .  .
    tcp 500:    EST        CW  .  .  .  .
  )"),
            "close-wait warning 100\nclose-wait warning 101\n"
            "shared-sockets warning 100\nshared-sockets warning 101\n");
}

// Of copies that one process made no fork is to blame.
TEST(SharedSocketFindings, ASocketThatOneProcessHoldsTwice) {
  const std::string drawing = R"(
    snapshots:  R          .   .  .  .  .
    process a:  ok         .   .  .  .  .
    fd a/3:     s500       .   .  .  .  .
    fd a/4:     s500       .   .  .  .  .
    tcp 500:    EST        .   -  .  .  .
    autopsy a/3 inode=500: .   .  dead  .  .  .
  )";
  EXPECT_NE(explanationOf(drawing, "shared-sockets").find("Inferred: it was duplicated (dup()"),
            std::string::npos);
  EXPECT_EQ(adviceOf(drawing, "shared-sockets").find("fork"), std::string::npos);
  EXPECT_EQ(Timeline(drawing).rows("SELECT count(*) FROM last_data"), "1\n") << "it is one socket";
}

TEST(SharedSocketFindings, ASocketThatOnlyOneHolds) {
  EXPECT_EQ(titleOf(R"(
    snapshots:  R          .   .  .  .  .
    process a:  ok         .   .  .  .  .
    process b:  ok         .   .  .  .  .
    fd a/3:     s500       .   .  .  .  .
    fd b/3:     s500       -   .  .  .  .
    tcp 500:    EST        CW  .  .  .  .
  )",
                    "shared-sockets"),
            "");
}

TEST(SharedSocketFindings, WhoHoldsAllThatAnOlderProcessHolds) {
  // b has inherited its only one; c has one of its own.
  Timeline timeline(R"(
    snapshots:          R    .   .  .  .  .
    process a start=1:  ok   .   .  .  .  .
    process b start=2:  ok   .   .  .  .  .
    process c start=3:  ok   .   .  .  .  .
    fd a/3:             s500 .   .  .  .  .
    fd a/4:             s501 .   .  .  .  .
    fd b/3:             s500 .   .  .  .  .
    fd c/3:             s500 .   .  .  .  .
    fd c/5:             s502 .   .  .  .  .
    tcp 500:            EST  CW  .  .  .  .
    tcp 501:            EST  CW  .  .  .  .
    tcp 502:            EST  CW  .  .  .  .
  )");
  EXPECT_EQ(timeline.rows("SELECT a.comm, b.comm FROM _held_by h JOIN processes a USING (process) "
                          "JOIN processes b ON b.process = h.held_by"),
            "b a\n");
}

/// A server that starts b and c, which keep what it closes; b and c have also what it was not seen
/// with.
constexpr const char* kForked = R"(
    snapshots:          R    .    .    .    .    .
    process a pid=7:    ok   .    .    .    .    .
    process b parent=7: _    =ok  .    .    .    .
    process c parent=7: _    _    =ok  .    .    .
    fd a/3:             s500 .    -    .    .    .
    fd b/3:             _    =s500 .   .    .    .
    fd b/4:             _    =s501 .   .    .    .
    fd c/3:             _    _    =s500 .    .    .
    fd c/4:             _    _    =s501 .    .    .
    tcp 500:            EST  .    .    -    .    .
    tcp 501:            _    EST  .    CW   .    .
)";

TEST(SharedSocketFindings, WhatForkedProcessesKeepOpenIsToldOfTheOneThatTheyComeFrom) {
  EXPECT_EQ(titleOf(kForked, "inherited-sockets"),
            "2 processes that come from it by fork keep 2 sockets without a live peer open");
  const std::string explanation = explanationOf(kForked, "inherited-sockets");
  EXPECT_NE(explanation.find("Observed: they have 4 fds of those sockets, which this process has "
                             "not; of 2 the connection is gone, of the others the peer has ended "
                             "its side."),
            std::string::npos)
      << explanation;
  EXPECT_NE(
      explanation.find("2 were listed among the fds of this process itself at an earlier or the "
                       "same time. 2 were there when their holders were first looked at, which "
                       "had just begun."),
      std::string::npos)
      << explanation;
  Timeline timeline(kForked);
  EXPECT_EQ(timeline.rows("SELECT p.comm, o.comm FROM _held_by h JOIN processes p USING (process) "
                          "JOIN processes o ON o.process = h.held_by ORDER BY 1"),
            "b a\nc a\n");
}

TEST(SharedSocketFindings, WhatAForkedProcessOpenedIsItsOwn) {
  EXPECT_EQ(titleOf(R"(
    snapshots:          R    .    .    .    .    .
    process a pid=7:    ok   .    .    .    .    .
    process b parent=7: _    =ok  .    .    .    .
    fd a/3:             s500 .    -    .    .    .
    fd b/3:             _    =s500 .   .    .    .
    fd b/4:             _    _    s501 .    .    .
    tcp 500:            EST  .    .    -    .    .
    tcp 501:            _    _    EST  -    .    .
  )",
                    "inherited-sockets"),
            "");
  // Nothing shows where it comes from.
  EXPECT_EQ(titleOf(R"(
    snapshots:          R    .    .    .    .    .
    process a pid=7:    ok   .    .    .    .    .
    process b parent=7: _    =ok  .    .    .    .
    fd b/3:             _    =s500 .   .    .    .
    tcp 500:            _    EST  .    -    .    .
  )",
                    "inherited-sockets"),
            "");
}

TEST(SharedSocketFindings, ForkedProcessesThatHaveEndedKeepNothingOpen) {
  constexpr const char* kEnded = R"(
    snapshots:          R    .    .    .    .    .
    process a pid=7:    ok   .    .    .    .    .
    process b parent=7: _    =ok  .    .    -    .
    fd a/3:             s500 .    -    .    .    .
    fd b/3:             _    =s500 .   .    -    .
    tcp 500:            EST  .    -    .    .    .
  )";
  EXPECT_EQ(titleOf(kEnded, "inherited-sockets"),
            "b (pid 101), which came from it by fork, kept 1 socket without a live peer open until "
            "it ended");
  EXPECT_EQ(findingsOf(kEnded).find("inherited-sockets warning"), std::string::npos);
  const std::string two = explanationOf(R"(
    snapshots:          R    .    .    .    .    .
    process a pid=7:    ok   .    .    .    .    .
    process b parent=7: _    =ok  .    .    -    .
    process c parent=7: _    =ok  .    .    .    .
    fd a/3:             s500 .    -    .    .    .
    fd b/3:             _    =s500 .   .    -    .
    fd c/3:             _    =s500 .   .    .    .
    tcp 500:            EST  .    -    .    .    .
  )",
                                        "inherited-sockets");
  EXPECT_NE(two.find("they have the only fd of that socket, which this process has not; its "
                     "connection is gone."),
            std::string::npos)
      << two;
  EXPECT_NE(two.find("1 more had such sockets until it ended."), std::string::npos) << two;
}

TEST(SharedSocketFindings, WhoIsOnlyAnAncestorIsNotToldOfWhatItNeverHeld) {
  // a is above b, which accepted and closed before it was recorded.
  EXPECT_EQ(titleOf(R"(
    snapshots:                R    .    .    .    .    .
    process a pid=7:          ok   .    .    .    .    .
    process b pid=8 parent=7: ok   .    .    .    .    .
    process c parent=8:       ok   .    .    .    .    .
    process d parent=8:       ok   .    .    .    .    .
    fd c/3:                   s500 .    .    .    .    .
    fd d/3:                   s500 .    .    .    .    .
    tcp 500:                  EST  .    .    -    .    .
  )",
                    "inherited-sockets"),
            "");
}

TEST(SharedSocketFindings, WhatTheForkingProcessStillHoldsIsToldOfItsOwnSockets) {
  EXPECT_EQ(titleOf(R"(
    snapshots:          R    .    .    .    .    .
    process a pid=7:    ok   .    .    .    .    .
    process b parent=7: _    =ok  .    .    .    .
    fd a/3:             s500 .    .    .    .    .
    fd b/3:             _    =s500 .   .    .    .
    tcp 500:            EST  .    .    -    .    .
  )",
                    "inherited-sockets"),
            "");
}

}  // namespace

}  // namespace fdmortem::test
