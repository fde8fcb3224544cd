// schema/findings/ on sockets, limits and restarts: when a rule fires and when not.
#include "tests/sql/findings.h"

#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "schema/sql.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

TEST(Findings, NoneForAHealthyServer) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                         R          .    .    .    .  .
    process a:                         ok         .    .    .    .  .
    limit a:                           1024/4096  .    .    .    .  .
    fd a/3:                            s500       .    .    .    .  .
    fd a/4:                            _          s501 .    .    -  .
    tcp 500:                           LISTEN     .    .    .    .  .
    tcp 501 remote=198.51.100.7:1001:  _          EST  .    CW   -  .
  )"),
            "");
}

TEST(Findings, FdsThatOutlivedTheirConnections) {
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
TEST(Findings, ConnectionsThatNoSnapshotListsAreToldApart) {
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

TEST(Findings, OfAProcessThatEndedNothingIsOpenAnyMore) {
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

TEST(Findings, NotWithinTheGracePeriod) {
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
TEST(Findings, WhatOutlivedInARecordingShorterThanTheGracePeriod) {
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

TEST(Findings, AFewThatOutlivedInAShortRecordingAreNoProof) {
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

TEST(Findings, OneSnapshotDoesNotTellALeakFromSlowHandlers) {
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

TEST(Findings, ManyThatWereSilentForLongInOneSnapshotAreALeak) {
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

TEST(Findings, WhatIsLessKnownIsNeverWorse) {
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

TEST(Findings, DeadSocketsOfAPoolThatAreHeld) {
  std::string drawing =
      "snapshots: R . . . . . . .\nprocess a: ok . . . . . . .\n"
      "limit a: 20000/20000 . . . . . . .\n";
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

TEST(Findings, DeadSocketsThatAreClosedLateAreNoLeak) {
  std::string drawing =
      "snapshots: R . . . . . . . . . . .\nprocess a: ok . . . . . . . . . . .\n"
      "limit a: 20000/20000 . . . . . . . . . . .\n";
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
  std::string dots;
  for (int i = 1; i < snapshots; ++i)
    dots += " .";
  std::string drawing =
      "snapshots: R" + dots + "\nprocess a: ok" + dots + "\nlimit a: 20000/20000" + dots + "\n";
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
TEST(Findings, SlowHandlersUnderARisingLoadAreNoLeak) {
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
TEST(Findings, SlowHandlersInAShortRecordingAreNoLeak) {
  std::vector<DeadSockets> constant;
  for (int opened = 1; opened <= 9; ++opened)
    constant.push_back({opened, 5, 6});
  EXPECT_EQ(judgementOf(deadSockets(10, constant)), "15 0 late\n");
}

TEST(Findings, OneMoreOfSlowHandlersIsNoLeak) {
  std::vector<DeadSockets> constant;
  for (int opened = 1; opened <= 14; ++opened)
    constant.push_back({opened, opened == 12 ? 3 : 2, 6});
  EXPECT_EQ(judgementOf(deadSockets(16, constant)), "18 0 late\n");
}

TEST(Findings, ALeakBesideSlowHandlersIsOne) {
  std::vector<DeadSockets> both;
  for (int opened = 1; opened <= 14; ++opened) {
    both.push_back({opened, 1, 5});
    both.push_back({opened, 1, 0});
  }
  EXPECT_EQ(judgementOf(deadSockets(16, both)), "10 9 leak\n");
}

TEST(Findings, AFewThatWereClosedLateExcuseNoManyThatAreNot) {
  // Four of a pool are closed after a long time, and 40 that are younger leak.
  std::vector<DeadSockets> both = {{1, 4, 13}};
  for (int opened = 6; opened <= 15; ++opened)
    both.push_back({opened, 4, 0});
  EXPECT_EQ(judgementOf(deadSockets(16, both)), "4 0 leak\n");
}

TEST(Findings, WhatWasAcceptedIsOfNoPool) {
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

TEST(Findings, NoneIsClosedLateWhereNoneWasSeenToBe) {
  // Of handlers that take 10 s, closed before others leak.
  std::string drawing =
      "snapshots: R . . . . . . . . . . .\nprocess a: ok . . . . . . . . . . .\n"
      "limit a: 20000/20000 . . . . . . . . . . .\n";
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

TEST(Findings, DeadSocketsThatBecomeMoreAreALeak) {
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

TEST(Findings, EachRuleHasItsPlace) {
  Timeline timeline("snapshots: R\nprocess a: ok\n");
  std::string places;
  for (const sql::SqlFile& rule : sql::findings()) {
    EXPECT_NE(timeline.rows(fmt::format("SELECT place FROM rule WHERE id = '{}'", rule.name)), "")
        << rule.name;
  }
  EXPECT_EQ(timeline.rows("SELECT count(*) FROM rule"),
            fmt::format("{}\n", sql::findings().size()));
}

TEST(Findings, ThePressureOnALimit) {
  const auto pressure = [](const std::string& limit, const std::vector<int>& counts) {
    Timeline timeline(timeOf(counts.size()) + limitOf(limit, counts.size()) + curve(counts));
    return timeline.rows("SELECT pressure, place FROM limit_pressure");
  };
  EXPECT_EQ(pressure("9/9", {9, 9, 9}), "full 0\n");
  EXPECT_EQ(pressure("99/99", {9, 12, 15, 18, 21, 24}), "soon 1\n");
  EXPECT_EQ(pressure("9/9", {9, 9, 4}), "reached 2\n");
  EXPECT_EQ(pressure("10/10", {8, 8, 8}), "near 3\n");
  EXPECT_EQ(pressure("10/10", {7, 7, 7}), "- 4\n");
}

TEST(Findings, WhatIsRunAgainAndAgainIsToldOfOnce) {
  EXPECT_EQ(titleOf(R"(
    snapshots:                R   .    .    .    .    .
    process a pid=1:          ok  -    .    .    .    .
    process b pid=2 comm=a:   _   ok   -    .    .    .
    process c pid=3 comm=a:   _   .    ok   -    .    .
    process d pid=4 comm=a:   _   .    .    ok   -    .
    process e pid=5 comm=a:   _   .    .    .    ok   .
    fd a/3:                   p8  .    .    .    .    .
    fd b/3:                   _   =p8  .    .    .    .
    fd c/3:                   _   .    =p8  .    .    .
    fd d/3:                   _   .    .    =p8  .    .
    fd e/3:                   _   .    .    .    =p8  .
  )",
                    "restarted"),
            "a ended with 1 fd and was started again as pid 5 with 1, the last of 4 times");
}

TEST(Findings, NotWhenItWasClosedAfterAll) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .  .  .
    process a:  ok         .  .  .  .  .  .
    limit a:    1024/4096  .  .  .  .  .  .
    fd a/3:     s500       .  .  .  .  .  -
    tcp 500:    EST        -  .  .  .  .  .
  )"),
            "");
}

TEST(Findings, ConnectionsThatStayInCloseWait) {
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

TEST(Findings, ALimitThatIsReached) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R     .   .
    process a:  ok    .   .
    limit a:    2/4   .   .
    fd a/0:     p8    .   .
    fd a/1:     _     p9  .
  )"),
            "limit-reached critical 100\n");
}

TEST(Findings, NumbersAboveTheLimitDoNotUseItUp) {
  // The limit was lowered below them: 0 and 1 are free.
  const std::string drawing = R"(
    snapshots:  R     .   .
    process a:  ok    .   .
    limit a:    9/9   4/9 .
    fd a/2:     p8    .   .
    fd a/3:     p9    .   .
    fd a/4:     p10   .   .
    fd a/5:     p11   .   .
  )";
  EXPECT_EQ(findingsOf(drawing).find("limit-reached"), std::string::npos) << findingsOf(drawing);
  const std::string full = drawing + "fd a/0: _ p12 .\nfd a/1: _ . p13\n";
  EXPECT_EQ(titleOf(full, "limit-reached"),
            "the limit of 4 open files was reached between 2026-01-01T00:00:10Z and "
            "2026-01-01T00:00:20Z");
  EXPECT_NE(explanationOf(full, "limit-reached")
                .find("At the end 2 of its fds have numbers that are not below the limit"),
            std::string::npos)
      << explanationOf(full, "limit-reached");
}

TEST(Findings, AnotherLimitThatIsReachedToo) {
  EXPECT_EQ(
      titleOf(timeOf(5) + "limit a: 3/9 . 5/9 . .\n" + curve({2, 3, 3, 4, 5}), "limit-reached"),
      "the limit of 3 open files was reached between 2026-01-01T00:00:00Z and "
      "2026-01-01T00:00:10Z, and one of 5 is at the end");
}

TEST(Findings, ALimitThatWasReachedWhenFirstSeen) {
  EXPECT_EQ(titleOf(timeOf(3) + limitOf("3/3", 3) + curve({3, 3, 3}), "limit-reached"),
            "the limit of 3 open files was reached at or before 2026-01-01T00:00:00Z, and no "
            "snapshot since then shows a free fd");
}

TEST(Findings, ConnectionsThatNobodyCanAccept) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    2/4     .     .
    fd a/0:     s500    .     .
    fd a/1:     _       p9    .
    tcp 500:    LISTEN  .     .
    queue 500:  _       .     5
  )"),
            "accept-queue critical 100\nlimit-reached critical 100\n");
}

TEST(Findings, AProcessThatWasStartedAgain) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                     R   .  .   .
    process a pid=7:               ok  .  -   .
    process b pid=8 comm=a:        _   .  ok  .
    fd a/3:                        p8  .  .   .
    fd b/3:                        _   .  =p9 .
  )"),
            "restarted info 7\n");
}

// Where all processes are recorded commands come and go.
TEST(Findings, ACommandThatIsRunAgainIsNoRestart) {
  constexpr std::string_view kDrawing = R"(
    snapshots options=OPTIONS:         R   .  .   .   .
    process a pid=7 start=START:       ok  .  -   .   .
    process b pid=8 comm=a:            _   .  ok  .   .
    fd a/3:                            s500  .  -   .   .
    fd b/3:                            _   .  =p9 .   .
  )";
  // The first snapshot is 5000 s after the boot, and a second has 100 ticks.
  const auto restarts = [&](const std::string& options, const std::string& more) {
    std::string drawing(kDrawing);
    drawing.replace(drawing.find("START"), 5,
                    more.starts_with("start=") ? more.substr(6) : "499000");
    if (more.starts_with("tcp")) drawing += more;
    drawing.replace(drawing.find("OPTIONS"), 7, options);
    return Timeline(drawing).rows("SELECT count(*) FROM restart");
  };
  EXPECT_EQ(restarts("[\"--comm\",\"a\"]", ""), "1\n");
  EXPECT_EQ(restarts("[\"--all\"]", ""), "0\n");
  EXPECT_EQ(restarts("[\"--all\"]", "start=490000"), "1\n") << "it had lived for long";
  EXPECT_EQ(restarts("[\"--all\"]", "tcp 500: LISTEN . - . .\n"), "1\n") << "it had served";
  EXPECT_EQ(restarts("no-list", ""), "1\n");
}

// Of several that are replaced in one snapshot each new one takes the place of one old one.
TEST(Findings, EachProcessTakesThePlaceOfOne) {
  Timeline timeline(R"(
    snapshots:                        R   .  .   .
    process a pid=7 cmdline=x:        ok  .  -   .
    process b pid=8 cmdline=y comm=a: ok  .  -   .
    process c pid=9 cmdline=y comm=a: _   .  ok  .
    process d pid=10 cmdline=x comm=a: _  .  ok  .
    process e pid=11 cmdline=x comm=a: _  .  ok  .
    fd a/3:                           p8  .  .   .
    fd b/3:                           p9  .  .   .
    fd c/3:                           _   .  =p9 .
    fd d/3:                           _   .  =p9 .
    fd e/3:                           _   .  =p9 .
  )");
  EXPECT_EQ(timeline.rows("SELECT o.pid, n.pid, r.snapshot FROM restart r JOIN processes o"
                          " ON o.process = r.old JOIN processes n ON n.process = r.new ORDER BY 1"),
            "7 10 3\n8 9 3\n");
}

// The end of a process closes none that another one has too.
TEST(Findings, ARestartSaysWhoKeepsSocketsOfTheOldOne) {
  const auto advice = [](const std::string& other) {
    return adviceOf(R"(
      snapshots:                     R     .     .   .
      process a pid=7:               ok    .     -   .
      process b pid=8 comm=a:        _     .     ok  .
      process c pid=9 parent=7:      ok    .     .   .
      fd a/3:                        s500  .     .   .
      fd b/3:                        _     .     =p9 .
      tcp 500:                       EST   -     .   .
      fd c/4:                        )" +
                        other + " . . .",
                    "restarted");
  };
  EXPECT_EQ(advice("p8"),
            "All fds of the old process are closed with it. Watch whether the new one goes the "
            "same way.");
  EXPECT_EQ(advice("s500"),
            "The fds of the old process are closed with it, but c (pid 9) keeps 1 of its sockets "
            "open, which are closed only when each who has them closes them. Watch whether the new "
            "one goes the same way.");
}

