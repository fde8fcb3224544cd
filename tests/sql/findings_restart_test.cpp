// schema/findings/ on processes that were started again: when a rule fires and when not.
#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/sql/findings.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

TEST(RestartFindings, AProcessThatWasStartedAgain) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                     R   .  .   .
    process a pid=7:               ok  .  -   .
    process b pid=8 comm=a:        _   .  ok  .
    fd a/3:                        p8  .  .   .
    fd b/3:                        _   .  =p9 .
  )"),
            "restarted info 7\n");
}

TEST(RestartFindings, WhatIsRunAgainAndAgainIsToldOfOnce) {
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

// Where all processes are recorded commands come and go.
TEST(RestartFindings, ACommandThatIsRunAgainIsNoRestart) {
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
TEST(RestartFindings, EachProcessTakesThePlaceOfOne) {
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
TEST(RestartFindings, ARestartSaysWhoKeepsSocketsOfTheOldOne) {
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
TEST(RestartFindings, WhatIsRunAgainAndAgainIsNoRestartUnlessItIsFull) {
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

TEST(RestartFindings, WhatARestartCured) {
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

TEST(RestartFindings, NoRestartAmongWorkersThatComeAndGo) {
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

TEST(RestartFindings, ARestartBesideAnotherOfItsName) {
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

}  // namespace

}  // namespace fdmortem::test
