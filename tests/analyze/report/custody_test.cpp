// Where a report says that its archive comes from.
#include "analyze/report/custody.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "capture/archive/writer.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

/// The lines on a recording that was begun like this.
std::vector<std::string> custodyOfRecording(const RecordingInfo& info) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("a.db");
  {
    ArchiveWriter writer(path);
    writer.beginRecording(info);
    const Snapshot snapshot = snapshotOf({processWith({})});
    EXPECT_TRUE(writer.write(snapshot, detectChanges(nullptr, snapshot, true), {.keyframe = true}));
    writer.endRecording(2, "count");
  }
  Report report;
  addToReport(Analysis(path, {}), {}, report);
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
