// What analyze/evidence promises: every edit of a row or text of a recording is found, by the hash
// chain, by the texts, or by a head that was written down.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "analyze/check/check.h"
#include "analyze/evidence/archived_file.h"
#include "analyze/show_command.h"
#include "tests/support/forged_chain.h"
#include "tests/support/real_archive.h"
#include "tests/support/sockets.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

std::string oneLine(const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& problem : problems)
    text += problem + "\n";
  return text;
}

/// Two recordings of a process with files, an epoll and connections, one of which dies.
class EvidenceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const TemporaryDirectory folder;
    const std::string path = folder.file("a.db");
    const Socket listener = listenOn("127.0.0.1");
    Socket client, server, other;
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    const int event = eventfd(3, EFD_CLOEXEC);
    epoll_event watch{.events = EPOLLIN, .data = {.u64 = 7}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &watch);
    const auto connect = [&] {
      client = connectTo(listener.local());
      server = listener.accept();
      client.send("unread");
    };
    recordOwnProcess(path, {connect, [&] { client.reset(); },
                            [&] { other = Socket(AF_INET, SOCK_DGRAM); }, [&] { other.close(); }});
    head_ = recordOwnProcess(path, {[] {}, [] {}});
    ::close(event);
    ::close(epoll);
    whole_ = contentOf(path);
  }

  EvidenceTest() { writeFile(path_, whole_); }

  std::string problems(const std::optional<Digest>& head = {}) const {
    return oneLine(checkArchive({.database = path_, .head = head}).problems);
  }

  /// What is found after an edit of a fresh copy; empty optional: the edit changed nothing.
  std::optional<std::string> problemsAfter(const std::function<bool(SQLite::Database&)>& edit,
                                           bool forges = false,
                                           const std::optional<Digest>& head = {}) {
    writeFile(path_, whole_);
    {
      SQLite::Database database(path_, SQLite::OPEN_READWRITE);
      database.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
      if (!edit(database)) return {};
      if (forges) forgeChain(database);
    }
    return problems(head);
  }
  std::optional<std::string> problemsAfter(const std::string& sql, bool forges = false,
                                           const std::optional<Digest>& head = {}) {
    return problemsAfter(
        [&](SQLite::Database& database) {
          const int changed = database.exec(sql);
          EXPECT_GT(changed, 0) << sql;
          return true;
        },
        forges, head);
  }

  static std::string whole_;
  static Digest head_;
  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
};

std::string EvidenceTest::whole_;
Digest EvidenceTest::head_;

struct Column {
  std::string name;
  std::string type;
};

