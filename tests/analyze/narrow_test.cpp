// What analyze/narrow.h promises: a part of an archive looks like an archive of that part.
#include "analyze/narrow.h"

#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "tests/support/eventful_snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

constexpr int64_t kStartNs = 1'767'225'600'000'000'000;
constexpr int64_t kStepNs = 10'000'000'000;

/// When a snapshot was taken, by its number.
int64_t timeOf(size_t snapshot) {
  return kStartNs + static_cast<int64_t>(snapshot - 1) * kStepNs;
}

std::string textOf(const ResultTable& table) {
  std::string text;
  for (const auto& row : table.rows) {
    for (const Value& value : row) {
      if (const auto* number = std::get_if<int64_t>(&value)) text += std::to_string(*number);
      if (const auto* words = std::get_if<std::string>(&value)) text += *words;
      text += "|";
    }
    text += "\n";
  }
  return text;
}

/// All that was there and how long; snapshots are counted from the first. What was opened before
/// the first snapshot of an archive is not known, so that is left out.
const std::vector<std::string> kQueries = {
    "SELECT p.pid, f.fd, f.first_snapshot - m.a, f.last_snapshot - m.a, f.closed_by - m.a, f.kind,"
    " f.target, f.flags FROM fd_span f JOIN processes p USING (process), m ORDER BY 1, 2, 3",
    "SELECT p.pid, p.first_snapshot - m.a, p.last_snapshot - m.a, p.ended_by - m.a, p.comm, p.exe"
    " FROM processes p, m ORDER BY 1",
    "SELECT process, snapshot - m.a, fds, soft_limit FROM fd_count, m ORDER BY 1, 2",
    "SELECT process, resource, soft, hard, first_snapshot - m.a, last_snapshot - m.a FROM "
    "limit_span,"
    " m ORDER BY 1, 2",
    "SELECT net_table, inode, local, remote, state, first_snapshot - m.a, last_snapshot - m.a"
    " FROM inet_span, m ORDER BY 1, 2, 6",
    "SELECT inode, rx_queue, first_snapshot - m.a FROM inet_queue_span, m ORDER BY 1, 3",
    "SELECT fd, watched_fd, inode, first_snapshot - m.a, last_snapshot - m.a FROM epoll_watch_span,"
    " m ORDER BY 1, 2, 3, 4",
    "SELECT net_table, status, min(first_snapshot) - m.a, max(last_snapshot) - m.a FROM"
    " net_table_span, m GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT fd, verdict, first_snapshot - m.a, last_snapshot - m.a FROM verdict_span JOIN"
    " (SELECT id, fd FROM fd_span) USING (id), m ORDER BY 1, 3",
    "SELECT net_table, count FROM time_wait_change GROUP BY 1, 2 ORDER BY 1",
    "SELECT inode, path FROM unix_change GROUP BY 1, 2 ORDER BY 1",
    "SELECT inode FROM netlink_change GROUP BY 1 ORDER BY 1",
    "SELECT inode FROM packet_change GROUP BY 1 ORDER BY 1",
    "SELECT name, value FROM sockstat_change GROUP BY 1, 2 ORDER BY 1",
    "SELECT process, fd, max(position) FROM fd_position_change GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT id - m.a, taken_at FROM snapshot, m ORDER BY 1",
    "SELECT first_snapshot - m.a, last_snapshot - m.a FROM recording, m"};

std::vector<std::string> contentsOf(const Analysis& analysis) {
  std::vector<std::string> contents;
  for (const std::string& query : kQueries) {
    contents.push_back(
        query + "\n" +
        textOf(analysis.query("WITH m AS (SELECT min(id) AS a FROM snapshot) " + query)));
  }
  return contents;
}

class Narrow : public testing::Test {
 protected:
  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
};

TEST_F(Narrow, APartIsAsIfNothingElseHadBeenRecorded) {
  std::vector<Snapshot> all = eventfulSnapshots();
  // Autopsies are told of a second time only in keyframes: see the test of what they said.
  for (Snapshot& snapshot : all)
    snapshot.autopsies.clear();
  writeWithKeyframe(path_, all);
  for (size_t from = 1; from <= all.size(); ++from) {
    for (size_t to = from; to <= all.size(); ++to) {
      const std::string part = folder_.file("part" + std::to_string(from * 10 + to) + ".db");
      std::vector<Snapshot> some;
      for (size_t i = from; i <= to; ++i) {
        some.push_back(all[i - 1]);
        some.back().clocks.wall_ns += static_cast<int64_t>(from - 1) * kStepNs;
        if (some.size() == 1) some.back().second_looks.clear();
      }
      writeWithKeyframe(part, some);
      const Analysis narrowed(path_,
                              {.range = {.from_ns = timeOf(from) - 1, .to_ns = timeOf(to) + 1}});
      const auto expected = contentsOf(Analysis(part, {}));
      const auto found = contentsOf(narrowed);
      for (size_t i = 0; i < expected.size(); ++i)
        EXPECT_EQ(found[i], expected[i]) << from << " to " << to;
    }
  }
}

