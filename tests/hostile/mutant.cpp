#include "tests/hostile/mutant.h"

#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include "schema/format.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

using Random = std::mt19937_64;

/// From 0 to `count` - 1.
size_t below(Random& random, size_t count) {
  return std::uniform_int_distribution<size_t>(0, count - 1)(random);
}

size_t pageSizeOf(const std::string& bytes) {
  const auto byte = [&](size_t at) { return static_cast<unsigned char>(bytes.at(at)); };
  const size_t size = size_t{byte(16)} << 8 | byte(17);
  return size == 1 ? 65536 : size;
}

void flipBits(Random& random, std::string& bytes) {
  for (size_t i = 0, count = 1 + below(random, 16); i < count; ++i) {
    char& byte = bytes[below(random, bytes.size())];
    byte = static_cast<char>(static_cast<unsigned char>(byte) ^ (1U << below(random, 8)));
  }
}

void spoilHeader(Random& random, std::string& bytes) {
  bytes[below(random, 100)] = static_cast<char>(random());
}

/// What a disk leaves of a sector.
void fillSector(Random& random, std::string& bytes) {
  constexpr size_t kSector = 512;
  const size_t start = below(random, bytes.size() / kSector) * kSector;
  const bool is_zero = below(random, 2) == 0;
  for (size_t i = 0; i < kSector; ++i)
    bytes[start + i] = is_zero ? '\0' : static_cast<char>(random());
}

void cut(Random& random, std::string& bytes) {
  bytes.resize(below(random, bytes.size()));
}

void movePages(Random& random, std::string& bytes) {
  const size_t size = pageSizeOf(bytes);
  const size_t count = bytes.size() / size;
  for (size_t i = 0, moves = 1 + below(random, 3); i < moves; ++i) {
    const size_t a = below(random, count) * size;
    const size_t b = below(random, count) * size;
    const bool is_swap = below(random, 2) == 0;
    const std::string page = bytes.substr(a, size);
    if (is_swap) bytes.replace(a, size, bytes, b, size);
    bytes.replace(b, size, page);
  }
}

/// The numbers that trees of pages are made of: types, counts, offsets, children.
void spoilTrees(Random& random, std::string& bytes) {
  const size_t size = pageSizeOf(bytes);
  for (size_t i = 0, count = 1 + below(random, 4); i < count; ++i) {
    const size_t page = below(random, bytes.size() / size);
    const size_t start = page * size + (page == 0 ? 100 : 0);
    bytes[start + below(random, 16)] = static_cast<char>(random());
  }
}

std::vector<std::string> tablesOf(SQLite::Database& database) {
  std::vector<std::string> names;
  SQLite::Statement query(database, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  while (query.executeStep())
    names.push_back(query.getColumn(0).getString());
  return names;
}

std::string valueOf(Random& random) {
  static const std::vector<std::string> kValues = {"0",
                                                   "1",
                                                   "2",
                                                   "3",
                                                   "-1",
                                                   "4",
                                                   "15",
                                                   "16",
                                                   "255",
                                                   "65535",
                                                   "65536",
                                                   "2147483647",
                                                   "2147483648",
                                                   "4294967295",
                                                   "9223372036854775807",
                                                   "(-9223372036854775807 - 1)",
                                                   "1000000000000000",
                                                   "4000000000000000000",
                                                   "NULL",
                                                   "x''",
                                                   "x'ff00'",
                                                   "zeroblob(100000)",
                                                   "'x'",
                                                   "char(27, 10, 155, 8238)",
                                                   "CAST(x'ff1b0a' AS TEXT)",
                                                   "printf('%.*c', 70000, 'x')",
                                                   "1.5"};
  if (below(random, 4) == 0) return std::to_string(below(random, 100));
  return kValues[below(random, kValues.size())];
}

std::string columnOf(Random& random, SQLite::Database& database, const std::string& table) {
  std::vector<std::string> names;
  SQLite::Statement query(database, "SELECT name FROM pragma_table_info('" + table + "')");
  while (query.executeStep())
    names.push_back(query.getColumn(0).getString());
  return names[below(random, names.size())];
}

/// An edit that STRICT or NOT NULL forbids is none.
void tryTo(SQLite::Database& database, const std::string& sql) {
  try {
    database.exec(sql);
  } catch (const SQLite::Exception&) {
  }
}

void editRows(Random& random, SQLite::Database& database) {
  const auto tables = tablesOf(database);
  for (size_t i = 0, count = 1 + below(random, 4); i < count; ++i) {
    const std::string& table = tables[below(random, tables.size())];
    const size_t divisor = 1 + below(random, 50);
    const std::string some = fmt::format(" WHERE rowid % {} = {}", divisor, below(random, divisor));
    switch (below(random, 4)) {
      case 0:
        tryTo(database, fmt::format("DELETE FROM {}{}", table, some));
        break;
      case 1:
        tryTo(database, fmt::format("INSERT INTO {0} SELECT * FROM {0}{1}", table, some));
        break;
      default:
        tryTo(database,
              fmt::format("UPDATE {} SET {} = {}{}", table, columnOf(random, database, table),
                          valueOf(random), below(random, 4) == 0 ? "" : some));
    }
  }
}

/// So many rows that views which join them have much to do.
void multiplyRows(Random& random, SQLite::Database& database) {
  const auto tables = tablesOf(database);
  const std::string& table = tables[below(random, tables.size())];
  for (size_t i = 0, count = 1 + below(random, 10); i < count; ++i) {
    const std::string columns =
        database
            .execAndGet(
                "SELECT group_concat(CASE WHEN pk THEN 'NULL' ELSE name END) FROM"
                " pragma_table_info('" +
                table + "')")
            .getString();
    tryTo(database, fmt::format("INSERT INTO {0} SELECT {1} FROM {0} LIMIT 5000", table, columns));
  }
  if (below(random, 2) == 0) {
    tryTo(database, fmt::format("UPDATE {} SET {} = {}", table, columnOf(random, database, table),
                                valueOf(random)));
  }
}

void changeSchema(Random& random, SQLite::Database& database) {
  static const std::vector<std::string> kChanges = {
      "CREATE TRIGGER x AFTER INSERT ON text BEGIN SELECT load_extension('x'); END",
      ("CREATE VIEW x AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
       " SELECT n FROM r"),
      "CREATE VIRTUAL TABLE x USING fts5(a)",
      "CREATE VIRTUAL TABLE x USING rtree(a, b, c)",
      "CREATE INDEX x ON fd_change (printf('%d', fd))",
      "CREATE INDEX x ON text (id) WHERE value IS NOT NULL",
      "ALTER TABLE netns ADD COLUMN x INTEGER GENERATED ALWAYS AS (inode * 2) VIRTUAL",
      "ALTER TABLE text ADD COLUMN x INTEGER CHECK (load_extension('x'))",
      "ALTER TABLE text ADD COLUMN x INTEGER DEFAULT (random())",
      "DROP TABLE snapshot; CREATE VIEW snapshot AS SELECT 1 AS id",
      "DROP TABLE text; CREATE VIRTUAL TABLE text USING fts5(id, snapshot, value)",
      "DROP TABLE sockstat_change",
      "CREATE TABLE sqlite_stat1(tbl, idx, stat)",
      "ANALYZE",
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 2",
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 1 WHERE name = 'text'",
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '')",
      ("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE text"
       " USING dbstat(main)', rootpage = 0 WHERE name = 'text'"),
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET type = 'view' WHERE name = 'netns'",
      "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = printf('%.*c', 1000000, '(')",
      "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'recording'",
      ("PRAGMA writable_schema = ON; INSERT INTO sqlite_schema VALUES"
       " ('trigger', 'x', 'text', 0, 'CREATE TRIGGER x AFTER DELETE ON text BEGIN SELECT 1; END')"),
      "PRAGMA encoding = 'UTF-16'",
      "PRAGMA auto_vacuum = FULL; VACUUM",
      "PRAGMA page_size = 1024; VACUUM",
  };
  tryTo(database, kChanges[below(random, kChanges.size())]);
}

