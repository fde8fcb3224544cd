// fdanalyze export: what other programs get is what fdanalyze says.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "analyze/analysis.h"
#include "analyze/export_command.h"
#include "tests/support/eventful_snapshots.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

namespace {

using Json = nlohmann::json;

/// The tables of an analysis that are exported.
std::vector<std::string> tablesOf(const Analysis& analysis) {
  const ResultTable rows = analysis.query(
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 1) <> '_'"
      " AND name NOT LIKE 'sqlite%' AND name <> 'diff' ORDER BY 1");
  std::vector<std::string> names;
  for (const auto& row : rows.rows)
    names.push_back(std::get<std::string>(row[0]));
  return names;
}

Value valueOf(const SQLite::Column& column) {
  if (column.isNull()) return {};
  if (column.isInteger()) return column.getInt64();
  if (column.isFloat()) return column.getDouble();
  return column.getString();
}

/// The records of a CSV text.
std::vector<std::vector<std::string>> parseCsv(const std::string& text) {
  std::vector<std::vector<std::string>> records;
  std::vector<std::string> record;
  std::string field;
  bool is_quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      field += text[++i];
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (!is_quoted && (c == ',' || c == '\n')) {
      record.push_back(std::exchange(field, {}));
      if (c == '\n') records.push_back(std::exchange(record, {}));
    } else if (is_quoted || c != '\r') {
      field += c;
    }
  }
  return records;
}

class Export : public testing::Test {
 protected:
  Export() {
    std::vector<Snapshot> first = eventfulSnapshots();
    for (Snapshot& snapshot : first) {
      snapshot.processes[0].comm = "=1+1,\"\n\x1b[31m\xff";
      snapshot.processes[0].cmdline = std::string("-x\0@y\0", 6);
      // Larger than a JavaScript number can be.
      snapshot.namespaces[0].netlink_rows[0].inode = 9'007'199'254'740'993;
    }
    writeWithKeyframe(first_, first);
    writeArchive(second_, {eventfulSnapshots()[0]}, "another boot");
  }

  ExportOptions options(ExportFormat format) const {
    return {.databases = {first_, second_}, .format = format, .output = output_};
  }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
      result.push_back(entry.path().filename());
    std::sort(result.begin(), result.end());
    return result;
  }

  TemporaryDirectory folder_;
  std::string first_ = folder_.file("first.db");
  std::string second_ = folder_.file("second.db");
  std::string output_ = folder_.file("output");
};

