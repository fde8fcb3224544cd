#include "analyze/import/archive_reader.h"

#include <sstream>
#include <stdexcept>
#include <utility>

#include <fmt/core.h>
#include <sqlite3.h>

#include "schema/archive_file.h"
#include "schema/evidence/text_codec.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

/// A little more than the longest frame of a text that can't be compressed.
constexpr int kLongestValue = static_cast<int>(kMaximumTextBytes + (kMaximumTextBytes >> 6));

/// SQLite quotes a whole statement of the file behind what it can't understand of it.
std::string withoutStatement(const std::string& message) {
  return printable(message.substr(0, message.find(" - ")));
}

}  // namespace

ArchiveReader::ArchiveReader(const std::string& path, LimitGuard& limits)
    : database_(path, SQLite::OPEN_READONLY | SQLite::OPEN_NOMUTEX) {
  try {
    harden();
    limits.watch(database_);
    const std::string difference = schemaDifference(database_);
    if (!difference.empty()) throw std::runtime_error(difference);
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
    throw std::runtime_error(withoutStatement(error.what()));
  }
}

void ArchiveReader::harden() {
  sqlite3* handle = database_.getHandle();
  for (const auto& [option, value] :
       {std::pair(SQLITE_DBCONFIG_DEFENSIVE, 1), std::pair(SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
        std::pair(SQLITE_DBCONFIG_ENABLE_VIEW, 0), std::pair(SQLITE_DBCONFIG_ENABLE_TRIGGER, 0),
        std::pair(SQLITE_DBCONFIG_DQS_DDL, 0), std::pair(SQLITE_DBCONFIG_DQS_DML, 0)}) {
    sqlite3_db_config(handle, option, value, nullptr);
  }
  sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kLongestValue);
  sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, 0);
  database_.exec("PRAGMA cell_size_check = ON");
  database_.exec("PRAGMA mmap_size = 0");
  database_.exec("PRAGMA temp_store = MEMORY");
  database_.exec("PRAGMA query_only = ON");
}

bool ArchiveReader::isSound(const std::string& table) {
  try {
    SQLite::Statement query(database_, fmt::format("PRAGMA integrity_check({})", table));
    return query.executeStep() && query.getColumn(0).getString() == "ok";
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
    return false;
  }
}

std::vector<std::string> ArchiveReader::damage(int maximum) {
  std::vector<std::string> lines;
  try {
    SQLite::Statement query(database_, fmt::format("PRAGMA integrity_check({})", maximum));
    while (query.executeStep()) {
      // What is wrong with the pages is one text of several lines under a heading.
      std::istringstream text(query.getColumn(0).getString());
      for (std::string line; std::getline(text, line);) {
        if (!line.starts_with("***") && line != "ok")
          lines.push_back("damaged: " + printable(line));
      }
    }
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
    // After what it could tell.
    lines.push_back(fmt::format("damaged: {}", error.what()));
  }
  return lines;
}

}  // namespace fdmortem
