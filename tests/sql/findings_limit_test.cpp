// schema/findings/ on limits: when a rule fires and when not.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sql/findings.h"
#include "tests/sql/timeline.h"
#include "tests/support/contains.h"

namespace fdmortem::test {

namespace {

TEST(LimitFindings, ThePressureOnALimit) {
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

TEST(LimitFindings, ALimitThatIsReached) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R     .   .
    process a:  ok    .   .
    limit a:    2/4   .   .
    fd a/0:     p8    .   .
    fd a/1:     _     p9  .
  )"),
            "limit-reached critical 100\n");
}

TEST(LimitFindings, NumbersAboveTheLimitDoNotUseItUp) {
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

TEST(LimitFindings, AnotherLimitThatIsReachedToo) {
  EXPECT_EQ(
      titleOf(timeOf(5) + "limit a: 3/9 . 5/9 . .\n" + curve({2, 3, 3, 4, 5}), "limit-reached"),
      "the limit of 3 open files was reached between 2026-01-01T00:00:00Z and "
      "2026-01-01T00:00:10Z, and one of 5 is at the end");
}

TEST(LimitFindings, ALimitThatWasReachedWhenFirstSeen) {
  EXPECT_EQ(titleOf(timeOf(3) + limitOf("3/3", 3) + curve({3, 3, 3}), "limit-reached"),
            "the limit of 3 open files was reached at or before 2026-01-01T00:00:00Z, and no "
            "snapshot since then shows a free fd");
}

TEST(LimitFindings, ALimitThatIsNear) {
  const std::string fds = curve({7, 7, 8});
  EXPECT_EQ(findingsOf(timeOf(3) + limitOf("10/10", 3) + fds), "limit-reached warning 100\n");
  EXPECT_EQ(findingsOf(timeOf(3) + limitOf("11/11", 3) + fds), "");
  EXPECT_EQ(titleOf(timeOf(3) + limitOf("10/10", 3) + fds, "limit-reached"),
            "8 of 10 allowed open files in use at 2026-01-01T00:00:20Z (80 %)");
}

TEST(LimitFindings, ALimitThatWasReachedAndLeft) {
  EXPECT_EQ(titleOf(timeOf(3) + limitOf("8/8", 3) + curve({7, 8, 7}), "limit-reached"),
            "the limit of 8 open files was reached between 2026-01-01T00:00:00Z and "
            "2026-01-01T00:00:10Z");
}

TEST(LimitFindings, ALimitThatWasChanged) {
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

TEST(LimitFindings, ASoftLimitFarBelowTheHardOne) {
  const std::string fds = curve({5, 5});
  EXPECT_EQ(findingsOf(timeOf(2) + limitOf("10/40", 2) + fds), "limit-low info 100\n");
  EXPECT_EQ(findingsOf(timeOf(2) + limitOf("10/39", 2) + fds), "");
  EXPECT_EQ(findingsOf(timeOf(2) + limitOf("11/44", 2) + fds), "");
}

TEST(LimitFindings, EachLimitThatWasReachedIsTold) {
  const std::string drawing =
      timeOf(7) + "limit a: 3/9 . 5/9 . . 9/9 .\n" + curve({2, 3, 3, 4, 5, 5, 5});
  EXPECT_EQ(titleOf(drawing, "limit-reached"),
            "the limit of 3 open files was reached between 2026-01-01T00:00:00Z and "
            "2026-01-01T00:00:10Z, one of 5 at 2026-01-01T00:00:40Z");
  const std::string explanation = explanationOf(drawing, "limit-reached");
  EXPECT_TRUE(contains(explanation,
                       "in 1 of the 1 snapshots with a limit of 3 and in 1 of the 3 with one of 5 "
                       "from snapshot 2 on."))
      << explanation;
}

TEST(LimitFindings, OneThatEndedWithFdsToSpareIsInformation) {
  const std::string ended = "snapshots: R . . .\nprocess a: ok . . -\nlimit a: 10/10 . . .\n";
  EXPECT_EQ(findingsOf(ended + curve({3, 9, 3, 3})), "limit-reached info 100\n");
  EXPECT_EQ(findingsOf(ended + curve({3, 3, 9, 9})), "limit-reached warning 100\n");
  EXPECT_EQ(findingsOf(timeOf(4) + limitOf("10/10", 4) + curve({3, 9, 3, 3})),
            "limit-reached warning 100\n")
      << "it can come back";
}

TEST(LimitFindings, HowManyTimesItWasReached) {
  EXPECT_EQ(titleOf(timeOf(7) + limitOf("8/8", 7) + curve({7, 8, 7, 8, 8, 7, 7}), "limit-reached"),
            "the limit of 8 open files was reached between 2026-01-01T00:00:00Z and "
            "2026-01-01T00:00:10Z, and again, 2 times in all, at last at 2026-01-01T00:00:40Z");
}

}  // namespace

}  // namespace fdmortem::test