std::vector<std::string> tablesOf(SQLite::Database& database) {
  std::vector<std::string> tables;
  SQLite::Statement query(database, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  while (query.executeStep())
    tables.push_back(query.getColumn(0).getString());
  return tables;
}

std::vector<Column> columnsOf(SQLite::Database& database, const std::string& table) {
  std::vector<Column> columns;
  SQLite::Statement query(database, "SELECT name, type FROM pragma_table_info(?)");
  query.bind(1, table);
  while (query.executeStep())
    columns.push_back({query.getColumn(0).getString(), query.getColumn(1).getString()});
  return columns;
}

std::vector<int64_t> sampleOf(SQLite::Database& database, const std::string& table) {
  std::vector<int64_t> rows;
  SQLite::Statement query(
      database,
      fmt::format("SELECT DISTINCT id FROM (SELECT min(rowid) AS id FROM {0} UNION ALL SELECT"
                  " max(rowid) FROM {0} UNION ALL SELECT * FROM (SELECT rowid FROM {0} ORDER BY"
                  " rowid LIMIT 1 OFFSET (SELECT count(*) / 2 FROM {0}))) WHERE id NOT NULL",
                  table));
  while (query.executeStep())
    rows.push_back(query.getColumn(0).getInt64());
  return rows;
}

/// Values of the column's type that are none of the row's, as SQL.
std::vector<std::string> otherValues(const Column& column) {
  const std::string& name = column.name;
  if (column.type == "INTEGER") {
    return {fmt::format("coalesce({}, 0) + 1", name),
            fmt::format("iif({} IS NULL, 0, NULL)", name)};
  }
  const std::string cast = fmt::format("CAST(coalesce({}, '') AS BLOB)", name);
  if (column.type == "BLOB") {
    return {
        fmt::format("CAST(substr({0}, 1, length({0}) - 1) || iif(substr({0}, -1) = x'41', x'42',"
                    " x'41') AS BLOB)",
                    cast)};
  }
  return {fmt::format("coalesce({}, '') || 'x'", name),
          fmt::format("iif({} IS NULL, '', NULL)", name)};
}

/// False if a constraint of the table does not allow it, or it leaves all as it was.
bool changes(SQLite::Database& database, const std::string& sql) {
  try {
    return database.exec(sql) > 0;
  } catch (const SQLite::Exception&) {
    return false;
  }
}

TEST_F(EvidenceTest, ARecordingHolds) {
  const CheckResult result = checkArchive({.database = path_});
  EXPECT_EQ(oneLine(result.problems), "");
  EXPECT_EQ(result.head, toHex(head_));
  EXPECT_GE(result.texts, 6);
}

TEST_F(EvidenceTest, EachChangedValueIsFound) {
  SQLite::Database original(path_, SQLite::OPEN_READONLY);
  int edits = 0;
  for (const std::string& table : tablesOf(original)) {
    for (const Column& column : columnsOf(original, table)) {
      for (const int64_t row : sampleOf(original, table)) {
        for (const std::string& value : otherValues(column)) {
          const std::string sql =
              fmt::format("UPDATE {} SET {} = {} WHERE rowid = {}", table, column.name, value, row);
          const auto found =
              problemsAfter([&](SQLite::Database& database) { return changes(database, sql); });
          if (!found) continue;
          ++edits;
          EXPECT_NE(*found, "") << sql;
        }
      }
    }
  }
  EXPECT_GT(edits, 400);
}

TEST_F(EvidenceTest, EachRowTooFewTooManyOrInAnotherPlaceIsFound) {
  SQLite::Database original(path_, SQLite::OPEN_READONLY);
  for (const std::string& table : tablesOf(original)) {
    const std::vector<int64_t> rows = sampleOf(original, table);
    std::vector<std::string> edits;
    for (const int64_t row : rows) {
      edits.push_back(fmt::format("DELETE FROM {} WHERE rowid = {}", table, row));
      std::string columns, values;
      for (const Column& column : columnsOf(original, table)) {
        const bool is_key = column.name == "id" || table == "recording_end";
        columns += (columns.empty() ? "" : ", ") + column.name;
        values += (values.empty() ? "" : ", ") +
                  (is_key && columns == column.name
                       ? fmt::format("(SELECT max(rowid) + 1 FROM {})", table)
                       : column.name);
      }
      edits.push_back(fmt::format("INSERT INTO {0} ({1}) SELECT {2} FROM {0} WHERE rowid = {3}",
                                  table, columns, values, row));
    }
    for (size_t i = 1; i < rows.size(); ++i) {
      edits.push_back(fmt::format(
          "UPDATE {0} SET rowid = -1 WHERE rowid = {1}; UPDATE {0} SET rowid = {1} WHERE rowid ="
          " {2}; UPDATE {0} SET rowid = {2} WHERE rowid = -1",
          table, rows[i - 1], rows[i]));
    }
    for (const std::string& sql : edits) {
      const auto found =
          problemsAfter([&](SQLite::Database& database) { return changes(database, sql); });
      EXPECT_NE(found.value_or("it could not be done"), "") << sql;
    }
  }
}

TEST_F(EvidenceTest, AFrameInThePlaceOfAnotherIsFound) {
  for (const int snapshot : {1, 2, 3, 6}) {
    const auto found = problemsAfter(
        fmt::format("UPDATE verbatim SET (size, frame) = (SELECT size, frame FROM verbatim WHERE"
                    " snapshot = {} AND part = 1) WHERE snapshot = {} AND part = 1",
                    snapshot == 6 ? 5 : snapshot + 1, snapshot),
        true);
    ASSERT_TRUE(found);
    EXPECT_NE(found->find(fmt::format("table verbatim, snapshot {}, part 1", snapshot)),
              std::string::npos)
        << *found;
  }
}

TEST_F(EvidenceTest, RowsThatWereForgedWithTheirChainDifferFromTheTexts) {
  struct Case {
    const char* sql;
    const char* table;
  };
  const std::vector<Case> cases = {
      {"UPDATE snapshot SET files_allocated = files_allocated + 1 WHERE id = 2", "snapshot"},
      {"UPDATE snapshot SET uptime_ms = NULL WHERE id = 2", "snapshot"},
      {"UPDATE process_change SET parent_pid = 1 + parent_pid WHERE snapshot = 1",
       "process_change"},
      {"UPDATE process_change SET effective_uid = 77 WHERE snapshot = 1", "process_change"},
      {"UPDATE text SET value = CAST('sshd' AS BLOB) WHERE id = (SELECT comm FROM process_change)",
       "process_change"},
      {"UPDATE limit_change SET soft = 1 WHERE rowid = 8", "limit_change"},
      {"UPDATE epoll_watch_change SET events = 4 WHERE rowid = 1", "epoll_watch_change"},
      {"UPDATE inet_change SET state = 10 WHERE rowid = (SELECT max(rowid) FROM inet_change WHERE"
       " state = 1 AND net_table = 1 AND snapshot = 1)",
       "inet_change"},
      {"UPDATE inet_change SET uid = uid + 1 WHERE rowid = 1", "inet_change"},
      {"INSERT INTO inet_gone SELECT 6, inode FROM inet_change WHERE net_table = 1 AND inode > 0"
       " AND snapshot > 1 AND change > 0 AND inode NOT IN (SELECT inode FROM inet_gone) LIMIT 1",
       "inet_change"},
      {"UPDATE inet_queue_change SET rx_queue = rx_queue + 1 WHERE rowid = 1", "inet_queue_change"},
      {"UPDATE sockstat_change SET value = value + 1 WHERE rowid = 1", "sockstat_change"},
      {"UPDATE unix_change SET reference_count = 99 WHERE rowid = 1", "unix_change"},
      {"UPDATE netlink_change SET drops = 99 WHERE rowid = 1", "netlink_change"},
      {"INSERT INTO time_wait_change VALUES (6, (SELECT max(id) FROM netns), 1, 7, 3)",
       "time_wait_change"},
  };
  for (const auto& [sql, table] : cases) {
    const auto found = problemsAfter(sql, true);
    ASSERT_TRUE(found);
    EXPECT_NE(found->find(fmt::format("table {}, snapshot", table)), std::string::npos)
        << sql << "\n"
        << *found;
    EXPECT_NE(found->find("not as the text has it"), std::string::npos) << sql;
    EXPECT_EQ(found->find("table chain"), std::string::npos) << sql << "\n" << *found;
  }
}

/// Nothing in the file tells it, so only who has the head can.
TEST_F(EvidenceTest, AWholeForgeryIsFoundByTheHeadAlone) {
  const std::string sql = "UPDATE recording SET note = 'another' WHERE id = 1";
  EXPECT_EQ(problemsAfter(sql, true).value_or(""), "");
  const auto found = problemsAfter(sql, true, head_);
  EXPECT_NE(found.value_or("").find("the head given is none of its values"), std::string::npos);
}

TEST_F(EvidenceTest, WhatWasCutOffIsFoundByTheHeadAlone) {
  const auto cut = [](SQLite::Database& database) {
    for (const std::string& table : tablesOf(database)) {
      if (columnsOf(database, table).at(0).name == "snapshot" || table == "text" ||
          table == "address") {
        database.exec("DELETE FROM " + table + " WHERE snapshot = 6");
      }
    }
    database.exec(
        "DELETE FROM snapshot WHERE id = 6; DELETE FROM recording_end WHERE recording = 2;"
        "DELETE FROM chain WHERE id > (SELECT id FROM chain WHERE kind = 2 AND subject = 5);"
        "DELETE FROM recorder_event WHERE id NOT IN (SELECT subject FROM chain WHERE kind = 3)");
    return true;
  };
  EXPECT_EQ(problemsAfter(cut).value_or("?"), "");
  EXPECT_NE(problemsAfter(cut, false, head_).value_or(""), "");
}

TEST_F(EvidenceTest, AHeadOfLongAgoIsInTheChain) {
  SQLite::Database database(path_, SQLite::OPEN_READONLY);
  const std::string hex =
      database.execAndGet("SELECT lower(hex(value)) FROM chain WHERE id = 3").getString();
  const CheckResult result = checkArchive({.database = path_, .head = parseDigest(hex)});
  EXPECT_EQ(oneLine(result.problems), "");
  EXPECT_EQ(result.known_head.rfind("link 3; ", 0), 0U) << result.known_head;
  EXPECT_NE(checkArchive({.database = path_, .head = head_}).known_head.find("the last one"),
            std::string::npos);
  EXPECT_NE(oneLine(checkArchive({.database = path_, .head = Digest{1}}).problems), "");
}

TEST(ShownOnATerminal, IsInert) {
  EXPECT_EQ(forTerminal("a\tb\n\x1b[31mc\rd"), "a\tb\n\\x1b[31mc\\rd\n");
  EXPECT_EQ(forTerminal("\xff\xe2\x80\xae\n"), "\\xff\\u{202e}\n");
  EXPECT_EQ(forTerminal(""), "");
}

TEST_F(EvidenceTest, AnArchivedFileOfASnapshotThatWasEditedIsNotShown) {
  SQLite::Database database(path_, SQLite::OPEN_READWRITE);
  const std::string limits = fmt::format("{}/limits", getpid());
  ASSERT_TRUE(archivedFile(database, 2, limits, false));
  database.exec("UPDATE verbatim SET digest = zeroblob(32) WHERE snapshot = 2");
  const auto file = archivedFile(database, 2, limits, false);
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().find("not the text that its digest speaks for"), std::string::npos);
}

}  // namespace
}  // namespace fdmortem::test
