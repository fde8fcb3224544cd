// What analyze/import/salvage.h promises: of a damaged archive only snapshots that are whole are
// used, so that nothing is called closed or outlived that is not.
#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "schema/sha256.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

namespace {

constexpr int kSnapshots = 40;
constexpr int kSnapshotsToKeyframe = 8;
constexpr size_t kPageBytes = 512;

/// At `step`: connections that come, some that end while their fd stays, fds that are closed.
Snapshot snapshotAt(int step) {
  std::vector<FdRecord> fds = {fileFd(4, "/log")};
  std::vector<InetRow> rows;
  for (int i = std::max(0, step - 12); i <= step; ++i) {
    const auto inode = static_cast<uint64_t>(500 + i);
    const bool outlives = i % 3 == 0;
    fds.push_back(socketFd(10 + i, inode));
    if (!outlives || step < i + 4) rows.push_back(tcpRow(inode));
  }
  return snapshotOf({processWith(std::move(fds))}, {netnsWith(std::move(rows))});
}

/// Snapshots with a keyframe now and then, in pages so small that each table has several.
void writeLongArchive(const std::string& path) {
  {
    StoredRecording recording(path, "boot", 1'767'225'600'000'000'000);
    for (int step = 0; step < kSnapshots; ++step) {
      Snapshot now = snapshotAt(step);
      delay(now, step * 10);
      recording.add(std::move(now), step % kSnapshotsToKeyframe == 0);
    }
    recording.end(1'767'225'600'000'000'000 + kSnapshots * 10'000'000'000);
  }
  SQLite::Database database(path, SQLite::OPEN_READWRITE);
  database.exec("PRAGMA journal_mode = DELETE");
  database.exec("PRAGMA page_size = 512");
  database.exec("VACUUM");
}

using Rows = std::vector<std::vector<Value>>;

class SalvageTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const TemporaryDirectory folder;
    writeLongArchive(folder.file("a.db"));
    whole_archive_ = contentOf(folder.file("a.db"));
    whole_.emplace(folder.file("a.db"), AnalysisOptions{});
  }
  static void TearDownTestSuite() { whole_.reset(); }

  /// Of `bytes`; empty: nothing could be saved, which was said in one line.
  std::optional<Analysis> saved(const std::string& bytes) const {
    writeFile(path_, bytes);
    try {
      return std::optional<Analysis>(std::in_place, path_, AnalysisOptions{.is_salvage = true});
    } catch (const std::runtime_error& error) {
      const std::string reason = error.what();
      EXPECT_TRUE(reason.starts_with(path_ + ": ")) << reason;
      EXPECT_EQ(reason.find('\n'), std::string::npos) << reason;
    }
    return {};
  }

  /// Each snapshot that was kept has every row that it has in the whole archive, and no other.
  static void expectWholeSnapshots(const Analysis& analysis, const std::string& what) {
    const Rows ids = analysis.query("SELECT id FROM snapshot").rows;
    std::string list;
    for (const auto& row : ids)
      list += (list.empty() ? "" : ",") + std::to_string(std::get<int64_t>(row[0]));
    for (const char* table : {"process_change", "limit_change", "fd_change", "fd_position_change",
                              "net_table_change", "inet_change", "inet_queue_change", "failure"}) {
      const std::string query = std::string("SELECT * FROM ") + table + " WHERE snapshot IN (" +
                                list + ") ORDER BY rowid";
      ASSERT_TRUE(analysis.query(query).rows == whole_->query(query).rows) << what << ", " << table;
    }
  }

  /// What ended did end, and what outlived its connection did that.
  static void expectNoFalseEnd(const Analysis& analysis, const std::string& what) {
    for (const auto& row :
         analysis.query("SELECT fd, target, closed_by FROM fd_span WHERE closed_by IS NOT NULL")
             .rows) {
      EXPECT_FALSE(whole_
                       ->query("SELECT 1 FROM fd_span WHERE fd = ? AND target = ?"
                               " AND closed_by <= ?",
                               row)
                       .rows.empty())
          << what << ", fd " << std::get<int64_t>(row[0]);
    }
    for (const auto& row : analysis.query("SELECT fd, inode FROM outlived").rows) {
      EXPECT_FALSE(
          whole_->query("SELECT 1 FROM outlived WHERE fd = ? AND inode = ?", row).rows.empty())
          << what << ", fd " << std::get<int64_t>(row[0]);
    }
  }