// What lives for moments, again and again, is a command; a service that is out of fds each time is
// none.
TEST(Findings, WhatIsRunAgainAndAgainIsNoRestartUnlessItIsFull) {
  const auto restarts = [](const std::string& limit) {
    std::string drawing = "snapshots: R . . . . . .\n";
    for (int i = 0; i < 6; ++i) {
      std::string cells;
      std::string fds;
      std::string limits;
      for (int snapshot = 0; snapshot < 7; ++snapshot) {
        cells += snapshot < i ? " _" : snapshot == i ? " ok" : snapshot == i + 1 ? " -" : " .";
        fds += snapshot < i ? " _" : snapshot == i ? " =p9" : " .";
        limits += snapshot < i ? " _" : snapshot == i ? " " + limit + "/9" : " .";
      }
      const std::string name = "a" + std::to_string(i);
      drawing += "process " + name + " comm=a pid=" + std::to_string(7 + i) +
                 " start=" + std::to_string(500'000 + 1000 * i) + ":" + cells + "\n";
      drawing += "fd " + name + "/0:" + fds + "\nlimit " + name + ":" + limits + "\n";
    }
    return Timeline(drawing).rows("SELECT count(*) FROM restart");
  };
  EXPECT_EQ(restarts("9"), "0\n");
  EXPECT_EQ(restarts("1"), "5\n");
}

TEST(Findings, WhatARestartCured) {
  std::string drawing = R"(
    snapshots:             R  . . . . . . . . . . . . .
    process a pid=7:       ok . . . . . - . . . . . . .
    process b pid=8 comm=a: _ . . . . . ok . . . . . . .
  )";
  const std::string old_fds = curve({1, 2, 3, 4, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6});
  std::string again = curve({0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8});
  std::string still = curve({0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1});
  for (std::string* fds : {&again, &still}) {
    for (size_t place = 0; (place = fds->find("fd a/", place)) != std::string::npos; ++place)
      fds->replace(place, 5, "fd b/");
  }
  EXPECT_EQ(titleOf(drawing + old_fds + again, "restarted"),
            "a ended with 6 fds and was started again as pid 8 with 1");
  EXPECT_NE(explanationOf(drawing + old_fds + again, "restarted").find("cured nothing"),
            std::string::npos);
  EXPECT_NE(explanationOf(drawing + old_fds + still, "restarted").find("has not come back so far"),
            std::string::npos);
}

