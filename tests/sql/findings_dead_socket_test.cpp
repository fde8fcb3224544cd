// schema/findings/ on sockets without a live peer, and on what is judged of them: when a rule fires
// and when not.
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/sql/findings.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

TEST(DeadSocketFindings, FdsThatOutlivedTheirConnections) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .  .
    process a:  ok         .  .  .  .  .
    limit a:    1024/4096  .  .  .  .  .
    fd a/3:     s500       .  .  .  .  .
    fd a/4:     p9         .  .  .  .  .
    tcp 500:    EST        -  .  .  .  .
  )"),
            "outlived-connections warning 100\n");
}

// What is said of those that a snapshot listed must not be taken for all.
TEST(DeadSocketFindings, ConnectionsThatNoSnapshotListsAreToldApart) {
  const std::string explanation = explanationOf(R"(
    snapshots:            R          .     .  .  .     .
    process a:            ok         .     .  .  .     .
    fd a/3:               s500       .     .  .  .     .
    fd a/4:               s501       .     .  .  .     .
    fd a/5:               s502       .     .  .  .     .
    tcp 500:              EST        -     .  .  .     .
    autopsy a/4 inode=501:  dead     .     .  .  .     .
    autopsy a/5 inode=502:  dead     .     .  .  .     .
  )",
                                                "outlived-connections");
  EXPECT_NE(explanation.find("Of 3, 1 was still listed, and its connection went between "
                             "2026-01-01T00:00:00Z and 2026-01-01T00:00:10Z; no snapshot lists "
                             "the connections of the other 2. "),
            std::string::npos)
      << explanation;
}

TEST(DeadSocketFindings, OfAProcessThatEndedNothingIsOpenAnyMore) {
  const std::string drawing = R"(
    snapshots:  R          .  .  .  .  .  .
    process a:  ok         .  .  .  .  .  -
    fd a/3:     s500       .  .  .  .  .  -
    tcp 500:    EST        -  .  .  .  .  .
  )";
  const std::string explanation = explanationOf(drawing, "outlived-connections");
  EXPECT_TRUE(explanation.starts_with(
      "Observed: these fds were open when the process was last seen, and no TCP table of their "
      "network namespace listed their sockets, "))
      << explanation;
  EXPECT_NE(explanation.find("Its connection went between "), std::string::npos) << explanation;
  EXPECT_NE(explanation.find("did not see, or ignored, that they were dead; its end closed them."),
            std::string::npos)
      << explanation;
}

TEST(DeadSocketFindings, NotWithinTheGracePeriod) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .  .
    process a:  ok         .  .  .  .  .
    limit a:    1024/4096  .  .  .  .  .
    fd a/3:     s500       .  .  .  .  .
    tcp 500:    EST        .  .  .  -  .
  )"),
            "");
}

// One that is still recorded would be closed in the next moment, as far as one can see.
TEST(DeadSocketFindings, WhatOutlivedInARecordingShorterThanTheGracePeriod) {
  constexpr const char* kDrawing = R"(
    snapshots:  R          .  .
    process a:  ok         .  .
    limit a:    1024/4096  .  .
    fd a/3:     s500       .  .
    tcp 500:    EST        -  .
  )";
  EXPECT_EQ(findingsOf(kDrawing), "outlived-connections info 100\n");
  EXPECT_EQ(
      titleOf(kDrawing, "outlived-connections"),
      "1 fd outlived its connection, not known for longer than 30 s: a leak, or handlers that "
      "are slow to close");
}

TEST(DeadSocketFindings, AFewThatOutlivedInAShortRecordingAreNoProof) {
  const std::string drawing = R"(
    snapshots:  R          .  .
    process a:  ok         .  .
    fd a/3:     s500       .  .
    fd a/4:     p9         .  .
    tcp 500:    EST        -  .
  )";
  EXPECT_EQ(findingsOf(drawing), "outlived-connections info 100\n");
}

/// One snapshot of 30 fds: 10 dead sockets that last carried data so many seconds before, and
/// pipes.
std::string tenDead(int seconds_before) {
  std::string drawing = "snapshots: R\nprocess a: ok\n";
  for (int fd = 0; fd < 30; ++fd) {
    drawing += fmt::format("fd a/{}: {}\n", fd, fd < 10 ? fmt::format("s{}", 500 + fd) : "p9");
    if (fd < 10) {
      drawing += fmt::format("autopsy a/{} inode={} asked_at=-{}: dead\n", fd, 500 + fd,
                             seconds_before - 1);
    }
  }
  return drawing;
}

