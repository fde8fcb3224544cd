// What analyze/check/check.h promises: an archive that was edited does not fit together.
#include "analyze/check/check.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "capture/archive/drop_snapshots.h"
#include "tests/support/eventful_snapshots.h"
#include "tests/support/forged_chain.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

namespace {

class CheckTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const TemporaryDirectory folder;
    const std::string path = folder.file("a.db");
    writeWithKeyframe(path, eventfulSnapshots());
    writeWithKeyframe(path, {eventfulSnapshots()[4]});
    whole_archive_ = contentOf(path);
  }

  CheckTest() { writeFile(path_, whole_archive_); }

  /// What is found after an edit of a fresh archive, a line each.
  std::string problemsAfter(const std::string& sql) {
    writeFile(path_, whole_archive_);
    {
      SQLite::Database database(path_, SQLite::OPEN_READWRITE);
      database.exec("PRAGMA synchronous = OFF");
      EXPECT_GT(database.exec(sql), 0) << sql;
    }
    return problems();
  }
  std::string problems() const {
    const std::string before = contentOf(path_);
    std::string text;
    for (const std::string& line : checkArchive({.database = path_}).problems) {
      EXPECT_EQ(line.find('\n'), std::string::npos) << line;
      text += line + "\n";
    }
    EXPECT_TRUE(contentOf(path_) == before) << "the archive was changed";
    return text;
  }

  /// What is found after an edit, each case an SQL text and what a line of it says.
  struct Case {
    const char* sql;
    const char* line;
  };
  void expectFound(const std::vector<Case>& cases) {
    for (const auto& [sql, line] : cases) {
      const std::string found = problemsAfter(sql);
      EXPECT_NE(found.find(line), std::string::npos) << sql << "\n" << found;
    }
  }

  static std::string whole_archive_;
  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
};

std::string CheckTest::whole_archive_;

TEST_F(CheckTest, AnArchiveHolds) {
  EXPECT_EQ(problems(), "");
  const CheckResult result = checkArchive({.database = path_});
  EXPECT_EQ(result.snapshots, 6);
  EXPECT_EQ(result.recordings, 2);
  EXPECT_EQ(result.sha256.size(), 64U);
  EXPECT_TRUE(result.doubts.empty());
}

TEST_F(CheckTest, WhatIsNoArchive) {
  writeFile(path_, "");
  EXPECT_EQ(problems(), "an empty file, not a database, so no archive of fdcapture\n");
  writeFile(path_, whole_archive_.substr(0, whole_archive_.size() - 1));
  EXPECT_EQ(problems().rfind("cut: ", 0), 0U) << problems();
  EXPECT_THROW(checkArchive(CheckOptions{.database = folder_.file("missing.db")}),
               std::system_error);
}

TEST_F(CheckTest, AJournalBesideIt) {
  writeFile(path_ + "-journal", "x");
  EXPECT_NE(problems().find("-journal beside it"), std::string::npos);
}

TEST_F(CheckTest, AnotherSchema) {
  SQLite::Database(path_, SQLite::OPEN_READWRITE).exec("CREATE TABLE extra (a)");
  EXPECT_EQ(problems(), "the schema is not the one of this format version\n");
}

TEST_F(CheckTest, DamagedPages) {
  // Page by page but for the first: none goes unnoticed, and each is a line.
  for (size_t page = 1; page < whole_archive_.size() / 4096; ++page) {
    std::string content = whole_archive_;
    content.replace(page * 4096, 64, std::string(64, '\xff'));
    writeFile(path_, content);
    EXPECT_NE(problems(), "") << page;
  }
}

TEST_F(CheckTest, EachTableWithAWrongValueIsNamed) {
  writeFile(path_, whole_archive_);
  SQLite::Database(path_, SQLite::OPEN_READWRITE)
      .exec("UPDATE fd_change SET change = 7; UPDATE second_look SET outcome = 9");
  EXPECT_EQ(problems().rfind("table fd_change, row 1, column change: out of range\n"
                             "table second_look, row 1, column outcome: out of range\n"
                             "table chain, link 2 (snapshot 1): the rows of the snapshot",
                             0),
            0U)
      << problems();
}

TEST_F(CheckTest, WhatRefersToNothing) {
  expectFound({{"UPDATE fd_change SET process = 99", "no such process"},
               {"UPDATE snapshot SET recording = 9 WHERE id = 6", "no such recording"},
               {"DELETE FROM text WHERE id = 1", "no such text"},
               {"DELETE FROM address WHERE id = 1", "no such address"}});
}

TEST_F(CheckTest, ARecordingThatDoesNotStartWithAKeyframe) {
  expectFound({{"UPDATE snapshot SET keyframe = 0 WHERE id = 1", "no keyframe at the start"},
               {"DELETE FROM snapshot WHERE id = 6", "no such snapshot"}});
}

TEST_F(CheckTest, ChangesThatDoNotFitWhatWasThere) {
  expectFound({
      {"UPDATE fd_change SET fd = 70 WHERE snapshot = 3 AND change = 0",
       "(pid 7, 70): Gone, and it was not there"},
      {"UPDATE inet_change SET change = 2 WHERE snapshot = 2 AND change = 1",
       "Changed, and it was not there"},
      {"UPDATE inet_change SET change = 1 WHERE snapshot = 2 AND change = 2",
       "Appeared, and it was there already"},
      {"UPDATE inet_change SET change = 3 WHERE snapshot = 2 AND change = 2",
       "Present, outside a keyframe, and it was there already"},
      {"UPDATE fd_change SET change = 1 WHERE snapshot = 1 AND fd = 4",
       "a change in the first snapshot of a recording"},
      {"INSERT INTO fd_change SELECT * FROM fd_change WHERE snapshot = 2",
       "it comes after rows of snapshot"},
      {"UPDATE fd_change SET fd = 4 WHERE snapshot = 2", "a second row in one snapshot"},
      {"UPDATE inet_gone SET inode = 7777",
       "table inet_gone, row 1, snapshot 3 (inode 7777): Gone, and it was not there"},
      {"UPDATE inet_gone SET snapshot = 2, inode = 501", "(inode 501): Gone, and a table lists it"},
  });
}

