// What analyze/import/import.h promises, through the whole of Analysis: what is no archive is
// refused.
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

namespace {

/// Something in every table.
std::vector<Snapshot> snapshots() {
  Snapshot first =
      snapshotOf({processWith({socketFd(3, 500), fileFd(4, "/x")})}, {netnsWith({tcpRow(500)})});
  FdRecord epoll = fileFd(6, "anon_inode:[eventpoll]");
  epoll.info->watches = {{.watched_fd = 3, .events = 1, .data = 8, .position = 0, .inode = 500}};
  epoll.info->position = 12;
  first.processes[0].fds.push_back(epoll);
  NetnsRecord& netns = first.namespaces[0];
  netns.inet[0][0].rx_queue = 7;
  netns.unix_rows = {{.row = {.inode = 9, .path = "/run/x"}}};
  netns.netlink_rows = {{.inode = 10}};
  netns.packet_rows = {{.inode = 11}};
  netns.sockstat[0] = {{"TCP.inuse", 3}};
  netns.time_wait[0] = {{.local_port = uint16_t{9091}, .count = 4}};
  first.failures = {
      {.operation = "read", .subject = "7/x", .pid = 7, .error_number = 13, .detail = {}}};
  Snapshot second = first;
  second.namespaces[0].inet[0].clear();
  second.second_looks = {{.process = {7, 1000}, .fd = 3, .table_reads = 2}};
  // Not connected when it was asked: so the verdict is left to the history.
  second.autopsies = {std::make_shared<const AutopsyRecord>(
      AutopsyRecord{.inode = 1, .process = {7, 1000}, .fd = 9, .state = 7, .peer_error = 107})};
  return {first, second, second};
}

class ImportTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const TemporaryDirectory folder;
    writeArchive(folder.file("a.db"), snapshots());
    SQLite::Database(folder.file("a.db"), SQLite::OPEN_READWRITE)
        .exec(
            "INSERT INTO delay VALUES (2, 'slow', 0);"
            "INSERT INTO recorder_event VALUES (1, 1, 5, 6, 'burst-began', 'process 7');"
            "INSERT INTO dropped VALUES ('keep', 3, 1, 2, 0);"
            "INSERT INTO verbatim VALUES (1, 1, NULL, 3, zeroblob(32), x'00')");
    whole_archive_ = contentOf(folder.file("a.db"));
  }

  ImportTest() { writeFile(path_, whole_archive_); }

  void edit(const std::string& sql) const {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE);
    database.exec("PRAGMA synchronous = OFF");
    database.exec(sql);
  }
  /// Edits a table as if it were not STRICT and had no NOT NULL.
  void editLoosely(const std::string& table, const std::string& sql) const {
    SQLite::Database schema(path_, SQLite::OPEN_READWRITE);
    schema.exec("PRAGMA writable_schema = ON");
    const std::string text =
        schema.execAndGet("SELECT sql FROM sqlite_schema WHERE name = '" + table + "'").getString();
    schema.exec(
        "UPDATE sqlite_schema SET sql = replace(replace(replace(replace(sql, ' STRICT', ''), "
        "' NOT NULL', ''), ' INTEGER,', ','), ' TEXT', '') WHERE name = '" +
        table + "'");
    edit(sql);
    SQLite::Statement restore(schema, "UPDATE sqlite_schema SET sql = ? WHERE name = ?");
    restore.bind(1, text);
    restore.bind(2, table);
    restore.exec();
  }

  /// Why the archive is refused; empty: it is not. Looks that nothing happened to it.
  std::string refusal() const {
    const std::string before = contentOf(path_);
    std::string reason;
    try {
      const Analysis analysis(path_, {});
    } catch (const std::exception& error) {
      reason = error.what();
    }
    EXPECT_TRUE(contentOf(path_) == before) << "the archive was changed";
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), files_);
    return reason;
  }
  /// As `refusal`, after an edit of a fresh archive: one line with the path and the table.
  void expectRefused(const std::string& sql, const std::string& table) {
    writeFile(path_, whole_archive_);
    edit(sql);
    expectRefusalNames(table, sql);
  }
  void expectRefusalNames(const std::string& table, const std::string& sql) {
    const std::string reason = refusal();
    EXPECT_TRUE(reason.starts_with(path_ + ": ")) << sql << "\n" << reason;
    EXPECT_NE(reason.find(table), std::string::npos) << sql << "\n" << reason;
    EXPECT_EQ(reason.find('\n'), std::string::npos) << sql << "\n" << reason;
  }

  static std::string whole_archive_;
  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
  int files_ = 1;
};