TEST(Findings, NoRestartAmongWorkersThatComeAndGo) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                     R   .  .   .
    process a pid=7:               ok  .  -   .
    process b pid=8 comm=a:        _   .  ok  .
    process c pid=9 comm=a:        ok  .  .   .
    fd a/3:                        p8  .  .   .
    fd b/3:                        _   .  =p9 .
    fd c/3:                        p10 .  .   .
  )"),
            "");
}

TEST(Findings, ARestartBesideAnotherOfItsName) {
  // Its command line tells the two apart.
  const std::string drawing = R"(
    snapshots:                            R   .  .   .
    process a pid=7 cmdline=x:            ok  .  -   .
    process b pid=8 comm=a cmdline=x:     _   .  ok  .
    process c pid=9 comm=a cmdline=OTHER: ok  .  .   .
    fd a/3:                               p8  .  .   .
    fd b/3:                               _   .  =p9 .
    fd c/3:                               p10 .  .   .
  )";
  EXPECT_EQ(findingsOf(drawing), "restarted info 7\n");
}

TEST(Findings, CloseWaitTellsWhetherSomethingIsLeftToRead) {
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

TEST(Findings, CloseWaitNotWithinTheGracePeriod) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .   .
    process a:  ok         .  .  .  .   .
    limit a:    1024/4096  .  .  .  .   .
    fd a/3:     s500       .  .  .  .   .
    tcp 500:    EST        .  .  .  CW  .
  )"),
            "");
}