TEST(DeadSocketFindings, OneSnapshotDoesNotTellALeakFromSlowHandlers) {
  const std::string drawing = tenDead(29);
  EXPECT_EQ(findingsOf(drawing), "outlived-connections info 100\n");
  EXPECT_EQ(
      titleOf(drawing, "outlived-connections"),
      "10 fds outlived their connections, none known for longer than 30 s: a leak, or handlers "
      "that are slow to close");
  EXPECT_NE(explanationOf(drawing, "outlived-connections")
                .find("whether they are still open after 30 s, which a recording of at least 60 s "
                      "shows"),
            std::string::npos)
      << explanationOf(drawing, "outlived-connections");
  EXPECT_EQ(explanationOf(drawing, "outlived-connections").find("Inferred"), std::string::npos);
}

TEST(DeadSocketFindings, ManyThatWereSilentForLongInOneSnapshotAreALeak) {
  const std::string drawing = tenDead(31);
  EXPECT_EQ(findingsOf(drawing), "outlived-connections warning 100\n");
  EXPECT_NE(explanationOf(drawing, "outlived-connections")
                .find("Of 10 that was longer than 30 s before the last look. Inferred: most "
                      "likely the program has forgotten them;"),
            std::string::npos)
      << explanationOf(drawing, "outlived-connections");
  EXPECT_NE(adviceOf(drawing, "outlived-connections")
                .find("To be sure, record it for at least 60 s, twice the grace period"),
            std::string::npos)
      << adviceOf(drawing, "outlived-connections");
}

TEST(DeadSocketFindings, WhatIsLessKnownIsNeverWorse) {
  // The same dead sockets, proven and not: half of all fds, and the limit far away.
  constexpr const char* kDead = R"(
    limit a:    20000/20000  .  .  .  .  .
    fd a/3:     s500         .  .  .  .  .
    fd a/4:     s501         .  .  .  .  .
    tcp 500:    EST          -  .  .  .  .
    tcp 501:    EST          -  .  .  .  .
  )";
  const std::string proven =
      std::string("snapshots: R . . . . .\nprocess a: ok . . . . .\n") + kDead;
  EXPECT_EQ(findingsOf(proven), "outlived-connections warning 100\n");
  const std::string unknown = std::string(
                                  "snapshots: R . . . . .\nprocess a: ok . . . . .\n"
                                  "boottime: 0 1 2 3 4 5\nwall: 0 1 2 3 4 5\n") +
                              kDead;
  EXPECT_EQ(findingsOf(unknown), "outlived-connections info 100\n");
}

TEST(DeadSocketFindings, DeadSocketsOfAPoolThatAreHeld) {
  std::string drawing = timeOf(8) + limitOf("20000/20000", 8);
  for (int fd = 3; fd < 15; ++fd) {
    drawing +=
        fmt::format("fd a/{0}: s{1} . . . . . . .\ntcp {1}: EST . - . . . . .\n", fd, 500 + fd);
  }
  EXPECT_EQ(findingsOf(drawing), "outlived-connections warning 100\n");
  EXPECT_EQ(titleOf(drawing, "outlived-connections"),
            "12 fds outlived their connections and stay open; their number did not grow in the "
            "second half of the recording");
  EXPECT_NE(explanationOf(drawing, "outlived-connections")
                .find("With younger ones there were 0 in its first snapshot, 12 half-way "
                      "(snapshot 4) and 12 in the last; of those half-way 12 are still open "
                      "(view dead_count). "),
            std::string::npos)
      << explanationOf(drawing, "outlived-connections");
  Timeline timeline(drawing);
  EXPECT_EQ(timeline.rows("SELECT verdict, fds, certain, judgement FROM dead_judgement"),
            "outlived 12 12 held\n");
}

TEST(DeadSocketFindings, DeadSocketsThatAreClosedLateAreNoLeak) {
  std::string drawing = timeOf(12) + limitOf("20000/20000", 12);
  for (int i = 0; i < 3; ++i) {
    drawing += fmt::format(
        "fd a/{0}: s{1} . . . . . . - . . . .\ntcp {1}: EST - . . . . . . . . . .\n"
        "fd a/{2}: _ . . . . . s{3} . . . . .\ntcp {3}: _ . . . . . EST - . . . .\n",
        3 + i, 500 + i, 13 + i, 600 + i);
  }
  EXPECT_EQ(findingsOf(drawing), "outlived-connections info 100\n");
  EXPECT_EQ(titleOf(drawing, "outlived-connections"),
            "3 fds outlived their connections for longer than 30 s; such fds are closed, but late");
  EXPECT_NE(explanationOf(drawing, "outlived-connections")
                .find("or a reaper that looks now and then. Not known: why each connection ended;"),
            std::string::npos)
      << explanationOf(drawing, "outlived-connections");
  EXPECT_EQ(
      adviceOf(drawing, "outlived-connections"),
      "Nothing, if so many fds are to spare. Else let the program see the end of a connection "
      "sooner, or look for dead ones more often.");
  // One that stays is a leak among them.
  EXPECT_EQ(findingsOf(drawing + "fd a/30: s700 . . . . . . . . . . .\n"
                                 "tcp 700: EST - . . . . . . . . . .\n"),
            "outlived-connections warning 100\n");
}

