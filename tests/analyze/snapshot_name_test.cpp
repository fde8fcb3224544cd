#include "analyze/snapshot_name.h"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "analyze/archives.h"
#include "schema/time_text.h"

namespace fdmortem::test {
namespace {

/// The number that a name stands for where snapshots 1, 2, ... were taken at these times.
int64_t numberOf(const std::string& name, const std::vector<std::string>& times) {
  SQLite::Database database(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("CREATE TABLE snapshot (id INTEGER PRIMARY KEY, wall_ns INTEGER)");
  for (const std::string& time : times)
    database.exec("INSERT INTO snapshot (wall_ns) VALUES (" +
                  std::to_string(parseTime(time).value()) + ")");
  return snapshotNumber(
      name, "a.db",
      [&](const std::string& sql, std::optional<int64_t> value) -> std::optional<int64_t> {
        SQLite::Statement query(database, sql);
        if (value) query.bind(1, *value);
        if (!query.executeStep() || query.getColumn(0).isNull()) return {};
        return query.getColumn(0).getInt64();
      });
}

std::string errorOf(const std::string& name, const std::vector<std::string>& times) {
  try {
    numberOf(name, times);
  } catch (const UsageError& error) {
    return std::string("usage: ") + error.what();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return {};
}

const std::vector<std::string> kOneDay = {"2026-11-23T15:01:38.051Z", "2026-11-23T15:01:40.051Z",
                                          "2026-11-23T15:01:42.051Z"};

TEST(SnapshotName, ATimeStandsForTheLastThatWasTakenByThen) {
  EXPECT_EQ(numberOf("2026-11-23T15:01:41Z", kOneDay), 2);
  EXPECT_EQ(errorOf("2026-11-23T15:01:38Z", kOneDay),
            "a.db: there is no snapshot at or before 2026-11-23T15:01:38Z");
}

TEST(SnapshotName, ATimeOfDayIsOfTheDayOfTheArchive) {
  EXPECT_EQ(numberOf("15:01:41", kOneDay), 2);
  EXPECT_EQ(numberOf("15:01:40.051", kOneDay), 2);
  EXPECT_EQ(numberOf("15:02", kOneDay), 3);
  EXPECT_EQ(errorOf("15:01", kOneDay), "a.db: there is no snapshot at or before 15:01");
}

TEST(SnapshotName, ATimeOfDayOfSeveralDaysIsNone) {
  EXPECT_EQ(
      errorOf("15:01:41", {"2026-11-22T15:01:38Z", "2026-11-23T15:01:38Z"}),
      "usage: 15:01:41: of which day? a.db has snapshots from 2026-11-22 to 2026-11-23: write "
      "2026-11-23T15:01:41Z");
}

TEST(SnapshotName, WhatLooksLikeATimeOfDayAndIsNone) {
  for (const char* name : {"15:61:00", "15:", "15:01:40:02", "25:00"})
    EXPECT_EQ(errorOf(name, kOneDay),
              std::string("usage: not a snapshot's number, 'first', 'last' or a time: ") + name);
}

}  // namespace
}  // namespace fdmortem::test