TEST_F(CheckTest, AKeyframeThatLacksSomething) {
  expectFound({
      {"DELETE FROM fd_change WHERE snapshot = 4 AND fd = 3",
       "table fd_change, snapshot 4 (pid 7, 3): the keyframe lacks what was there"},
      {"DELETE FROM process_change WHERE snapshot = 4", "(pid 7): the keyframe lacks"},
      {"DELETE FROM limit_change WHERE snapshot = 4",
       "(pid 7, Max open files): the keyframe lacks"},
      {"DELETE FROM epoll_watch_change WHERE snapshot = 4", "the keyframe lacks"},
      {"DELETE FROM inet_change WHERE snapshot = 4", "(tcp of netns 1, inode 501"},
      {"DELETE FROM inet_gone", "(tcp of netns 1, inode 500"},
      {"DELETE FROM unix_change WHERE snapshot = 4", "/run/x): the keyframe lacks"},
      {"DELETE FROM netlink_change WHERE snapshot = 4", "the keyframe lacks"},
      {"DELETE FROM packet_change WHERE snapshot = 4", "the keyframe lacks"},
      {"DELETE FROM sockstat_change WHERE snapshot = 4", "TCP.inuse): the keyframe lacks"},
  });
}

TEST_F(CheckTest, WhatBelongsToNothing) {
  expectFound({
      {"UPDATE autopsy SET fd = 99", "table autopsy, row 1, snapshot 3 (pid 7, fd 99): what it"},
      {"UPDATE second_look SET fd = 99", "table second_look, row 1"},
      {"UPDATE fd_position_change SET fd = 99", "table fd_position_change, row 1"},
      {"UPDATE inet_queue_change SET inode = 50", "table inet_queue_change, row 1"},
      {"DELETE FROM net_table_change WHERE net_table = 1", "table time_wait_change, row 1"},
      {"DELETE FROM net_table_change WHERE net_table = 1", "its table is not read"},
      {"DELETE FROM process_change WHERE process = 2", "what it belongs to is not there"},
      {"DELETE FROM fd_change WHERE fd = 6", "table epoll_watch_change, row 1"},
  });
}

TEST_F(CheckTest, RowsOfAnotherRecording) {
  expectFound({{"UPDATE fd_change SET process = 3 WHERE snapshot < 6",
                "its process is not one of recording 1"},
               {"UPDATE inet_change SET netns = 2 WHERE snapshot < 6",
                "its netns is not one of recording 1"},
               {"UPDATE process SET recording = 2", "its process is not one of recording 1"}});
}

TEST_F(CheckTest, TextsAndAddressesAreStoredAnewAfterAKeyframe) {
  expectFound({{"UPDATE text SET snapshot = 1 WHERE snapshot = 4",
                "its text or address is not one of those stored since the last keyframe"},
               {"UPDATE address SET snapshot = 5", "table inet_change, row 1, snapshot 1"}});
}

TEST_F(CheckTest, ClocksThatGoBack) {
  expectFound(
      {{"UPDATE snapshot SET boottime_ns = 1 WHERE id = 3",
        "table snapshot, snapshot 3: its boottime_ns goes back"},
       {"UPDATE snapshot SET monotonic_ns = 1 WHERE id = 3", "its monotonic_ns goes back"}});
}

TEST_F(CheckTest, ColumnsOfWhatIsGone) {
  expectFound(
      {{"UPDATE fd_change SET link_type = 1 WHERE change = 0", "columns are filled or empty"},
       {"UPDATE fd_change SET link_type = NULL WHERE change = 1", "columns are filled or"},
       {"UPDATE fd_change SET link_number = NULL WHERE fd = 3", "columns are filled or"},
       {"UPDATE inet_change SET state = NULL WHERE change = 2", "columns are filled or"},
       {"UPDATE process_change SET comm = 1 WHERE change = 0", "columns are filled or"}});
}

TEST_F(CheckTest, OfManyAlikeTheFirstAreSaid) {
  const std::string found = problemsAfter("DELETE FROM process_change WHERE process = 1");
  EXPECT_NE(found.find(" more: what it belongs to is not there\n"), std::string::npos) << found;
}

// Rows before a keyframe may be dropped, and what the keyframe says of them stays.
TEST_F(CheckTest, WhatBeginsAtALaterKeyframeHolds) {
  SQLite::Database database(path_, SQLite::OPEN_READWRITE);
  dropSnapshotsBefore(database, 4, "keep");
  EXPECT_EQ(problems(), "");  // what is left of them says nothing
  while (removeRemains(database, 4, 1000)) {
  }
  // As if the fd had been closed in the keyframe.
  database.exec(
      "INSERT INTO fd_change (rowid, snapshot, process, fd, change) VALUES (0, 4, 1, 70, 0)");
  forgeChain(database);
  EXPECT_EQ(problems(), "");
}

TEST_F(CheckTest, ARecordingWithoutEndIsToBeKnown) {
  EXPECT_EQ(problemsAfter("DELETE FROM recording_end WHERE recording = 2;"
                          "DELETE FROM chain WHERE kind = 4 AND subject = 2"),
            "");
  EXPECT_EQ(checkArchive({.database = path_}).doubts.size(), 1U);
}

}  // namespace

}  // namespace fdmortem::test