  /// How many snapshots are left; 0: nothing could be saved.
  int64_t expectSound(const std::string& bytes, const std::string& what) {
    const auto analysis = saved(bytes);
    if (!analysis) return 0;
    expectWholeSnapshots(*analysis, what);
    expectNoFalseEnd(*analysis, what);
    const int64_t count =
        std::get<int64_t>(analysis->query("SELECT count(*) FROM snapshot").rows[0][0]);
    if (count < kSnapshots) {
      EXPECT_TRUE(analysis->isDamaged()) << what;
      EXPECT_FALSE(analysis->doubts().empty()) << what;
    }
    return count;
  }

  std::string edited(const std::string& sql) const {
    writeFile(path_, whole_archive_);
    SQLite::Database(path_, SQLite::OPEN_READWRITE).exec(sql);
    return contentOf(path_);
  }

  static std::string whole_archive_;
  static std::optional<Analysis> whole_;
  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
};

std::string SalvageTest::whole_archive_;
std::optional<Analysis> SalvageTest::whole_;

TEST_F(SalvageTest, OfAWholeArchiveItIsAll) {
  const auto analysis = saved(whole_archive_);
  ASSERT_TRUE(analysis);
  EXPECT_FALSE(analysis->isDamaged());
  EXPECT_TRUE(analysis->doubts().empty());
  EXPECT_EQ(analysis->sha256(), whole_->sha256());
  for (const char* table : {"snapshot", "recording", "sockets", "fd_span", "processes"}) {
    const std::string query = std::string("SELECT * FROM ") + table;
    EXPECT_EQ(analysis->query(query).rows, whole_->query(query).rows) << table;
  }
  EXPECT_GT(whole_->query("SELECT * FROM outlived").rows.size(), 3U) << "there is something to say";
  EXPECT_GT(whole_->query("SELECT * FROM fd_span WHERE closed_by > 0").rows.size(), 3U);
}

TEST_F(SalvageTest, APageThatIsGoneTakesItsSnapshotsOnly) {
  int saved_some = 0;
  for (size_t page = 1; page < whole_archive_.size() / kPageBytes; ++page) {
    std::string bytes = whole_archive_;
    bytes.replace(page * kPageBytes, kPageBytes, kPageBytes, '\0');
    const int64_t count = expectSound(bytes, "page " + std::to_string(page + 1) + " zeroed");
    saved_some += count > 0 ? 1 : 0;
  }
  EXPECT_GT(saved_some, 20);
}

// Of its own table. A page of another one that has such rows too can be as good for SQLite, and
// only hashes tell.
TEST_F(SalvageTest, APageInTheWrongPlaceIsNoPage) {
  writeFile(path_, whole_archive_);
  std::map<std::string, std::vector<size_t>> pages;
  {
    SQLite::Database database(path_, SQLite::OPEN_READONLY);
    SQLite::Statement query(database, "SELECT name, pageno FROM dbstat ORDER BY 1, 2");
    while (query.executeStep()) {
      pages[query.getColumn(0).getString()].push_back(
          static_cast<size_t>(query.getColumn(1).getInt64()) - 1);
    }
  }
  size_t swaps = 0;
  for (const auto& [table, places] : pages) {
    for (size_t i = 0; i < places.size() && places[0] > 0; ++i) {
      for (const size_t distance : {size_t{1}, size_t{2}, size_t{7}}) {
        const size_t other = places[(i + distance) % places.size()];
        std::string bytes = whole_archive_;
        bytes.replace(places[i] * kPageBytes, kPageBytes, whole_archive_, other * kPageBytes,
                      kPageBytes);
        expectSound(bytes, table + ": page " + std::to_string(places[i] + 1) + " is " +
                               std::to_string(other + 1));
        ++swaps;
      }
    }
  }
  EXPECT_GT(swaps, 100U);
}

