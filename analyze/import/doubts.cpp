#include "analyze/import/doubts.h"

#include <fmt/core.h>

#include "schema/sha256.h"

namespace fdmortem {

std::string lossOf(const PrivateCopy& copy) {
  return copy.isWal() && !copy.hasWal()
             ? "it was copied without its -wal, and its newest snapshots may be missing"
             : "";
}

std::vector<std::string> doubtsOf(const PrivateCopy& copy, SQLite::Database& database) {
  std::vector<std::string> doubts;
  if (copy.hasWal()) {
    doubts.push_back(fmt::format("it was read together with its -wal, whose SHA-256 is {}",
                                 sha256OfFile(copy.path() + "-wal")));
  }
  if (!lossOf(copy).empty()) {
    doubts.emplace_back(
        "the file was copied without its -wal, while it was recorded or after the recorder was "
        "killed: the newest snapshots, of a minute or more, may be missing ('fdcapture copy' makes "
        "a "
        "whole copy)");
  }
  SQLite::Statement hosts(
      database,
      "SELECT count(DISTINCT host_name), (SELECT host_name FROM recording ORDER BY id LIMIT 1),"
      " (SELECT host_name FROM recording ORDER BY id DESC LIMIT 1) FROM recording");
  if (hosts.executeStep() && hosts.getColumn(0).getInt64() > 1) {
    doubts.push_back(fmt::format(
        "its recordings are of {} hosts by name, first {} and last {}: it was continued "
        "on another host, or its host was renamed",
        hosts.getColumn(0).getInt64(), hosts.getColumn(1).getString(),
        hosts.getColumn(2).getString()));
  }
  // Of a copy of an earlier part of the time the end was left out; recorder_note says so.
  SQLite::Statement open_ended(
      database,
      "SELECT id, last_snapshot FROM recording r WHERE ended_at IS NULL AND"
      " end_reason IS NULL AND NOT EXISTS (SELECT 1 FROM dropped d WHERE"
      " d.reason = 'slice-to' AND r.id ="
      " (SELECT max(id) FROM recording WHERE last_snapshot <"
      " d.last_snapshot)) ORDER BY id");
  while (open_ended.executeStep()) {
    doubts.push_back(fmt::format(
        "recording {} has no end: it was still going on, or the recorder was killed or had no "
        "room to store it; what came after snapshot {} is not in the file",
        open_ended.getColumn(0).getInt64(), open_ended.getColumn(1).getInt64()));
  }
  return doubts;
}

}  // namespace fdmortem
