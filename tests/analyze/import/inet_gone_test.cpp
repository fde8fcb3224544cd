// A row of the archive's table inet_gone says what a Gone row of inet_change for each line of the
// socket would say.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "tests/analyze/import/whole_and_brief.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

namespace {

constexpr int kSnapshots = 24;
constexpr int kSnapshotsPerKeyframe = 5;

/// Sockets that come and go by chance in the tables of two namespaces, some with two lines. Their
/// numbers are few, so that they are used again.
class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}

  Snapshot next(int place) {
    std::vector<NetnsRecord> namespaces;
    for (const uint64_t netns : {4000, 4001}) {
      if (sometimes(8)) continue;
      NetnsRecord record = netnsWith(rows(), netns);
      record.inet[2] = rows();
      if (sometimes(8)) record.status[0] = ReadStatus::Failed;
      if (sometimes(8)) record.status[2] = ReadStatus::Incomplete;
      namespaces.push_back(std::move(record));
    }
    Snapshot result = snapshotOf({processWith({socketFd(3, 500)})}, std::move(namespaces));
    result.clocks.wall_ns += place * 10'000'000'000;
    result.clocks.boottime_ns += place * 10'000'000'000;
    return result;
  }

 private:
  bool sometimes(unsigned one_of) { return random_() % one_of == 0; }

  std::vector<InetRow> rows() {
    std::vector<InetRow> rows;
    for (uint64_t inode = 500; inode < 506; ++inode) {
      for (const uint16_t port : {uint16_t{40001}, uint16_t{40002}}) {
        if (!sometimes(3)) continue;
        InetRow row = tcpRow(inode, sometimes(3) ? kCloseWait : kEstablished);
        row.remote.port = port;
        row.rx_queue = sometimes(3) ? 7 : 0;
        rows.push_back(row);
      }
    }
    return rows;
  }

  std::mt19937 random_;
};

/// Puts Gone rows in place of those of inet_gone. Returns how many were there.
int64_t writeRowByRow(const std::string& path) {
  SQLite::Database archive(path, SQLite::OPEN_READWRITE);
  const int64_t count = archive.execAndGet("SELECT count(*) FROM inet_gone").getInt64();
  archive.exec(
      "INSERT INTO inet_change SELECT g.snapshot, c.netns, c.net_table, 0, c.inode,"
      " c.local_address, c.local_port, c.remote_address, c.remote_port, NULL, NULL"
      " FROM inet_gone g JOIN inet_change c ON c.inode = g.inode AND c.change <> 0"
      " AND c.rowid = (SELECT max(l.rowid) FROM inet_change l WHERE l.netns = c.netns"
      "   AND l.net_table = c.net_table AND l.inode = c.inode AND l.remote_port = c.remote_port"
      "   AND l.snapshot < g.snapshot);"
      "DELETE FROM inet_gone");
  return count;
}

TEST(InetGone, SaysWhatGoneRowsOfAllItsLinesWould) {
  const TemporaryDirectory folder;
  int64_t gone = 0;
  for (unsigned seed = 0; seed < 24; ++seed) {
    SCOPED_TRACE(seed);
    const std::string path = folder.file(std::to_string(seed) + ".db");
    {
      StoredRecording recording(path);
      Chance chance(seed);
      for (int i = 0; i < kSnapshots; ++i)
        recording.add(chance.next(i), i % kSnapshotsPerKeyframe == 0);
      recording.end();
    }
    const std::string row_by_row = folder.file("row-by-row.db");
    std::filesystem::copy_file(path, row_by_row, std::filesystem::copy_options::overwrite_existing);
    gone += writeRowByRow(row_by_row);
    const Analysis analysis(path, {});
    const Analysis expected(row_by_row, {});
    for (const char* sql :
         {"SELECT * FROM inet_span ORDER BY netns, net_table, inode, remote, first_snapshot",
          "SELECT * FROM inet_queue_span ORDER BY netns, net_table, inode, first_snapshot",
          "SELECT * FROM sockets ORDER BY id"})
      EXPECT_EQ(rowsAsText(analysis, sql), rowsAsText(expected, sql)) << sql;
  }
  EXPECT_GT(gone, 0);
}

}  // namespace
}  // namespace fdmortem::test