TEST_F(SalvageTest, OfACutFileTheBeginningIsSaved) {
  int64_t most = 0;
  for (size_t pages = 1; pages < whole_archive_.size() / kPageBytes; pages += 3) {
    const std::string what = std::to_string(pages) + " pages and a half";
    most = std::max(most,
                    expectSound(whole_archive_.substr(0, (pages * 2 + 1) * kPageBytes / 2), what));
  }
  EXPECT_GT(most, 0);
}

TEST_F(SalvageTest, ARowThatIsWrongTakesItsSnapshot) {
  for (const char* sql : {"UPDATE fd_change SET change = 9 WHERE rowid = 60",
                          "UPDATE fd_change SET snapshot = snapshot + 9 WHERE rowid = 60",
                          "UPDATE fd_change SET snapshot = snapshot - 9 WHERE rowid = 60",
                          "UPDATE fd_change SET process = 77 WHERE rowid = 60",
                          "UPDATE inet_change SET local_address = 7777 WHERE rowid = 50",
                          "UPDATE inet_change SET snapshot = snapshot + 1000 WHERE rowid = 50",
                          "DELETE FROM text WHERE id = (SELECT max(link_text) FROM fd_change)",
                          "UPDATE snapshot SET keyframe = 7 WHERE id = 20",
                          "UPDATE process_change SET comm = 8888 WHERE snapshot > 20"}) {
    const int64_t count = expectSound(edited(sql), sql);
    EXPECT_GT(count, 0) << sql;
    EXPECT_LT(count, kSnapshots) << sql;
  }
}

TEST_F(SalvageTest, AfterAHoleItGoesOnAtTheNextKeyframeAsAnotherRecording) {
  const auto analysis = saved(edited("UPDATE fd_change SET change = 9 WHERE snapshot = 20"));
  ASSERT_TRUE(analysis);
  EXPECT_EQ(analysis->query("SELECT id, first_snapshot, last_snapshot FROM recording").rows,
            (Rows{{int64_t{1}, int64_t{1}, int64_t{18}}, {int64_t{2}, int64_t{25}, int64_t{40}}}));
  EXPECT_EQ(analysis->query("SELECT min(id), max(id) FROM snapshot WHERE recording = 2").rows[0],
            (std::vector<Value>{int64_t{25}, int64_t{40}}));
  ASSERT_GE(analysis->doubts().size(), 3U);
  EXPECT_EQ(
      analysis->doubts()[0],
      "damaged: 6 snapshots were left out, because rows are missing or no keyframe tells what "
      "was there: 19 to 24");
  EXPECT_EQ(analysis->doubts().back(),
            "snapshots 25 to 40 of recording 1 are called recording 2 here");
}

TEST_F(SalvageTest, AFileWithoutAnyWholeSnapshotIsRefused) {
  EXPECT_FALSE(saved(edited("UPDATE process SET pid = -1")));
  EXPECT_FALSE(saved(edited("UPDATE snapshot SET wall_ns = -1")));
  EXPECT_FALSE(saved(edited("DROP TABLE netns")));
}

TEST_F(SalvageTest, TheHashIsThatOfTheFileAsItIs) {
  const std::string bytes = whole_archive_.substr(0, whole_archive_.size() - kPageBytes);
  const auto analysis = saved(bytes);
  if (!analysis) GTEST_SKIP() << "the last page is one that all hangs on";
  writeFile(folder_.file("copy"), bytes);
  EXPECT_EQ(analysis->sha256(), sha256OfFile(folder_.file("copy")));
  EXPECT_TRUE(analysis->doubts()[0].starts_with("damaged: the file is cut: "));
}

}  // namespace

}  // namespace fdmortem::test
