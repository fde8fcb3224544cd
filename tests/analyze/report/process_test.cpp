// What a report says of single processes, from archives.
#include "analyze/report/process.h"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "analyze/report/tables.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

namespace {

/// A process with so many files in each snapshot, of two paths, beside three of another kind.
std::vector<Snapshot> filesOf(const std::vector<int>& counts) {
  std::vector<Snapshot> snapshots;
  for (const int count : counts) {
    std::vector<FdRecord> fds;
    for (int fd = 0; fd < 3; ++fd) {
      fds.push_back(fileFd(fd, "/srv/gone"));
      fds.back().link_count = 0;
    }
    for (int fd = 3; fd < 3 + count; ++fd)
      fds.push_back(fileFd(fd, fd % 2 == 0 ? "/srv/a" : "/srv/b"));
    snapshots.push_back(snapshotOf({processWith(std::move(fds))}));
  }
  return snapshots;
}

Analysis analysisOf(const TemporaryDirectory& folder, const std::vector<Snapshot>& snapshots) {
  writeArchive(folder.file("a.db"), snapshots);
  return {folder.file("a.db"), {}};
}

TEST(ProcessReport, HasNoGrowthUntilALimitBeforeThatOfItsGrowth) {
  std::vector<Snapshot> snapshots = filesOf({2, 4, 6, 8, 10, 10, 7, 7, 7, 7, 7, 7, 7});
  for (size_t i = 0; i < snapshots.size(); ++i)
    snapshots[i].processes[0].limits->at(0).soft = i < 6 ? 13 : 1024;
  const TemporaryDirectory folder;
  const Analysis analysis = analysisOf(folder, snapshots);
  const ResultTable until = analysis.query("SELECT growth_until FROM process_fds", {});
  EXPECT_EQ(std::get<int64_t>(until.rows.at(0).at(0)), 5);
  const auto processes = describeProcesses(analysis, {1}, {});
  EXPECT_EQ(processes.at(0).growth_since, "2026-01-01T00:01:00.000Z");
  EXPECT_FALSE(processes.at(0).is_growth_stopped);
}

// Two processes of one pid, one after the other: the number alone does not tell them apart.
TEST(ProcessReport, KnowsWhoseConnectionsAreInTcp6Only) {
  std::vector<Snapshot> snapshots;
  for (const bool is_tcp6 : {true, true, false, false}) {
    ProcessRecord process = processWith({socketFd(3, 500)});
    process.identity.start_ticks = is_tcp6 ? 1000 : 2000;
    NetnsRecord netns = netnsWith({});
    netns.inet.at(is_tcp6 ? 1 : 0) = {tcpRow(500)};
    snapshots.push_back(snapshotOf({std::move(process)}, {std::move(netns)}));
  }
  const TemporaryDirectory folder;
  const auto processes = describeProcesses(analysisOf(folder, snapshots), {1, 2}, {});
  ASSERT_EQ(processes.size(), 2U);
  EXPECT_TRUE(processes[0].is_tcp6_only);
  EXPECT_FALSE(processes[1].is_tcp6_only);
}

TEST(ProcessReport, ShowsTheQueryThatGivesTheTargets) {
  const TemporaryDirectory folder;
  const Analysis analysis = analysisOf(folder, filesOf({2, 4, 6, 8, 10, 12, 14, 16, 18, 20}));
  const auto processes = describeProcesses(analysis, {1}, {});
  for (const ReportTable& table : processTables(processes.at(0))) {
    if (table.id != "targets") continue;
    const ResultTable rows = analysis.query(table.query, {});
    ASSERT_EQ(rows.rows.size(), 2U);
    EXPECT_EQ(std::get<std::string>(rows.rows[0].at(1)), "/srv/a");
    EXPECT_EQ(table.rows.rows.size(), 2U);
    return;
  }
  ADD_FAILURE() << "no table of targets";
}

}  // namespace

}  // namespace fdmortem::test
