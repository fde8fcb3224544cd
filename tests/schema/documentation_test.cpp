// That what is stored and what is derived is described.
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "schema/archive_file.h"
#include "schema/sql.h"

namespace fdmortem::test {

namespace {

using Columns = std::map<std::string, std::set<std::string>>;

std::vector<std::string> linesOf(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);)
    lines.push_back(line);
  return lines;
}

std::string wordAfter(const std::string& line, const std::string& prefix) {
  if (!line.starts_with(prefix)) return {};
  return line.substr(prefix.size(), line.find_first_of(" (", prefix.size()) - prefix.size());
}

/// The columns of each table of the archive.
Columns tablesOfArchive() {
  SQLite::Database database(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  createArchiveTables(database);
  Columns tables;
  SQLite::Statement query(
      database, "SELECT s.name, c.name FROM sqlite_schema s, pragma_table_info(s.name) c");
  while (query.executeStep()) {
    tables[query.getColumn(0).getString()].insert(query.getColumn(1).getString());
  }
  return tables;
}

/// What schema/README.md describes: rows that begin "| `column` |", maybe several columns in one,
/// below headings "### `table`".
Columns tablesOfReadme() {
  std::ifstream file(FDMORTEM_SCHEMA_FOLDER "/README.md");
  Columns tables;
  std::string table;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) {
      table = line.starts_with("### `") ? line.substr(5, line.find('`', 5) - 5) : std::string();
    } else if (!table.empty() && line.starts_with("| `")) {
      std::istringstream cell(line.substr(1, line.find('|', 1) - 1));
      for (std::string before, name;
           std::getline(cell, before, '`') && std::getline(cell, name, '`');)
        tables[table].insert(name);
    }
  }
  return tables;
}

TEST(Documentation, EachDerivedTableIsDescribed) {
  for (const sql::SqlFile& file : sql::views()) {
    std::string before;
    for (const std::string& line : linesOf(file.text)) {
      std::string name = wordAfter(line, "CREATE TABLE ");
      if (name.empty()) name = wordAfter(line, "CREATE VIEW ");
      if (!name.empty() && name[0] != '_') {
        EXPECT_TRUE(before.starts_with("--"))
            << "schema/views/" << file.name << ".sql: no comment before " << name;
      }
      before = line;
    }
  }
}

TEST(Documentation, EachColumnOfTheArchiveIsDescribed) {
  const Columns described = tablesOfReadme();
  for (const auto& [table, columns] : tablesOfArchive()) {
    const auto found = described.find(table);
    if (found == described.end()) {
      ADD_FAILURE() << "schema/README.md: nothing below a heading ### `" << table << "`";
      continue;
    }
    for (const std::string& column : columns) {
      EXPECT_TRUE(found->second.contains(column))
          << "schema/README.md, ### `" << table << "`: no row | `" << column << "` |";
    }
  }
}

TEST(Documentation, NothingIsDescribedThatIsNotThere) {
  const Columns tables = tablesOfArchive();
  for (const auto& [table, columns] : tablesOfReadme()) {
    const auto found = tables.find(table);
    if (found == tables.end()) {
      ADD_FAILURE() << "schema/README.md, ### `" << table << "`: there is no such table";
      continue;
    }
    for (const std::string& column : columns) {
      EXPECT_TRUE(found->second.contains(column))
          << "schema/README.md, ### `" << table << "`: there is no column " << column;
    }
  }
}

}  // namespace

}  // namespace fdmortem::test