TEST(Findings, AProvenLeakNearExhaustionIsCritical) {
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

TEST(Findings, ALimitThatIsNear) {
  const std::string fds = curve({7, 7, 8});
  EXPECT_EQ(findingsOf(timeOf(3) + limitOf("10/10", 3) + fds), "limit-reached warning 100\n");
  EXPECT_EQ(findingsOf(timeOf(3) + limitOf("11/11", 3) + fds), "");
  EXPECT_EQ(titleOf(timeOf(3) + limitOf("10/10", 3) + fds, "limit-reached"),
            "8 of 10 allowed open files in use at 2026-01-01T00:00:20Z (80 %)");
}

TEST(Findings, ALimitThatWasReachedAndLeft) {
  EXPECT_EQ(titleOf(timeOf(3) + limitOf("8/8", 3) + curve({7, 8, 7}), "limit-reached"),
            "the limit of 8 open files was reached between 2026-01-01T00:00:00Z and "
            "2026-01-01T00:00:10Z");
}

TEST(Findings, ALimitThatWasChanged) {
  const std::string fds = curve({3, 3, 3, 3});
  const std::string raised = "limit a: 10/90 . 40/90 .\n";
  EXPECT_EQ(findingsOf(timeOf(4) + raised + fds), "limit-changed info 100\n");
  EXPECT_EQ(titleOf(timeOf(4) + raised + fds, "limit-changed"),
            "the soft limit of open files was changed from 10 to 40 at 2026-01-01T00:00:20Z");
  EXPECT_EQ(findingsOf(timeOf(4) + "limit a: 10/90 . 2/90 .\n" + fds),
            "limit-changed warning 100\nlimit-low info 100\nlimit-reached critical 100\n");
  // The hard limit alone changes nothing that counts.
  EXPECT_EQ(findingsOf(timeOf(4) + "limit a: 10/90 . 10/80 .\n" + fds), "");
}

TEST(Findings, ASoftLimitFarBelowTheHardOne) {
  const std::string fds = curve({5, 5});
  EXPECT_EQ(findingsOf(timeOf(2) + limitOf("10/40", 2) + fds), "limit-low info 100\n");
  EXPECT_EQ(findingsOf(timeOf(2) + limitOf("10/39", 2) + fds), "");
  EXPECT_EQ(findingsOf(timeOf(2) + limitOf("11/44", 2) + fds), "");
}

TEST(Findings, WhoWaitsInTheAcceptQueue) {
  const std::string drawing = R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    2/2     .     .
    fd a/0:     s500    .     .
    fd a/1:     _       p9    .
    tcp 500 local=0.0.0.0:9091:             LISTEN  .  .
    queue 500:  _       .     2
    tcp 0 remote=198.51.100.7:4000:         _       .  EST
    tcp 0 remote=198.51.100.7:4001:         _       .  EST
  )";
  EXPECT_EQ(titleOf(drawing, "accept-queue"),
            "2 connections wait in the accept queue of 0.0.0.0:9091, and no fd is free");
  EXPECT_NE(explanationOf(drawing, "accept-queue").find("These came from 198.51.100.7 (2)."),
            std::string::npos)
      << explanationOf(drawing, "accept-queue");
}