/// A process whose sockets die in the snapshot `opened` says and are closed so many later; for
/// ever: 0.
struct DeadSockets {
  int opened, count, later;
};

std::string deadSockets(int snapshots, const std::vector<DeadSockets>& all) {
  const auto count = static_cast<size_t>(snapshots);
  std::string drawing = timeOf(count) + limitOf("20000/20000", count);
  int number = 0;
  for (const DeadSockets& some : all) {
    for (int i = 0; i < some.count; ++i, ++number) {
      std::string fd, tcp;
      for (int at = 1; at <= snapshots; ++at) {
        const int age = at - some.opened;
        fd += age == 0                                  ? fmt::format(" s{}", 500 + number)
              : age == some.later + 1 && some.later > 0 ? " -"
              : age < 0                                 ? " _"
                                                        : " .";
        tcp += age == 0 ? " EST" : age == 1 ? " -" : age < 0 ? " _" : " .";
      }
      drawing += fmt::format("fd a/{}:{}\ntcp {}:{}\n", 3 + number, fd, 500 + number, tcp);
    }
  }
  return drawing;
}

std::string judgementOf(const std::string& drawing) {
  Timeline timeline(drawing);
  return timeline.rows("SELECT closed_late, older, judgement FROM dead_judgement");
}

// Handlers that need 50 s to see the end, while more and more clients come.
TEST(DeadSocketFindings, SlowHandlersUnderARisingLoadAreNoLeak) {
  std::vector<DeadSockets> rising;
  for (int opened = 1; opened <= 14; ++opened)
    rising.push_back({opened, 1 + opened / 3, 5});
  const std::string drawing = deadSockets(16, rising);
  EXPECT_EQ(judgementOf(drawing), "25 0 late\n");
  EXPECT_EQ(findingsOf(drawing), "outlived-connections info 100\n");
  EXPECT_NE(explanationOf(drawing, "outlived-connections")
                .find("25 others were closed when they had been so for longer than the grace "
                      "period, up to 50 s; of those that are open none is older (view "
                      "dead_judgement). "),
            std::string::npos)
      << explanationOf(drawing, "outlived-connections");
}

// Of those that are open most are younger than any that could have been closed.
TEST(DeadSocketFindings, SlowHandlersInAShortRecordingAreNoLeak) {
  std::vector<DeadSockets> constant;
  for (int opened = 1; opened <= 9; ++opened)
    constant.push_back({opened, 5, 6});
  EXPECT_EQ(judgementOf(deadSockets(10, constant)), "15 0 late\n");
}

TEST(DeadSocketFindings, OneMoreOfSlowHandlersIsNoLeak) {
  std::vector<DeadSockets> constant;
  for (int opened = 1; opened <= 14; ++opened)
    constant.push_back({opened, opened == 12 ? 3 : 2, 6});
  EXPECT_EQ(judgementOf(deadSockets(16, constant)), "18 0 late\n");
}

TEST(DeadSocketFindings, ALeakBesideSlowHandlersIsOne) {
  std::vector<DeadSockets> both;
  for (int opened = 1; opened <= 14; ++opened) {
    both.push_back({opened, 1, 5});
    both.push_back({opened, 1, 0});
  }
  EXPECT_EQ(judgementOf(deadSockets(16, both)), "10 9 leak\n");
}

TEST(DeadSocketFindings, AFewThatWereClosedLateExcuseNoManyThatAreNot) {
  // Four of a pool are closed after a long time, and 40 that are younger leak.
  std::vector<DeadSockets> both = {{1, 4, 13}};
  for (int opened = 6; opened <= 15; ++opened)
    both.push_back({opened, 4, 0});
  EXPECT_EQ(judgementOf(deadSockets(16, both)), "4 0 leak\n");
}

TEST(DeadSocketFindings, WhatWasAcceptedIsOfNoPool) {
  std::string drawing =
      "snapshots: R . . . . . . .\nprocess a: ok . . . . . . .\n"
      "limit a: 20000/20000 . . . . . . .\nfd a/3: s500 . . . . . . .\n"
      "tcp 500 local=10.0.0.1:80: LISTEN . . . . . . .\n";
  for (int i = 0; i < 4; ++i) {
    drawing += fmt::format(
        "fd a/{0}: _ s{1} . . . . . .\n"
        "tcp {1} local=10.0.0.1:80 remote=10.0.0.9:{1}: _ EST - . . . . .\n",
        4 + i, 600 + i);
  }
  EXPECT_NE(explanationOf(drawing, "outlived-connections")
                .find("Inferred: the program does not see, or ignores, that they "
                      "are dead;"),
            std::string::npos)
      << explanationOf(drawing, "outlived-connections");
  EXPECT_NE(adviceOf(drawing, "outlived-connections").find("they were accepted"),
            std::string::npos);
}

