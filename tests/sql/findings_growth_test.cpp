// schema/findings/ on numbers that grow: when a rule fires and when not.
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/sql/findings.h"

namespace fdmortem::test {

namespace {

/// `count` values from `first` on, each `step` more than the one before.
std::vector<int> line(size_t count, int first, int step) {
  std::vector<int> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(first + static_cast<int>(i) * step);
  return values;
}

std::string drawn(const std::vector<int>& counts, const std::string& limit = "10000/10000") {
  return timeOf(counts.size()) + limitOf(limit, counts.size()) + curve(counts);
}

// --- the number of all fds ---

TEST(GrowthFindings, ALineIsSteady) {
  const std::string drawing = drawn(line(14, 10, 3), "100/100");
  EXPECT_NE(findingsOf(drawing).find("steady-growth critical 100\n"), std::string::npos);
  // 49 at 00:02:10, 0.3 a second: 170 s later.
  EXPECT_EQ(titleOf(drawing, "steady-growth"),
            "fds grow steadily, +18.0 fds a minute; if it goes on, the limit of 100 is reached "
            "about 2026-01-01T00:05:00Z");
}

TEST(GrowthFindings, WhatHasEndedGrewAndDoesNotGrow) {
  const std::string drawing = "snapshots: R . . . . . . . . .\nprocess a: ok . . . . . . . . -\n" +
                              curve({2, 4, 6, 8, 10, 12, 14, 16, 18, 18});
  EXPECT_EQ(titleOf(drawing, "kind-growth"), "pipe fds only grew, from 2 to 18");
}

TEST(GrowthFindings, OfMoreThanADayIsNotCritical) {
  // 3 an hour, and 151 to go.
  std::string hours;
  for (int hour = 0; hour < 14; ++hour)
    hours += " " + std::to_string(3600 * hour);
  const std::string times = "wall:" + hours + "\nboottime:" + hours + "\n";
  EXPECT_EQ(findingsOf(times + drawn(line(14, 10, 3), "200/200")),
            "kind-growth warning 100\nsteady-growth warning 100\n");
}

// Too few for a forecast, and yet no all-clear.
TEST(GrowthFindings, FewSnapshotsTowardsTheLimit) {
  const std::string drawing = drawn({10, 40, 70}, "100/100");
  EXPECT_EQ(findingsOf(drawing), "early-growth warning 100\n");
  EXPECT_EQ(titleOf(drawing, "early-growth"),
            "fds grew from 10 to 70 in 20 s; at that pace the limit of 100 is reached within a "
            "minute");
  EXPECT_EQ(findingsOf(drawn({10, 20, 40}, "100/100")), "early-growth info 100\n");
  EXPECT_EQ(findingsOf(drawn({10, 80, 70}, "100/100")).find("early-growth"), std::string::npos);
  EXPECT_EQ(findingsOf(drawn({10, 20, 29}, "100/100")), "");
  EXPECT_EQ(findingsOf(drawn({10, 20, 40}, "2000000/2000000")), "");
  // Since the limit was changed.
  EXPECT_EQ(titleOf(timeOf(4) + "limit a: 200/900 100/900 . .\n" + curve({2, 10, 40, 70}),
                    "early-growth"),
            "fds grew from 10 to 70 in 20 s; at that pace the limit of 100 is reached within a "
            "minute");
}

TEST(GrowthFindings, AFarLimitIsNoWarning) {
  EXPECT_NE(findingsOf(drawn(line(14, 10, 3), "2000000/2000000")).find("steady-growth info 100\n"),
            std::string::npos);
}

TEST(GrowthFindings, AChangedLimitIsAForecastFromThenOn) {
  const std::string drawing =
      timeOf(14) + "limit a: 100/900 . . . . . 200/900 . . . . . . .\n" + curve(line(14, 10, 3));
  EXPECT_EQ(titleOf(drawing, "steady-growth"),
            "fds grow steadily, +18.0 fds a minute; if it goes on, the limit of 200 is reached "
            "between 2026-01-01T00:10:00Z and 2026-01-01T00:11:00Z");
  EXPECT_NE(explanationOf(drawing, "steady-growth")
                .find("; since the limit was changed at 2026-01-01T00:01:00Z;"),
            std::string::npos)
      << explanationOf(drawing, "steady-growth");
  EXPECT_NE(explanationOf(drawing, "limit-changed")
                .find("The rate and the forecast are those of the snapshots since then."),
            std::string::npos);
}

TEST(GrowthFindings, ALimitThatWasChangedLastIsNoForecast) {
  const std::string drawing =
      timeOf(14) + "limit a: 100/900 . . . . . . . . . 200/900 . . .\n" + curve(line(14, 10, 3));
  EXPECT_EQ(titleOf(drawing, "steady-growth"), "fds grow steadily, +18.0 fds a minute");
  EXPECT_NE(explanationOf(drawing, "steady-growth")
                .find("Not known: when the limit is reached (the limit was changed while it was "
                      "recorded, and there are fewer than 5 snapshots since)."),
            std::string::npos);
}

TEST(GrowthFindings, TrafficIsNoGrowth) {
  EXPECT_EQ(findingsOf(drawn({10, 30, 12, 40, 15, 35, 9, 33, 14, 38, 11, 36, 13, 39})), "");
}

TEST(GrowthFindings, TooFewSnapshotsAreNoGrowth) {
  EXPECT_EQ(findingsOf(drawn(line(7, 10, 5))), "");
}

TEST(GrowthFindings, Steps) {
  std::vector<int> counts;
  for (int step = 0; step < 4; ++step)
    counts.insert(counts.end(), 10, 10 + 8 * step);
  const std::string drawing = drawn(counts);
  EXPECT_NE(findingsOf(drawing).find("step-growth warning 100\n"), std::string::npos);
  EXPECT_EQ(findingsOf(drawing).find("steady-growth"), std::string::npos);
  EXPECT_EQ(titleOf(drawing, "step-growth"),
            "fds grow in 3 steps of about 8 and do not fall again");
}

TEST(GrowthFindings, OneStepIsNoStepGrowth) {
  std::vector<int> counts(20, 10);
  counts.insert(counts.end(), 20, 40);
  EXPECT_EQ(titleOf(drawn(counts), "step-growth"), "");
}

TEST(GrowthFindings, APlateau) {
  std::vector<int> counts = line(6, 10, 8);
  counts.insert(counts.end(), 12, 50);
  const std::string drawing = drawn(counts);
  EXPECT_EQ(findingsOf(drawing), "plateau info 100\n");
  EXPECT_EQ(
      titleOf(drawing, "plateau"),
      "fds grew from 10 to 50 until 2026-01-01T00:00:50Z and stand still since: saturation, not "
      "a growing leak");
}

TEST(GrowthFindings, APlateauThatHasJustBegun) {
  // A pool of 100: no leak and no forecast, though it grew for most of the time.
  std::vector<int> counts = line(23, 5, 4);
  counts.insert(counts.end(), 6, 93);
  EXPECT_EQ(findingsOf(drawn(counts, "150/150")), "plateau info 100\n");
}

// The kernel ends their growth earlier than the limit of open files does, and by the same error.
TEST(GrowthFindings, APlateauOfInotifyMayBeTheLimitOfAUser) {
  std::vector<int> counts = line(6, 10, 8);
  counts.insert(counts.end(), 12, 50);
  const auto of = [&](const std::vector<int>& inotify, const std::vector<int>& pipes) {
    return timeOf(18) + limitOf("9000/9000", 18) + curve(inotify, "anon_inode:inotify", "", 100) +
           curve(pipes);
  };
  const std::vector<int> none(18, 10);
  EXPECT_EQ(findingsOf(of(counts, none)), "plateau warning 100\n");
  EXPECT_EQ(titleOf(of(counts, none), "plateau"),
            "fds grew from 20 to 60 until 2026-01-01T00:00:50Z and stand still since: 50 inotify "
            "fds are open, of which the kernel allows each user a number of its own");
  EXPECT_NE(explanationOf(of(counts, none), "plateau").find("Of what is new 40 are inotify. "),
            std::string::npos);
  EXPECT_EQ(findingsOf(of(none, counts)), "plateau info 100\n") << "those were there before";
}

TEST(GrowthFindings, ALeakBesideWhatShrinksIsNoPlateau) {
  // Pipes grow all the time, eventfds grow and then shrink: all fds together stand still.
  std::vector<int> others = line(20, 0, 6);
  for (int i = 0; i < 20; ++i)
    others.push_back(others.back() - 2);
  const std::string drawing =
      drawn(line(40, 2, 2)) + curve(others, "anon_inode:[eventfd]", "", 200);
  EXPECT_EQ(findingsOf(drawing), "kind-growth warning 100\n");
  EXPECT_EQ(titleOf(drawing, "kind-growth"), "pipe fds only grow, from 2 to 80");
}

TEST(GrowthFindings, APlateauOfDeadSocketsIsNoSaturation) {
  std::string drawing = timeOf(20) + limitOf("9000/9000", 20);
  for (int fd = 0; fd < 30; ++fd) {
    std::string before;
    for (int i = 0; i < fd / 5; ++i)
      before += i == 0 ? " _" : " .";
    std::string after;
    for (int i = fd / 5 + 1; i < 20; ++i)
      after += " .";
    drawing += fmt::format("fd a/{0}:{1} s{2}{3}\nautopsy a/{0} inode={2}:{1} dead{3}\n", fd,
                           before, 500 + fd, after);
  }
  EXPECT_EQ(findingsOf(drawing), "outlived-connections warning 100\n");
}

TEST(GrowthFindings, AtTheLimitIsNoPlateau) {
  std::vector<int> counts = line(6, 10, 8);
  counts.insert(counts.end(), 12, 50);
  EXPECT_EQ(titleOf(drawn(counts, "50/50"), "plateau"), "");
}

TEST(GrowthFindings, OneBelowTheLimitIsNoPlateau) {
  // Both ends of a pipe do not fit any more.
  std::vector<int> counts = line(21, 10, 2);
  counts.insert(counts.end(), 12, 50);
  const std::string drawing = drawn(counts, "51/51");
  EXPECT_EQ(findingsOf(drawing), "kind-growth critical 100\nlimit-reached warning 100\n");
  EXPECT_NE(explanationOf(drawing, "kind-growth")
                .find("over the time until hardly a number below the limit was free"),
            std::string::npos);
}

TEST(GrowthFindings, AShortRecordingOfALimitThatIsNear) {
  // Too short for a shape, but in 22 s nothing is left.
  EXPECT_NE(findingsOf(drawn({47, 51, 56, 61, 66, 71}, "100/100")).find("steady-growth critical"),
            std::string::npos);
}

// --- one kind ---

TEST(GrowthFindings, IsMeasuredUntilTheLimitWasReached) {
  std::vector<int> counts = line(9, 2, 2);
  counts.insert(counts.end(), 30, 18);
  const std::string drawing = drawn(counts, "18/18");
  EXPECT_EQ(titleOf(drawing, "kind-growth"), "pipe fds only grow, from 2 to 18");
  EXPECT_NE(explanationOf(drawing, "kind-growth")
                .find("evenly spread over the time until the limit was reached"),
            std::string::npos);
  EXPECT_NE(explanationOf(drawing, "kind-growth").find("about 12.0 a minute until then."),
            std::string::npos)
      << explanationOf(drawing, "kind-growth");
}

TEST(GrowthFindings, OfAnEndedProcessDoesNotGoOn) {
  std::string drawing = "snapshots: R . . . . . . . . .\nprocess a: ok . . . . . . . . -\n";
  drawing += limitOf("9000/9000", 10) + curve({2, 4, 6, 8, 10, 12, 14, 16, 18, 18});
  EXPECT_NE(explanationOf(drawing, "kind-growth").find("about 12.0 a minute until it ended."),
            std::string::npos)
      << explanationOf(drawing, "kind-growth");
}

TEST(GrowthFindings, PipesThatOnlyGrow) {
  const std::string drawing = drawn(line(9, 2, 1));
  EXPECT_EQ(findingsOf(drawing), "kind-growth warning 100\n");
  EXPECT_EQ(titleOf(drawing, "kind-growth"), "pipe fds only grow, from 2 to 10");
}

struct Kind {
  const char* target;
  const char* attributes;
  const char* title;
};

TEST(GrowthFindings, EachKindByItsName) {
  const std::vector<Kind> kinds = {
      {"anon_inode:[eventfd]", "", "eventfds only grow, from 2 to 18"},
      {"anon_inode:[eventpoll]", "", "eventpolls only grow, from 2 to 18"},
      {"anon_inode:[timerfd]", "", "timerfds only grow, from 2 to 18"},
      {"anon_inode:inotify", "", "inotify fds only grow, from 2 to 18"},
      {"/var/tmp/x", "type=8 links=0", "deleted files only grow, from 2 to 18"},
      {"/var/tmp/x", "type=8 links=1", "files only grow, from 2 to 18"},
      {"/var/spool", "type=4 links=2", "open directories only grow, from 2 to 18"},
  };
  for (const Kind& kind : kinds) {
    const std::string drawing =
        timeOf(9) + limitOf("9000/9000", 9) + curve(line(9, 2, 2), kind.target, kind.attributes);
    EXPECT_EQ(titleOf(drawing, "kind-growth"), kind.title);
  }
}

/// A listener more in each snapshot; each is closed after so many.
std::string listeners(int snapshots, int kept) {
  std::string drawing = timeOf(static_cast<size_t>(snapshots));
  for (int i = 0; i < snapshots; ++i) {
    std::string cells;
    for (int at = 0; at < snapshots; ++at)
      cells += at == i ? " {}" : at == 0 ? " _" : at == i + kept ? " -" : " .";
    drawing += fmt::format("fd a/{}:{}\n", i,
                           fmt::format(fmt::runtime(cells), fmt::format("s{}", 500 + i)));
    drawing += fmt::format("tcp {} local=0.0.0.0:{}:{}\n", 500 + i, 7000 + i,
                           fmt::format(fmt::runtime(cells), "LISTEN"));
  }
  return drawing;
}

TEST(GrowthFindings, ListenersThatOnlyGrow) {
  EXPECT_EQ(findingsOf(listeners(14, 14)), "kind-growth warning 100\n");
  EXPECT_EQ(titleOf(listeners(14, 14), "kind-growth"),
            "listening TCP sockets only grow, from 1 to 14");
}

TEST(GrowthFindings, ListenersThatAreClosedAreNoLeak) {
  EXPECT_EQ(findingsOf(listeners(14, 5)), "");
}

TEST(GrowthFindings, AKindThatComesAndGoes) {
  EXPECT_EQ(findingsOf(drawn({2, 9, 3, 12, 4, 15, 5, 18, 6})), "");
}

TEST(GrowthFindings, AKindThatFilledUp) {
  EXPECT_EQ(titleOf(drawn({2, 9, 12, 12, 12, 12, 12, 12, 12}), "kind-growth"), "");
}

TEST(GrowthFindings, AKindThatStandsStillInTheLastQuarter) {
  // 0, 30, 60, 90 and 92, beside others that still move.
  std::vector<int> counts = line(31, 0, 3);
  counts.insert(counts.end(), {90, 90, 91, 91, 91, 92, 92, 92, 92, 92});
  std::vector<int> others;
  for (size_t i = 0; i < counts.size(); ++i)
    others.push_back(40 + static_cast<int>(i % 4) * 12);
  const std::string drawing = drawn(counts) + curve(others, "anon_inode:[eventfd]", "", 200);
  EXPECT_EQ(titleOf(drawing, "kind-growth"), "");
}

TEST(GrowthFindings, FewerThanEightMoreAreNoGrowth) {
  EXPECT_EQ(findingsOf(drawn({2, 3, 4, 5, 6, 7, 8, 9, 9})), "");
}

TEST(GrowthFindings, AKindWithAQuoteInItsName) {
  const std::string drawing =
      timeOf(9) + limitOf("1000/1000", 9) + curve(line(9, 2, 2), "anon_inode:[it's]");
  EXPECT_EQ(findingsOf(drawing), "kind-growth critical 100\n");
}

TEST(GrowthFindings, AShortRecordingMakesNoFarLimitUrgent) {
  // 80 s, and the limit is more than two hours away.
  const std::string drawing = timeOf(9) + limitOf("9000/9000", 9) + curve(line(9, 2, 2));
  EXPECT_EQ(findingsOf(drawing), "kind-growth warning 100\n");
}

}  // namespace

}  // namespace fdmortem::test