TEST(Findings, WhoHasGivenUpInTheAcceptQueue) {
  const std::string drawing = R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    2/2     .     .
    fd a/0:     s500    .     .
    fd a/1:     _       s501  .
    tcp 500 local=0.0.0.0:9091:             LISTEN  .  .
    tcp 501 local=0.0.0.0:9092:             _  LISTEN  .
    queue 500:  _       .     1
    queue 501:  _       .     4
    tcp 0 local=192.0.2.1:9091 remote=198.51.100.6:4000: _ .   EST
    tcp 0 local=192.0.2.1:9092 remote=198.51.100.7:4000: _ EST CW
    tcp 0 local=192.0.2.1:9092 remote=198.51.100.7:4001: _ EST CW
  )";
  EXPECT_EQ(titleOf(drawing, "accept-queue"),
            "4 connections wait in the accept queue of 0.0.0.0:9092, and no fd is free; so do some "
            "at 1 other listener");
  const std::string explanation = explanationOf(drawing, "accept-queue");
  EXPECT_NE(explanation.find("Other listeners: 0.0.0.0:9091 up to 1. Of 5 the table lists 1 in "
                             "ESTABLISHED and 2 in CLOSE_WAIT, whose clients have given up or "
                             "ended their side. These came from 198.51.100.7 (2), 198.51.100.6 "
                             "(1)."),
            std::string::npos)
      << explanation;
  EXPECT_NE(explanation.find("The 2 that no table lists were reset by the client"),
            std::string::npos)
      << explanation;
}

