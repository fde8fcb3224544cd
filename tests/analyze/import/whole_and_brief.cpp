#include "tests/analyze/import/whole_and_brief.h"

#include <chrono>
#include <sstream>
#include <vector>

#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "analyze/report/render.h"
#include "analyze/report/report.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

std::string rowsAsText(const Analysis& analysis, const std::string& sql) {
  std::string text;
  for (const auto& row : analysis.query(sql).rows) {
    for (const Value& value : row) {
      if (const auto* number = std::get_if<int64_t>(&value)) text += std::to_string(*number);
      if (const auto* real = std::get_if<double>(&value)) text += std::to_string(*real);
      if (const auto* words = std::get_if<std::string>(&value)) text += *words;
      text += "|";
    }
    text += "\n";
  }
  return text;
}

namespace {

std::string reportOf(const Analysis& analysis) {
  Report report;
  addToReport(analysis, {}, report);
  sortReport(report);
  return renderReportJson(report) + renderReportHtml(report) + renderReportText(report);
}

/// A report is long: tells the first line that differs.
void expectSameLines(const std::string& found, const std::string& expected) {
  std::istringstream left(found), right(expected);
  for (std::string a, b; std::getline(left, a) && std::getline(right, b);)
    ASSERT_EQ(a, b);
  EXPECT_EQ(found.size(), expected.size());
}

/// What a report does not say all of.
const std::vector<std::string> kCounted = {
    "SELECT * FROM fd_count ORDER BY process, snapshot",
    "SELECT * FROM process_fds ORDER BY process",
    "SELECT * FROM fd_step ORDER BY process, snapshot",
    "SELECT * FROM group_growth ORDER BY process, class, name",
    "SELECT * FROM dead_count ORDER BY process, verdict",
    "SELECT * FROM dead_judgement ORDER BY process, verdict",
    "SELECT * FROM _closed_late ORDER BY process, verdict",
    "SELECT * FROM processes ORDER BY process",
    "SELECT * FROM peer_group ORDER BY 1, 2, 3, 4, 5, 6, 7",
    "SELECT * FROM socket_holder ORDER BY inode, process, fd",
    "SELECT * FROM connection_without_fd ORDER BY 1, 2, 3, 4",
    "SELECT * FROM listed_in ORDER BY process",
    "SELECT * FROM limit_use ORDER BY process, snapshot",
    "SELECT * FROM stale_watch ORDER BY process, fd, watched_fd, watched_inode",
    "SELECT pid, fd, inode, netns, netns_source, protocol, verdict, proof, local, remote, "
    "last_state,"
    " fd_first_seen, fd_last_seen, connection_first_seen, connection_last_seen, outlived_since,"
    " last_data_at, outlived_seconds, bytes_received, watched_by, leak, net_table, local_port,"
    " remote_address FROM sockets WHERE open_at_end AND NOT (verdict = 'connected' AND last_state "
    "= 'ESTABLISHED')"
    " ORDER BY process, fd",
    "SELECT * FROM kind_at_end ORDER BY process, kind",
    "SELECT * FROM verdict_at_end ORDER BY process, verdict",
    "SELECT process, first_snapshot, sum(fds) FROM idle_at_end GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT * FROM unread_data ORDER BY process, fd",
    "SELECT * FROM half_closed ORDER BY process, fd",
    "SELECT * FROM unanswered ORDER BY process, fd",
    "SELECT * FROM growing_group ORDER BY process, class, name"};

}  // namespace

LeftOut compareReports(const std::string& path) {
  AnalysisOptions options;
  options.grace = std::chrono::seconds(15);
  const Analysis whole(path, options);
  options.shows_changes = options.shows_closed = false;
  const Analysis brief(path, options);
  for (const std::string& sql : kCounted)
    EXPECT_EQ(rowsAsText(brief, sql), rowsAsText(whole, sql)) << sql;
  expectSameLines(reportOf(brief), reportOf(whole));
  const auto difference = [&](const std::string& counted) {
    const std::string sql = "SELECT count(*) FROM fd_span " + counted;
    return std::get<int64_t>(whole.query(sql).rows[0][0]) -
           std::get<int64_t>(brief.query(sql).rows[0][0]);
  };
  return {.fds = difference(""), .open = difference("WHERE closed_by IS NULL")};
}

void recordAll(const std::string& path, int snapshots, int first_recording, int per_keyframe,
               const std::function<Snapshot(int place)>& next) {
  int place = 0;
  for (const int until : {first_recording, snapshots}) {
    if (place == until) break;
    StoredRecording recording(path);
    for (; place < until; ++place)
      recording.add(next(place), place % per_keyframe == 0);
    recording.end();
  }
}

}  // namespace fdmortem::test