std::string ImportTest::whole_archive_;

TEST_F(ImportTest, TakesAnArchive) {
  EXPECT_EQ(refusal(), "");
  const Analysis analysis(path_, {});
  EXPECT_TRUE(analysis.doubts().empty());
  EXPECT_EQ(analysis.sha256().size(), 64U);
  const auto outlived = analysis.query("SELECT fd, proof, remote FROM outlived");
  ASSERT_EQ(outlived.rows.size(), 1U);
  EXPECT_EQ(outlived.rows[0], (std::vector<Value>{int64_t{3}, "history", "198.51.100.7:40500"}));
}

TEST_F(ImportTest, EveryTableHasRowsToSpoil) {
  SQLite::Database database(path_, SQLite::OPEN_READONLY);
  SQLite::Statement tables(database, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  while (tables.executeStep()) {
    const std::string name = tables.getColumn(0).getString();
    EXPECT_GT(database.execAndGet("SELECT count(*) FROM " + name).getInt(), 0) << name;
  }
}

TEST_F(ImportTest, ValuesOutOfRange) {
  struct {
    const char* table;
    const char* change;
  } const cases[] = {
      {"recording", "clock_ticks_per_second = 0"},
      {"recording", "interval_ms = -1"},
      {"recording_end", "recording = -1"},
      {"recording", "recorder_login_uid = 4294967296"},
      {"recording", "keeps_texts = 2"},
      {"recorder_event", "id = 0 WHERE id = 1"},
      {"chain", "kind = 6 WHERE id = 1"},
      {"chain", "kind = 0 WHERE id = 1"},
      {"chain", "subject = -1 WHERE id = 1"},
      {"chain", "previous = x'00' WHERE id = 1"},
      {"chain", "value = zeroblob(33) WHERE id = 1"},
      {"verbatim", "part = 3"},
      {"verbatim", "base = 2"},
      {"verbatim", "size = 268435457"},
      {"verbatim", "digest = x''"},
      {"snapshot", "keyframe = 2"},
      {"snapshot", "late_us = -1"},
      {"snapshot", "boottime_ns = -1"},
      {"process", "pid = 0"},
      {"process", "pid = 4294967296"},
      {"process", "start_ticks = -1"},
      {"process_change", "change = 4"},
      {"process_change", "fd_list_status = 5"},
      {"process_change", "real_uid = 4294967296"},
      {"limit_change", "change = -1"},
      {"fd_change", "fd = -1"},
      {"fd_change", "change = 4"},
      {"fd_change", "link_type = 4"},
      {"fd_change", "file_type = 16"},
      {"fd_position_change", "fd = 2147483648"},
      {"epoll_watch_change", "change = 4"},
      {"second_look", "outcome = 0"},
      {"second_look", "outcome = 5"},
      {"second_look", "table_reads = 3"},
      {"net_table_change", "net_table = 16"},
      {"net_table_change", "net_table = 0"},
      {"net_table_change", "status = 5"},
      {"inet_change", "net_table = 11"},
      {"inet_change", "change = 4"},
      {"inet_change", "inode = -1"},
      {"inet_change", "local_port = 65536"},
      {"inet_change", "remote_port = -1"},
      {"inet_change", "state = 256"},
      {"inet_gone", "inode = 0"},
      {"inet_queue_change", "rx_queue = -1"},
      {"time_wait_change", "local_port = 65536"},
      {"time_wait_change", "count = -1"},
      {"unix_change", "type = -1"},
      {"netlink_change", "change = 4"},
      {"packet_change", "running = 2"},
      {"sockstat_change", "net_table = 13"},
      {"failure", "count = -1"},
  };
  for (const auto& [table, change] : cases) {
    expectRefused(std::string("UPDATE ") + table + " SET " + change, table);
  }
}

TEST_F(ImportTest, ReferencesToWhatIsNotThere) {
  struct {
    const char* table;
    const char* column;
  } const cases[] = {
      {"snapshot", "recording"},         {"failure", "snapshot"},
      {"process", "recording"},          {"process_change", "snapshot"},
      {"process_change", "process"},     {"process_change", "comm"},
      {"process_change", "cmdline"},     {"process_change", "netns"},
      {"limit_change", "resource"},      {"fd_change", "process"},
      {"fd_change", "link_text"},        {"fd_change", "protocol"},
      {"fd_position_change", "process"}, {"epoll_watch_change", "snapshot"},
      {"second_look", "process"},        {"netns", "recording"},
      {"net_table_change", "netns"},     {"inet_change", "netns"},
      {"inet_change", "local_address"},  {"inet_change", "remote_address"},
      {"inet_queue_change", "netns"},    {"time_wait_change", "snapshot"},
      {"unix_change", "path"},           {"netlink_change", "netns"},
      {"packet_change", "netns"},        {"sockstat_change", "snapshot"},
      {"inet_gone", "snapshot"},
  };
  for (const auto& [table, column] : cases) {
    expectRefused(std::string("UPDATE ") + table + " SET " + column + " = 999999", table);
  }
}

TEST_F(ImportTest, AnEndOfARecordingThatIsNotThere) {
  expectRefused("INSERT INTO recording_end VALUES (7, 1, 'count', 1)", "recording_end");
}

TEST_F(ImportTest, ValuesOfAWrongType) {
  struct {
    const char* table;
    const char* change;
  } const cases[] = {
      {"snapshot", "wall_ns = 'now'"},  {"fd_change", "fd = 'x'"},
      {"text", "value = 'no blob'"},    {"process", "pid = 1.5"},
      {"failure", "operation = 7"},     {"inet_change", "local_port = 'x'"},
      {"snapshot", "keyframe = x'00'"}, {"address", "value = 7"},
  };
  for (const auto& [table, change] : cases) {
    writeFile(path_, whole_archive_);
    editLoosely(table, std::string("UPDATE ") + table + " SET " + change);
    expectRefusalNames(table, change);
  }
}

TEST_F(ImportTest, NullsThatAreNotAllowed) {
  struct {
    const char* table;
    const char* column;
  } const cases[] = {
      {"snapshot", "wall_ns"}, {"snapshot", "recording"},  {"text", "value"},
      {"process", "pid"},      {"fd_change", "fd"},        {"fd_change", "process"},
      {"failure", "count"},    {"inet_change", "inode"},   {"inet_change", "local_address"},
      {"netns", "inode"},      {"recording", "host_name"}, {"second_look", "outcome"},
      {"inet_gone", "inode"},
  };
  for (const auto& [table, column] : cases) {
    writeFile(path_, whole_archive_);
    const std::string sql = std::string("UPDATE ") + table + " SET " + column + " = NULL";
    editLoosely(table, sql);
    expectRefusalNames(table, sql);
  }
}

TEST_F(ImportTest, AnAddressOfAnotherLength) {
  expectRefused("UPDATE address SET value = x'0102030405'", "address");
  expectRefused("UPDATE address SET value = x''", "address");
}

TEST_F(ImportTest, ARecordingThatDoesNotStartWithAKeyframe) {
  expectRefused("UPDATE snapshot SET keyframe = 0", "snapshot");
}

TEST_F(ImportTest, ASchemaThatIsNotTheOneOfTheVersion) {
  for (const char* sql :
       {"CREATE TABLE extra (a)", "CREATE VIEW extra AS SELECT 1",
        "CREATE TRIGGER extra AFTER INSERT ON text BEGIN SELECT 1; END",
        "CREATE INDEX extra ON text (snapshot)", "DROP TABLE sockstat_change",
        "ALTER TABLE netns ADD COLUMN extra INTEGER", "ALTER TABLE netns RENAME TO names"}) {
    expectRefused(sql, "the schema");
  }
}

TEST_F(ImportTest, ASchemaThatSqliteDoesNotUnderstand) {
  expectRefused(
      "PRAGMA writable_schema = ON;"
      "UPDATE sqlite_master SET sql = 'CREATE TABLE netns (\n `x' WHERE name = 'netns'",
      "malformed database schema (netns)");
  EXPECT_EQ(refusal(), path_ + ": malformed database schema (netns)");
}

TEST_F(ImportTest, AnotherVersion) {
  expectRefused("PRAGMA user_version = 1", "archive format version 1");
}

TEST_F(ImportTest, ADatabaseOfAnotherProgram) {
  expectRefused("PRAGMA application_id = 0", "another program");
}

TEST_F(ImportTest, AFileThatIsCut) {
  for (const size_t length : {size_t{0}, size_t{1}, size_t{99}, size_t{100}, size_t{4096},
                              whole_archive_.size() / 2, whole_archive_.size() - 1}) {
    writeFile(path_, whole_archive_.substr(0, length));
    EXPECT_TRUE(refusal().starts_with(path_ + ": ")) << length << " " << refusal();
  }
}

TEST_F(ImportTest, AFileThatIsNotThere) {
  path_ = folder_.file("missing.db");
  files_ = 1;
  EXPECT_EQ(refusal(), path_ + ": No such file or directory");
}

TEST_F(ImportTest, AJournalBesideIt) {
  writeFile(path_ + "-journal", "x");
  files_ = 2;
  expectRefusalNames("-journal", "");
  EXPECT_EQ(contentOf(path_ + "-journal"), "x");
}

TEST_F(ImportTest, NamesAreMadePrintable) {
  edit(
      "UPDATE text SET value = CAST('a' || char(10) || char(27) AS BLOB) WHERE id = "
      "(SELECT comm FROM process_change LIMIT 1)");
  const Analysis analysis(path_, {});
  EXPECT_EQ(analysis.query("SELECT DISTINCT comm FROM processes").rows,
            (std::vector<std::vector<Value>>{{"a\\n\\x1b"}}));
}

TEST_F(ImportTest, TheWordsOfTheCommandLineAreMadePrintable) {
  const auto options = [&](const std::string& text) {
    edit("UPDATE recording SET options = '" + text + "'");
    return std::get<std::string>(
        Analysis(path_, {}).query("SELECT options FROM recording").rows.at(0).at(0));
  };
  EXPECT_EQ(options(R"(["a\"b", "\u00e9\u001b", "\\"])"), R"(["a\"b","é\\x1b","\\\\"])");
  // None of fdcapture's.
  EXPECT_EQ(options(R"([["a"]])"), R"([["a"]])");
  EXPECT_EQ(options(R"([1, "\u001b"])"), R"([1, "\\u001b"])");
  EXPECT_EQ(options("[\x1b"), R"([\x1b)");
}

TEST_F(ImportTest, ARecordingWithoutEndIsDoubted) {
  edit("DELETE FROM recording_end");
  EXPECT_EQ(refusal(), "");
  const Analysis analysis(path_, {});
  ASSERT_EQ(analysis.doubts().size(), 1U);
  EXPECT_TRUE(analysis.doubts()[0].starts_with("recording 1 has no end"));
}

TEST_F(ImportTest, AProcessIsOneThroughAllRecordingsOfABoot) {
  writeArchive(path_, snapshots());
  const Analysis analysis(path_, {});
  EXPECT_EQ(analysis.query("SELECT count(*) FROM process").rows[0][0], Value(int64_t{1}));
  EXPECT_EQ(analysis.query("SELECT count(*) FROM netns").rows[0][0], Value(int64_t{1}));
  EXPECT_EQ(analysis.query("SELECT first_snapshot, last_snapshot FROM processes").rows[0],
            (std::vector<Value>{int64_t{1}, int64_t{6}}));
}

TEST_F(ImportTest, ARebootMakesAnotherProcessOfTheSamePidAndStart) {
  writeArchive(path_, snapshots(), "another boot");
  const Analysis analysis(path_, {});
  EXPECT_EQ(analysis.query("SELECT count(*) FROM process").rows[0][0], Value(int64_t{2}));
  EXPECT_EQ(analysis.query("SELECT count(*) FROM netns").rows[0][0], Value(int64_t{2}));
}

// --- queries ---

TEST_F(ImportTest, AQueryCanOnlyRead) {
  const Analysis analysis(path_, {});
  for (const char* sql :
       {"DELETE FROM snapshot", "CREATE TABLE x (a)", "CREATE TEMP TABLE x (a)",
        "DROP TABLE fd_span", "ATTACH 'x.db' AS x", "PRAGMA query_only = OFF", "VACUUM INTO 'x.db'",
        "BEGIN", "UPDATE setting SET value = 1", "SELECT load_extension('x')"}) {
    EXPECT_THROW(analysis.query(sql), std::exception) << sql;
  }
}

TEST_F(ImportTest, AQueryIsOneStatement) {
  const Analysis analysis(path_, {});
  EXPECT_THROW(analysis.query(""), std::runtime_error);
  EXPECT_THROW(analysis.query("-- nothing"), std::runtime_error);
  EXPECT_THROW(analysis.query("SELECT 1; SELECT 2"), std::runtime_error);
  EXPECT_THROW(analysis.query("SELEC 1"), std::runtime_error);
  EXPECT_EQ(analysis.query("SELECT 1; -- end").rows.size(), 1U);
}

TEST_F(ImportTest, AQueryGivesTypedValues) {
  const Analysis analysis(path_, {});
  const auto result = analysis.query("SELECT 1 AS a, 0.5, 'x', NULL, x'ff', ?", {std::string("y")});
  EXPECT_EQ(result.columns[0], "a");
  EXPECT_EQ(result.rows[0], (std::vector<Value>{int64_t{1}, 0.5, "x", Value(), "\\xff", "y"}));
}

}  // namespace

}  // namespace fdmortem::test