/// A file of another program, with or without the marks of ours.
void replaceSchema(Random& random, SQLite::Database& database) {
  database.exec("PRAGMA writable_schema = RESET");
  for (const std::string& table : tablesOf(database))
    tryTo(database, "DROP TABLE " + table);
  tryTo(database,
        "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT); INSERT INTO moz_places"
        " VALUES (1, 'x'); CREATE TABLE snapshot (id); CREATE VIEW recording AS SELECT 1 AS id");
  if (below(random, 2) == 0) database.exec("PRAGMA application_id = 0");
  if (below(random, 3) == 0) database.exec("PRAGMA user_version = 4");
}

using ByteKind = void (*)(Random&, std::string&);
using SqlKind = void (*)(Random&, SQLite::Database&);

constexpr std::pair<const char*, ByteKind> kByteKinds[] = {
    {"bits flipped", flipBits},    {"header spoiled", spoilHeader},
    {"sector filled", fillSector}, {"cut", cut},
    {"pages moved", movePages},    {"trees spoiled", spoilTrees}};
constexpr std::pair<const char*, SqlKind> kSqlKinds[] = {{"rows edited", editRows},
                                                         {"rows multiplied", multiplyRows},
                                                         {"schema changed", changeSchema},
                                                         {"another program", replaceSchema}};

/// A -wal with a good header and anything after it.
std::string makeWal(Random& random, const std::string& database) {
  std::string wal(32 + below(random, 4) * (24 + pageSizeOf(database)), '\0');
  for (char& byte : wal)
    byte = static_cast<char>(random());
  wal.replace(0, 8, std::string("\x37\x7f\x06\x82\x00\x2d\xe2\x18", 8));
  return wal;
}

}  // namespace

int mutantKinds() {
  return static_cast<int>(std::size(kByteKinds) + std::size(kSqlKinds)) + 1;
}

Mutant makeMutant(uint64_t number, const std::string& original, const std::string& scratch) {
  Random random(number);
  const size_t kind = number % static_cast<uint64_t>(mutantKinds());
  Mutant mutant{.what = {}, .database = contentOf(original), .wal = {}};
  if (kind < std::size(kByteKinds)) {
    mutant.what = kByteKinds[kind].first;
    kByteKinds[kind].second(random, mutant.database);
  } else if (kind < std::size(kByteKinds) + std::size(kSqlKinds)) {
    const auto& [name, edit] = kSqlKinds[kind - std::size(kByteKinds)];
    mutant.what = name;
    writeFile(scratch, mutant.database);
    SQLite::Database database(scratch, SQLite::OPEN_READWRITE);
    database.exec("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY");
    edit(random, database);
    mutant.database = contentOf(scratch);
  } else {
    mutant.what = "a -wal of garbage";
    mutant.database[18] = mutant.database[19] = 2;
    mutant.wal = makeWal(random, mutant.database);
  }
  mutant.what += " (mutant " + std::to_string(number) + " of " + original + ")";
  return mutant;
}

}  // namespace fdmortem::test