TEST(DeadSocketFindings, NoneIsClosedLateWhereNoneWasSeenToBe) {
  // Of handlers that take 10 s, closed before others leak.
  std::string drawing = timeOf(12) + limitOf("20000/20000", 12);
  for (int i = 0; i < 3; ++i) {
    drawing += fmt::format(
        "fd a/{0}: _ . . . s{1} . . - . . . .\ntcp {1}: _ . . . EST - . . . . . .\n"
        "fd a/{2}: _ . . . . . s{3} . . . . .\ntcp {3}: _ . . . . . EST - . . . .\n",
        3 + i, 500 + i, 13 + i, 600 + i);
  }
  Timeline timeline(drawing);
  EXPECT_EQ(timeline.rows("SELECT verdict, count_middle, count_last, count_kept FROM dead_count"),
            "outlived 3 3 0\n");
  EXPECT_EQ(timeline.rows("SELECT judgement FROM dead_judgement"), "held\n");
}

TEST(DeadSocketFindings, DeadSocketsThatBecomeMoreAreALeak) {
  Timeline timeline(R"(
    snapshots:  R            .  .  .  .  .  .  .
    process a:  ok           .  .  .  .  .  .  .
    limit a:    20000/20000  .  .  .  .  .  .  .
    fd a/3:     s500         .  .  .  .  .  .  .
    fd a/4:     _            .  .  .  s501  .  .  .
    tcp 500:    EST          -  .  .  .  .  .  .
    tcp 501:    _            .  .  .  EST  -  .  .
  )");
  EXPECT_EQ(timeline.rows("SELECT verdict, fds, certain, judgement FROM dead_judgement"),
            "outlived 2 1 leak\n");
}

TEST(DeadSocketFindings, NotWhenItWasClosedAfterAll) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .  .  .
    process a:  ok         .  .  .  .  .  .
    limit a:    1024/4096  .  .  .  .  .  .
    fd a/3:     s500       .  .  .  .  .  -
    tcp 500:    EST        -  .  .  .  .  .
  )"),
            "");
}

TEST(DeadSocketFindings, ConnectionsThatStayInCloseWait) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .   .  .  .  .
    process a:  ok         .   .  .  .  .
    limit a:    1024/4096  .   .  .  .  .
    fd a/3:     s500       .   .  .  .  .
    fd a/4:     p9         .   .  .  .  .
    tcp 500:    EST        CW  .  .  .  .
  )"),
            "close-wait warning 100\n");
}

TEST(DeadSocketFindings, CloseWaitTellsWhetherSomethingIsLeftToRead) {
  const std::string drawing = R"(
    snapshots:  R          .   .  .  .  .
    process a:  ok         .   .  .  .  .
    limit a:    1024/4096  .   .  .  .  .
    fd a/3:     s500       .   .  .  .  .
    tcp 500:    EST        CW  .  .  .  .
  )";
  EXPECT_NE(explanationOf(drawing, "close-wait")
                .find("Nothing is left to read of any of them. Inferred: the program has read all "
                      "that came and does not close."),
            std::string::npos);
  EXPECT_NE(explanationOf(drawing, "close-wait")
                .find("Not known: whether the peer has closed, or has only ended its sending"),
            std::string::npos);
  EXPECT_NE(explanationOf(drawing + "queue 500: _ 7 . . . .\n", "close-wait")
                .find("All of them have something left to read, if only the end of the stream "
                      "(which counts as one byte), up to 7 bytes"),
            std::string::npos);
}

TEST(DeadSocketFindings, CloseWaitNotWithinTheGracePeriod) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .   .
    process a:  ok         .  .  .  .   .
    limit a:    1024/4096  .  .  .  .   .
    fd a/3:     s500       .  .  .  .   .
    tcp 500:    EST        .  .  .  CW  .
  )"),
            "");
}

TEST(DeadSocketFindings, AProvenLeakNearExhaustionIsCritical) {
  const std::string drawing = R"(
    snapshots:  R      .  .  .  .  .
    process a:  ok     .  .  .  .  .
    fd a/0:     s500   .  .  .  .  .
    fd a/1:     p9     .  .  .  .  .
    fd a/2:     p8     .  .  .  .  .
    fd a/3:     p7     .  .  .  .  .
    tcp 500:    EST    -  .  .  .  .
  )";
  EXPECT_EQ(findingsOf(drawing + limitOf("100/100", 6)), "outlived-connections warning 100\n");
  EXPECT_EQ(findingsOf(drawing + limitOf("5/5", 6)),
            "limit-reached warning 100\noutlived-connections critical 100\n");
}

}  // namespace

}  // namespace fdmortem::test
