#include "analyze/archive_reader.h"

#include <stdexcept>
#include <utility>

#include <fmt/core.h>
#include <sqlite3.h>

#include "schema/archive_file.h"
#include "schema/evidence/text_codec.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

/// No check of the file and no reading of it takes longer, whatever the file makes SQLite do.
constexpr std::chrono::minutes kTimeLimit{10};

/// A little more than the longest frame of a text that can't be compressed.
constexpr int kLongestValue = static_cast<int>(kMaximumTextBytes + (kMaximumTextBytes >> 6));

int stopWhenLate(void* deadline) {
  return std::chrono::steady_clock::now() >
                 *static_cast<const std::chrono::steady_clock::time_point*>(deadline)
             ? 1
             : 0;
}

}  // namespace

ArchiveReader::ArchiveReader(const std::string& path)
    : deadline_(std::chrono::steady_clock::now() + kTimeLimit),
      database_(path, SQLite::OPEN_READONLY) {
  harden();
  const std::string difference = schemaDifference(database_);
  if (!difference.empty()) throw std::runtime_error(difference);
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
  sqlite3_progress_handler(handle, 10'000, stopWhenLate, &deadline_);
  database_.exec("PRAGMA cell_size_check = ON");
  database_.exec("PRAGMA mmap_size = 0");
  database_.exec("PRAGMA query_only = ON");
}

std::vector<std::string> ArchiveReader::damage(int maximum) {
  std::vector<std::string> lines;
  SQLite::Statement query(database_, fmt::format("PRAGMA integrity_check({})", maximum));
  while (query.executeStep())
    lines.push_back("damaged: " + printable(query.getColumn(0).getString()));
  if (lines == std::vector<std::string>{"damaged: ok"}) lines.clear();
  return lines;
}

}  // namespace fdmortem
