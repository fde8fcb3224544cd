// What analyze/import/repetition.h promises: what is derived is the same without the repetitions of
// keyframes.
#include "analyze/import/repetition.h"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "tests/analyze/import/whole_and_brief.h"
#include "tests/support/eventful_snapshots.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

namespace {

constexpr int kSnapshots = 24;
constexpr int kSnapshotsPerKeyframe = 3;

/// Snapshots in which fds, rows, tables, autopsies and lists of fds come and go by chance. Numbers
/// of sockets are few, so that they are used again.
class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}

  Snapshot next(int place) {
    std::vector<FdRecord> fds;
    std::vector<InetRow> rows;
    std::vector<std::shared_ptr<const AutopsyRecord>> autopsies;
    for (int32_t fd = 3; fd < 9; ++fd) {
      if (sometimes(10)) inodes_[fd] = 500 + random_() % 8;
      if (sometimes(8)) continue;
      fds.push_back(socketFd(fd, inodes_[fd]));
      if (sometimes(5)) continue;
      if (sometimes(2)) {
        addAutopsy(fds.back(), autopsies);
      } else if (listed_.insert(inodes_[fd]).second) {
        rows.push_back(tcpRow(inodes_[fd], sometimes(3) ? kCloseWait : kEstablished));
      }
    }
    listed_.clear();
    std::sort(rows.begin(), rows.end(),
              [](const InetRow& a, const InetRow& b) { return a.inode < b.inode; });
    NetnsRecord netns = netnsWith(std::move(rows));
    if (sometimes(6)) netns.status[0] = ReadStatus::Failed;
    Snapshot result = snapshotOf({processWith(std::move(fds))}, {std::move(netns)});
    if (sometimes(9)) result.namespaces.clear();
    if (sometimes(9)) result.processes[0].fd_list_status = ReadStatus::Failed;
    result.autopsies = std::move(autopsies);
    result.clocks.wall_ns += place * 10'000'000'000;
    result.clocks.boottime_ns += place * 10'000'000'000;
    return result;
  }

 private:
  bool sometimes(unsigned one_of) { return random_() % one_of == 0; }

  void addAutopsy(FdRecord& fd, std::vector<std::shared_ptr<const AutopsyRecord>>& autopsies) {
    auto& known = known_[fd.link.number];
    if (!known || sometimes(4)) {
      AutopsyRecord said{.inode = fd.link.number, .process = {7, 1000}, .fd = fd.fd, .state = 7};
      said.asked_at_ns = static_cast<int64_t>(random_() % 3);
      if (sometimes(2)) {
        said.remote = tcpRow(fd.link.number).remote;
        said.local = tcpRow(fd.link.number).local;
        said.delivered = random_() % 2;
      } else {
        said.peer_error = 107;
      }
      known = std::make_shared<const AutopsyRecord>(said);
      autopsies.push_back(known);
    }
    fd.autopsy = known;
  }

  std::mt19937 random_;
  std::map<int32_t, uint64_t> inodes_{{3, 500}, {4, 501}, {5, 502}, {6, 503}, {7, 504}, {8, 505}};
  std::map<uint64_t, std::shared_ptr<const AutopsyRecord>> known_;
  std::set<uint64_t> listed_;
};

void record(const std::string& path, unsigned seed) {
  StoredRecording recording(path);
  Chance chance(seed);
  for (int i = 0; i < kSnapshots; ++i)
    recording.add(chance.next(i), i % kSnapshotsPerKeyframe == 0);
  recording.end();
}

/// Each row without the number of an autopsy.
const std::vector<std::string> kDerived = {
    "SELECT * FROM fd_span ORDER BY id",
    "SELECT * FROM fd_count ORDER BY process, snapshot",
    "SELECT * FROM inet_span ORDER BY netns, net_table, inode, local, remote, first_snapshot",
    "SELECT id, first_snapshot, last_snapshot, verdict, proof, local, remote, state, "
    "connection_last,"
    " outlived_since, outlived_until, autopsy IS NULL FROM verdict_span ORDER BY 1, 2, 3, 4",
    "SELECT * FROM sockets ORDER BY id",
    "SELECT * FROM fd_event ORDER BY id, snapshot, place, event",
    "SELECT * FROM inode_event ORDER BY netns, inode, snapshot, place, event",
    "SELECT * FROM snapshots ORDER BY snapshot"};

TEST(Repetitions, WhatIsDerivedIsTheSameWithoutThem) {
  const TemporaryDirectory folder;
  int64_t left_out = 0;
  for (unsigned seed = 0; seed < 36; ++seed) {
    SCOPED_TRACE(seed);
    const std::string path = folder.file(std::to_string(seed) + ".db");
    record(path, seed);
    AnalysisOptions options;
    const Analysis whole(path, options);
    options.shows_changes = false;
    const Analysis brief(path, options);
    for (const std::string& sql : kDerived)
      EXPECT_EQ(rowsAsText(brief, sql), rowsAsText(whole, sql)) << sql;
    for (const char* table : {"fd_change", "inet_change", "autopsy"}) {
      const std::string sql = std::string("SELECT count(*) FROM ") + table;
      left_out += std::get<int64_t>(whole.query(sql).rows[0][0]) -
                  std::get<int64_t>(brief.query(sql).rows[0][0]);
    }
  }
  EXPECT_GT(left_out, 0);
}

}  // namespace
}  // namespace fdmortem::test