TEST(Findings, AnAcceptQueueWithFreeFdsIsTraffic) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    9/9     .     .
    fd a/3:     s500    .     .
    tcp 500:    LISTEN  .     .
    queue 500:  _       .     5
  )"),
            "");
}

TEST(Findings, ASocketThatForkSharedAndNobodyCloses) {
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
TEST(Findings, ASocketThatOneProcessHoldsTwice) {
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

TEST(Findings, WhoHoldsAllThatAnOlderProcessHolds) {
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

TEST(Findings, WhatForkedProcessesKeepOpenIsToldOfTheOneThatTheyComeFrom) {
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

TEST(Findings, WhatAForkedProcessOpenedIsItsOwn) {
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

TEST(Findings, ForkedProcessesThatHaveEndedKeepNothingOpen) {
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

TEST(Findings, WhoIsOnlyAnAncestorIsNotToldOfWhatItNeverHeld) {
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

TEST(Findings, WhatTheForkingProcessStillHoldsIsToldOfItsOwnSockets) {
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

TEST(Findings, ASocketThatOnlyOneHolds) {
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

TEST(Findings, AnEpollRegistrationWhoseNumberIsAnotherFile) {
  const std::string drawing = R"(
    snapshots:                       R                       .    .    .
    process a:                       ok                      .    .    .
    fd a/3:                          anon_inode:[eventpoll]  .    .    .
    fd a/5:                          s500                    .    .    .
    epoll a/3 watched=5 inode=500:   on                      .    .    .
  )";
  EXPECT_EQ(titleOf(drawing, "stale-epoll"), "");
  const std::string reused = R"(
    snapshots:                       R                       .      .    .
    process a:                       ok                      .      .    .
    fd a/3:                          anon_inode:[eventpoll]  .      .    .
    fd a/5:                          s500                    +s501  .    .
    epoll a/3 watched=5 inode=500:   on                      .      .    .
  )";
  EXPECT_EQ(titleOf(reused, "stale-epoll"),
            "1 epoll registration watches a file that its fd number does not name any more");
}

TEST(Findings, ConnectionsInTcp6Only) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                                                                R     .
    process a:                                                                ok    .
    fd a/3 protocol=TCPv6:                                                    s500  .
    tcp6 500 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4000: EST   .
  )"),
            "tcp6-only info 100\n");
}

TEST(Findings, Tcp6OnlyIsSaidOnceForSeveralProcesses) {
  EXPECT_EQ(titleOf(R"(
    snapshots:                                                                 R     .
    process a:                                                                 ok    .
    process b:                                                                 ok    .
    fd a/3 protocol=TCPv6:                                                     s500  .
    fd b/3 protocol=TCPv6:                                                     s501  .
    tcp6 500 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4000:  EST   .
    tcp6 501 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4001:  EST   .
  )",
                    "tcp6-only"),
            "2 connections are listed in tcp6 and none in tcp (of 2 processes): a grep of "
            "/proc/net/tcp finds nothing");
}

TEST(Findings, Tcp6OnlyNotWhereTcpListsSome) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                                                                 R     .
    process a:                                                                 ok    .
    fd a/3 protocol=TCPv6:                                                     s500  .
    fd a/4:                                                                    s501  .
    tcp6 500 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4000:  EST   .
    tcp 501:                                                                   EST   .
  )"),
            "");
}

}  // namespace

}  // namespace fdmortem::test
