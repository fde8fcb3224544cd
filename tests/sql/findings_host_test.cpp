// schema/findings/ on the host and on the recording itself: when a rule fires and when not.
#include <string>

#include <gtest/gtest.h>

#include "tests/sql/findings.h"

namespace fdmortem::test {

namespace {

std::string hostWith(const std::string& lines, const std::string& snapshots = "R . . .") {
  return "snapshots: " + snapshots + "\nprocess a: ok . . .\nfd a/3: p9 . . .\n" + lines;
}

TEST(HostFindings, NoneWhereAllIsWell) {
  EXPECT_EQ(findingsOf(hostWith("files: 100/1000 110/1000 790/1000 120/1000\n")), "");
}

TEST(HostFindings, ManyOpenFilesOfTheHost) {
  const std::string warning = hostWith("files: 100/1000 110/1000 800/1000 120/1000\n");
  EXPECT_EQ(findingsOf(warning), "host-files warning -\n");
  EXPECT_EQ(titleOf(warning, "host-files"),
            "the host had 800 of 1000 possible open files at 2026-01-01T00:00:20Z (80 %)");
  EXPECT_EQ(findingsOf(hostWith("files: 950/1000 100/1000 9/1000 120/1000\n")),
            "host-files critical -\n");
}

TEST(HostFindings, UnreadNumbersOfTheHostSayNothing) {
  EXPECT_EQ(findingsOf(hostWith("files: NULL/NULL NULL/NULL NULL/NULL NULL/NULL\n")), "");
}

// Between two snapshots, by another process, or at a limit of its own.
TEST(HostFindings, EmfileThatNoSnapshotShows) {
  const std::string complaint = "log EMFILE: . 2 4 .\n";
  const std::string far = hostWith("limit a: 100/100 . . .\n" + complaint);
  EXPECT_EQ(findingsOf(far), "unseen-emfile warning -\n");
  EXPECT_EQ(
      titleOf(far, "unseen-emfile"),
      "a log complains of EMFILE (too many open files) 6 times while recorded, and no snapshot "
      "shows a process that uses 80 % of its limit");
  EXPECT_NE(explanationOf(far, "unseen-emfile").find("a (pid 100), used 1 of 100."),
            std::string::npos)
      << explanationOf(far, "unseen-emfile");
  EXPECT_EQ(
      titleOf(timeOf(4) + limitOf("5/5", 4) + curve({4, 4, 4, 4}) + complaint, "unseen-emfile"),
      "");
  EXPECT_EQ(findingsOf(hostWith("limit a: 100/100 . . .\nlog other: . 2 4 .\n")), "");
}

TEST(HostFindings, MissedAndLateSnapshots) {
  EXPECT_EQ(titleOf(hostWith("missed: 0 3 0 1\n"), "recording-gaps"),
            "the recording has gaps: 4 snapshots were missed");
  // The interval is 10 s; late is more than a tenth of it, and no gap unless one is by more than
  // half.
  EXPECT_EQ(titleOf(hostWith("late: 0 5001 0 0\n"), "recording-gaps"),
            "the recording has gaps: 1 of 4 taken late");
  EXPECT_EQ(titleOf(hostWith("late: 0 5001 1001 1000\n"), "recording-gaps"),
            "the recording has gaps: 2 of 4 taken late");
  EXPECT_EQ(findingsOf(hostWith("late: 0 5000 100 0\n")), "");
}

// There is nothing in between that was not seen.
TEST(HostFindings, ARecordingWithoutAnEndHasNoGap) {
  EXPECT_EQ(findingsOf("snapshots ended=no: R . . .\nprocess a: ok . . .\nfd a/3: p9 . . .\n"), "");
}

TEST(HostFindings, APauseBetweenRecordings) {
  const std::string drawing = hostWith("", "R . R .");
  EXPECT_EQ(titleOf(drawing, "recording-gaps"),
            "the recording has gaps: 1 pause between recordings");
  EXPECT_NE(explanationOf(drawing, "recording-gaps").find("10 s between the recordings 1 and 2"),
            std::string::npos);
}

TEST(HostFindings, ABootBetweenRecordings) {
  EXPECT_NE(explanationOf(hostWith("", "R . B ."), "recording-gaps")
                .find("Not recorded: a boot between the recordings 1 and 2. "),
            std::string::npos);
}

// The clock that durations are worked out from begins anew with each boot.
TEST(HostFindings, APauseBetweenRecordingsOfUnknownBoots) {
  const std::string drawing =
      "snapshots boot=unknown: R . R .\nprocess a: ok . . .\nfd a/3: p9 . . .\n"
      "boottime: 100 110 20 30\n";
  EXPECT_NE(explanationOf(drawing, "recording-gaps")
                .find("Not recorded: an unknown time between the recordings 1 and 2 (perhaps with "
                      "a boot). "),
            std::string::npos)
      << explanationOf(drawing, "recording-gaps");
}

TEST(HostFindings, FdsThatCouldNotBeRead) {
  const std::string drawing =
      "snapshots: R . . .\nprocess a: ok . fail .\nfd a/3: p9 . . .\n"
      "failure 100/fd pid=100 errno=13: . . 1 1\n";
  EXPECT_EQ(findingsOf(drawing), "unread warning 100\nunread info -\n");
  EXPECT_EQ(titleOf(drawing, "unread"),
            "its fds could not be read in 2 of 4 snapshots\n1 thing could not be read");
}

// A recorder that may list the fds and not look at them knows how many there are and nothing else.
TEST(HostFindings, FdsWhoseLinksCouldNotBeReadAreOfNoKind) {
  std::string drawing = timeOf(9) + limitOf("10000/10000", 9) +
                        curve({1, 3, 5, 7, 9, 11, 13, 15, 17}, "?") +
                        "failure 100/fd/3 pid=100 errno=13 operation=readlink: 1 1 1 1 1 1 1 1 1\n";
  EXPECT_EQ(findingsOf(drawing), "unread warning 100\nunread info -\n");
  EXPECT_EQ(titleOf(drawing, "unread"),
            "what 17 of its 17 fds are could not be read (EACCES: permission denied)\n"
            "1 thing could not be read");
}

TEST(HostFindings, ManyUnreadableProcessesAreOneFinding) {
  const std::string drawing =
      "snapshots: R . . .\nprocess a: ok . . .\nprocess b: fail . . .\nprocess c: fail . . .\n"
      "fd a/3: p9 . . .\n";
  EXPECT_EQ(findingsOf(drawing), "unread warning -\n");
  EXPECT_EQ(titleOf(drawing, "unread"),
            "the fds of 2 processes could not be read in any of their snapshots");
}

TEST(HostFindings, ATcpTableThatCouldNotBeRead) {
  const std::string drawing =
      "snapshots: R . . .\nprocess a: ok . . .\nfd a/3: p9 . . .\n"
      "read tcp: whole . failed .\nfailure net:[4000] errno=13: . . 1 1\n";
  EXPECT_EQ(findingsOf(drawing), "unread warning -\n");
  EXPECT_EQ(titleOf(drawing, "unread"), "1 thing could not be read, a TCP table among them");
}

}  // namespace

}  // namespace fdmortem::test
