// Ordinary archives that have much of one thing: the limits of fdanalyze have to leave room for
// them.
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "analyze/report/render.h"
#include "analyze/report/report.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {
namespace {

// 80,000 rows of queues.
TEST(ManyRows, OfQueuesThatChangeInEachSnapshot) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("a.db");
  {
    StoredRecording recording(path);
    for (int step = 0; step < 40; ++step) {
      std::vector<FdRecord> fds;
      std::vector<InetRow> rows;
      for (int i = 0; i < 2000; ++i) {
        const auto inode = static_cast<uint64_t>(1000 + i);
        fds.push_back(socketFd(10 + i, inode));
        rows.push_back(tcpRow(inode, step > 0 ? kCloseWait : kEstablished));
        rows.back().rx_queue = static_cast<uint32_t>(1 + (step + i) % 7);
      }
      Snapshot now = snapshotOf({processWith(std::move(fds))}, {netnsWith(std::move(rows))});
      delay(now, step * 10);
      recording.add(std::move(now));
    }
    recording.end();
  }
  AnalysisOptions options;
  options.shows_changes = options.shows_closed = false;
  Report report;
  ASSERT_NO_THROW(addToReport(Analysis(path, options), {}, report));
  EXPECT_NE(renderReportJson(report).find("2000 connections stay in CLOSE_WAIT"),
            std::string::npos);
}

// A program that is started again each time is told of shortly, and at once.
TEST(ManyRows, OfProcessesOfOneName) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr int kCount = 200;  // a sanitizer takes several times the CPU time
#else
  constexpr int kCount = 1000;
#endif
  const TemporaryDirectory folder;
  const std::string path = folder.file("a.db");
  {
    StoredRecording recording(path);
    for (int step = 0; step < kCount; ++step) {
      Snapshot now = snapshotOf({processWith({fileFd(0, "/dev/null")}, 100 + step)});
      delay(now, 5000 + step);
      recording.add(std::move(now));
    }
    recording.end();
  }
  Report report;
  ASSERT_NO_THROW(addToReport(Analysis(path, {}), {}, report));
  ASSERT_EQ(report.marks.size(), 101U);
  sortReport(report);
  EXPECT_EQ(report.marks.front().text,
            fmt::format("the first of {} more that are not listed (SELECT * FROM restart)",
                        kCount - 101));
  EXPECT_EQ(report.marks.back().text,
            fmt::format("server started again as pid {}", 100 + kCount - 1));
}

}  // namespace
}  // namespace fdmortem::test
