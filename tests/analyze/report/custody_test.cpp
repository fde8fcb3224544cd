// Where a report says that its archive comes from.
#include "analyze/report/custody.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "analyze/report/words.h"
#include "capture/archive/writer.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

/// A report on an archive of these recordings, of one snapshot each.
Report reportOn(const std::vector<RecordingInfo>& recordings) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("a.db");
  for (const RecordingInfo& info : recordings) {
    ArchiveWriter writer(path);
    writer.beginRecording(info);
    const Snapshot snapshot = snapshotOf({processWith({})});
    EXPECT_TRUE(writer.write(snapshot, detectChanges(nullptr, snapshot, true), {.keyframe = true}));
    writer.endRecording(2, "count");
  }
  Report report;
  addToReport(Analysis(path, {}), {}, report);
  return report;
}

/// The lines on a recording that was begun like this.
std::vector<std::string> custodyOfRecording(const RecordingInfo& info) {
  const Report report = reportOn({info});
  return custodyOf(report, report.databases.at(0));
}

std::string commandOf(const std::vector<std::string>& words) {
  const auto lines =
      custodyOfRecording({.host_name = "host", .machine = "x86_64", .options = words});
  for (const std::string& line : lines) {
    if (line.starts_with("Command: ")) return line.substr(9);
  }
  return "";
}

TEST(ReportCustody, WhoRecorded) {
  RecordingInfo info{.host_name = "host", .machine = "x86_64", .recorder_uid = 0, .options = {}};
  info.recorder_login_uid = 1000;
  EXPECT_TRUE(custodyOfRecording(info).at(1).ends_with(" with uid 0, logged in as uid 1000."));
  // A service, or a kernel that does not tell.
  info.recorder_login_uid.reset();
  EXPECT_TRUE(custodyOfRecording(info).at(1).ends_with(" with uid 0, login not known."));
}

TEST(ReportCustody, AnArchiveThatWasContinuedOnAnotherHost) {
  const RecordingInfo first{
      .boot_id = "b1", .host_name = "web1", .machine = "x86_64", .options = {}};
  RecordingInfo second = first;
  second.host_name = "web2";
  second.boot_id = "b2";
  const Report report = reportOn({first, second});
  const DatabaseReport& database = report.databases.at(0);
  const auto lines = custodyOf(report, database);
  EXPECT_TRUE(lines.at(0).starts_with("Recording 1: ")) << lines.at(0);
  EXPECT_TRUE(lines.at(1).starts_with("Host web1, ")) << lines.at(1);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.starts_with("Host "); }),
            2);
  ASSERT_EQ(report.processes.size(), 2U);
  EXPECT_EQ(hostOf(report, report.processes[0]), "web1");
  EXPECT_EQ(hostOf(report, report.processes[1]), "web2");
  ASSERT_FALSE(database.doubts.empty());
  EXPECT_EQ(database.doubts[0],
            "its recordings are of 2 hosts by name, first web1 and last web2: it was continued on "
            "another host, or its host was renamed");
  // After a restart of the host its name is the same, and so is what is said of all of it.
  second.host_name = "web1";
  EXPECT_TRUE(reportOn({first, second}).databases.at(0).doubts.empty());
}

TEST(ReportCustody, TheCommandIsOneThatAShellTakes) {
  EXPECT_EQ(commandOf({"record", "--note", "say \"it's é\"", "-o", "/a b.db", ""}),
            "fdcapture record --note 'say \"it'\\''s é\"' -o '/a b.db' ''");
}

TEST(ReportCustody, WhatIsNotSeenInACommandIsShownAsAShellWritesIt) {
  EXPECT_EQ(commandOf({"\x1b[31m'\n", "\\d", "\u202e", "\\u{202e}"}),
            R"(fdcapture $'\x1b[31m\'\n' $'\\d' $'\U0000202e' $'\\u{202e}')");
}

}  // namespace

}  // namespace fdmortem::test