TEST_F(Export, AsSqlite) {
  EXPECT_EQ(runExport(options(ExportFormat::Sqlite)), 0);
  EXPECT_EQ(names(), (std::vector<std::string>{"first.db", "output", "second.db"}));
  struct stat status {};
  ASSERT_EQ(stat(output_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  SQLite::Database database(output_, SQLite::OPEN_READONLY);
  EXPECT_EQ(database.execAndGet("PRAGMA integrity_check").getString(), "ok");
  int64_t id = 0;
  for (const std::string& path : {first_, second_}) {
    const Analysis analysis(path, {});
    ++id;
    const auto tables = tablesOf(analysis);
    ASSERT_GT(tables.size(), 40U);
    for (const std::string& table : tables) {
      const ResultTable expected = analysis.query("SELECT * FROM " + table);
      SQLite::Statement query(database,
                              "SELECT * FROM " + table + " WHERE \"database\" = ? ORDER BY rowid");
      query.bind(1, id);
      EXPECT_STREQ(query.getColumnName(0), "database");
      size_t count = 0;
      for (; query.executeStep(); ++count) {
        ASSERT_LT(count, expected.rows.size()) << table;
        for (int i = 1; i < query.getColumnCount(); ++i) {
          const auto place = static_cast<size_t>(i) - 1;
          EXPECT_EQ(query.getColumnName(i), expected.columns[place]);
          EXPECT_EQ(valueOf(query.getColumn(i)), expected.rows[count][place])
              << table << "." << expected.columns[place];
        }
      }
      EXPECT_EQ(count, expected.rows.size()) << table;
    }
  }
  SQLite::Statement hosts(database, "SELECT id, path, sha256, host, boot_id FROM databases");
  ASSERT_TRUE(hosts.executeStep());
  EXPECT_EQ(hosts.getColumn(1).getString(), first_);
  EXPECT_EQ(hosts.getColumn(2).getString(), Analysis(first_, {}).sha256());
  ASSERT_TRUE(hosts.executeStep());
  EXPECT_EQ(hosts.getColumn(4).getString(), "another boot");
  EXPECT_FALSE(hosts.executeStep());
  EXPECT_EQ(database.execAndGet("SELECT type FROM pragma_table_info('fd_span') WHERE name = 'fd'")
                .getString(),
            "INTEGER");
  EXPECT_GE(database.execAndGet("SELECT count(*) FROM sqlite_schema WHERE type = 'index'").getInt(),
            20);
}

TEST_F(Export, AsNdjson) {
  EXPECT_EQ(runExport(options(ExportFormat::Ndjson)), 0);
  const Analysis analysis(first_, {});
  for (const std::string& table : tablesOf(analysis)) {
    const ResultTable expected = analysis.query("SELECT * FROM " + table);
    std::ifstream file(output_ + "/" + table + ".ndjson");
    ASSERT_TRUE(file) << table;
    size_t count = 0;
    for (std::string line; std::getline(file, line);) {
      const Json object = Json::parse(line);
      if (object.at("database") != 1) continue;
      ASSERT_LT(count, expected.rows.size()) << table;
      for (size_t i = 0; i < expected.columns.size(); ++i) {
        const Json& found = object.at(expected.columns[i]);
        const Value& value = expected.rows[count][i];
        if (const auto* number = std::get_if<int64_t>(&value)) {
          EXPECT_TRUE(found == *number || found == (*number != 0)) << table << " " << line;
        } else if (const auto* text = std::get_if<std::string>(&value)) {
          EXPECT_TRUE(found == *text || found.is_array()) << table << " " << line;
        }
      }
      ++count;
    }
    EXPECT_EQ(count, expected.rows.size()) << table;
  }
  std::stringstream netlink;
  netlink << std::ifstream(output_ + "/netlink_change.ndjson").rdbuf();
  EXPECT_NE(netlink.str().find("\"inode\":9007199254740993,"), std::string::npos);
}

TEST_F(Export, AsCsv) {
  EXPECT_EQ(runExport(options(ExportFormat::Csv)), 0);
  const Analysis analysis(first_, {});
  for (const std::string& table : tablesOf(analysis)) {
    const auto records = parseCsv(contentOf(output_ + "/" + table + ".csv"));
    ASSERT_FALSE(records.empty()) << table;
    const ResultTable expected = analysis.query("SELECT * FROM " + table);
    ASSERT_EQ(records[0].size(), expected.columns.size() + 1) << table;
    EXPECT_EQ(records[0][0], "database");
    EXPECT_EQ(std::vector<std::string>(records[0].begin() + 1, records[0].end()), expected.columns);
    size_t count = 0;
    for (const auto& record : records)
      count += record[0] == "1" ? 1 : 0;
    EXPECT_EQ(count, expected.rows.size()) << table;
  }
  const auto processes = parseCsv(contentOf(output_ + "/processes.csv"));
  const auto& columns = processes[0];
  const auto cell = [&](const std::string& name) {
    const auto place = std::find(columns.begin(), columns.end(), name) - columns.begin();
    return processes[1][static_cast<size_t>(place)];
  };
  EXPECT_EQ(cell("comm"), "'=1+1,\"\\n\\x1b[31m\\xff");
  EXPECT_EQ(cell("cmdline"), "'-x @y");
  // A number is a number, below zero too.
  const std::string time_wait = contentOf(output_ + "/setting.csv");
  EXPECT_EQ(time_wait.find("'"), std::string::npos);
}

TEST_F(Export, OfOneProcess) {
  ExportOptions one = options(ExportFormat::Sqlite);
  one.processes.pids = {8};
  EXPECT_EQ(runExport(one), 0);
  SQLite::Database database(output_, SQLite::OPEN_READONLY);
  const auto number = [&](const std::string& sql) { return database.execAndGet(sql).getInt(); };
  EXPECT_EQ(number("SELECT count(DISTINCT pid) FROM processes"), 1);
  EXPECT_EQ(number("SELECT count(*) FROM process WHERE pid = 8"), 2);
  EXPECT_EQ(number("SELECT count(*) FROM process"), 2);
  EXPECT_EQ(number("SELECT count(*) FROM sockets"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM verdict_span"), 0);
  EXPECT_EQ(number("SELECT count(*) FROM fd_span"), 2);
  EXPECT_GT(number("SELECT count(*) FROM inet_span"), 0);  // of the host
}

TEST_F(Export, OfAPartOfTheTime) {
  ExportOptions part = options(ExportFormat::Sqlite);
  part.databases = {first_};
  part.analysis.range.from_ns = 1'767'225'630'000'000'000;
  EXPECT_EQ(runExport(part), 0);
  SQLite::Database database(output_, SQLite::OPEN_READONLY);
  EXPECT_EQ(database.execAndGet("SELECT min(id) FROM snapshot").getInt(), 4);
}

TEST_F(Export, NeverTakesTheirPlace) {
  for (const ExportFormat format :
       {ExportFormat::Sqlite, ExportFormat::Csv, ExportFormat::Ndjson}) {
    writeFile(output_, "precious");
    EXPECT_THROW(runExport(options(format)), std::system_error);
    EXPECT_EQ(contentOf(output_), "precious");
    std::filesystem::remove(output_);
    std::filesystem::create_directory(output_);
    EXPECT_THROW(runExport(options(format)), std::system_error);
    EXPECT_TRUE(std::filesystem::is_empty(output_));
    std::filesystem::remove(output_);
    std::filesystem::create_symlink("nowhere", output_);
    EXPECT_THROW(runExport(options(format)), std::system_error);
    std::filesystem::remove(output_);
  }
  EXPECT_EQ(names(), (std::vector<std::string>{"first.db", "second.db"}));
}

TEST_F(Export, WhatFailsLeavesNothing) {
  writeFile(second_, "no archive");
  EXPECT_EQ(runExport(options(ExportFormat::Csv)), 3);
  EXPECT_TRUE(std::filesystem::exists(output_ + "/sockets.csv"));
  std::filesystem::remove_all(output_);
  writeFile(first_, "no archive");
  EXPECT_THROW(runExport(options(ExportFormat::Sqlite)), std::runtime_error);
  ExportOptions elsewhere = options(ExportFormat::Sqlite);
  elsewhere.output = folder_.file("missing/output");
  EXPECT_THROW(runExport(elsewhere), std::system_error);
  EXPECT_EQ(names(), (std::vector<std::string>{"first.db", "second.db"}));
}

}  // namespace

}  // namespace fdmortem::test