TEST_F(Narrow, WhatAutopsiesSaidBeforeIsKnown) {
  std::vector<Snapshot> all = eventfulSnapshots();
  all[3].autopsies = {std::make_shared<const AutopsyRecord>(
      AutopsyRecord{.inode = 500, .process = {7, 1000}, .fd = 3, .state = 7, .peer_error = 107})};
  writeWithKeyframe(path_, all);
  const Analysis analysis(path_, {.range = {.from_ns = timeOf(5), .to_ns = {}}});
  EXPECT_EQ(textOf(analysis.query("SELECT snapshot, inode FROM autopsy")), "5|500|\n");
  EXPECT_EQ(textOf(analysis.query("SELECT verdict FROM sockets WHERE fd = 3")),
            "never-connected|\n");
}

/// Once connected and closed, asked through fd 3 of process 7.
std::shared_ptr<const AutopsyRecord> deadSocket(uint64_t inode) {
  return std::make_shared<const AutopsyRecord>(
      AutopsyRecord{.inode = inode,
                    .process = {7, 1000},
                    .fd = 3,
                    .state = 7,
                    .remote = Endpoint{{.bytes = {198, 51, 100, 7}, .length = 4}, 40500},
                    .delivered = 1});
}

TEST_F(Narrow, AnAutopsyIsOfAllFdsOfItsSocket) {
  Snapshot first = snapshotOf({processWith({socketFd(3, 500)}), processWith({socketFd(5, 500)}, 8)},
                              {netnsWith({})});
  Snapshot second = first;
  first.autopsies = {deadSocket(500)};
  second.processes[0].fds.clear();  // the one that was asked is closed, the other is not
  writeWithKeyframe(path_, {first, second, second});
  for (const size_t from : {2, 3}) {
    const Analysis analysis(path_, {.range = {.from_ns = timeOf(from), .to_ns = {}}});
    EXPECT_EQ(textOf(analysis.query("SELECT pid, fd, verdict, proof FROM sockets")),
              "8|5|outlived|autopsy|\n")
        << from;
  }
}

TEST_F(Narrow, AnAutopsyIsNotOfALaterSocketWithItsNumber) {
  Snapshot first =
      snapshotOf({processWith({socketFd(3, 500)}), processWith({}, 8)}, {netnsWith({})});
  Snapshot second = first;
  first.autopsies = {deadSocket(500)};
  second.processes[0].fds.clear();
  Snapshot third = second;
  third.processes[1].fds = {socketFd(5, 500)};
  writeWithKeyframe(path_, {first, second, third});
  const Analysis analysis(path_, {.range = {.from_ns = timeOf(3), .to_ns = {}}});
  EXPECT_EQ(textOf(analysis.query("SELECT count(*) FROM autopsy")), "0|\n");
  EXPECT_EQ(textOf(analysis.query("SELECT pid, fd, verdict FROM sockets")), "8|5|unlisted|\n");
}

TEST_F(Narrow, ItIsSaid) {
  writeWithKeyframe(path_, eventfulSnapshots());
  const Analysis analysis(path_, {.range = {.from_ns = timeOf(2), .to_ns = timeOf(4)}});
  EXPECT_EQ(analysis.doubts(),
            std::vector<std::string>{"only snapshots 2 to 4 were looked at, as was asked"});
  EXPECT_TRUE(Analysis(path_, {}).doubts().empty());
}

TEST_F(Narrow, FromTheNextRecordingOn) {
  writeWithKeyframe(path_, eventfulSnapshots());
  std::vector<Snapshot> later = {eventfulSnapshots()[4]};
  later[0].clocks.wall_ns += 100 * kStepNs;
  writeWithKeyframe(path_, later);
  const Analysis analysis(path_, {.range = {.from_ns = timeOf(50), .to_ns = {}}});
  EXPECT_EQ(textOf(analysis.query("SELECT id, first_snapshot, last_snapshot FROM recording")),
            "2|6|6|\n");
}

TEST_F(Narrow, ATimeWithoutSnapshotsIsRefused) {
  writeWithKeyframe(path_, eventfulSnapshots());
  EXPECT_THROW(Analysis(path_, {.range = {.from_ns = timeOf(99), .to_ns = {}}}),
               std::runtime_error);
  EXPECT_THROW(Analysis(path_, {.range = {.from_ns = timeOf(2) + 1, .to_ns = timeOf(3) - 1}}),
               std::runtime_error);
}

}  // namespace

}  // namespace fdmortem::test
