// The rows of what was read in a snapshot.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <SQLiteCpp/SQLiteCpp.h>

#include "capture/archive/insert.h"
#include "capture/archive/row_ids.h"
#include "capture/changes.h"
#include "capture/redaction.h"
#include "capture/snapshot.h"
#include "schema/evidence/row_digest.h"

namespace fdmortem {

/// Stores what changed, what failed and what was found out, within the transaction of whoever
/// calls. What is to be redacted is pseudonyms in the rows. Throws SQLite::Exception.
class RowWriter {
 public:
  /// What is stored goes into `digest`. All of them must outlive it.
  RowWriter(SQLite::Database& database, Redactor& redactor, RowIds& ids, RowDigest& digest);

  void write(int64_t number, const Snapshot& snapshot, const ChangeSet& changes, bool is_keyframe);

 private:
  int64_t text(std::string_view value);
  std::optional<int64_t> text(const std::optional<std::string>& value);
  /// Of a text for which empty means none.
  std::optional<int64_t> textOrNull(const std::string& value);
  /// Of a path, a cgroup or a UNIX socket's name.
  int64_t path(std::string_view value);
  std::optional<int64_t> path(const std::optional<std::string>& value);
  std::optional<int64_t> cmdline(const std::optional<std::string>& value);
  int64_t address(const Endpoint& endpoint);

  void writeFailures(const Snapshot& snapshot);
  void writeProcesses(const Snapshot& snapshot, const ChangeSet& changes);
  void writeFds(const ChangeSet& changes);
  void writeFd(const ProcessIdentity& process, Change change, const FdRecord& fd);
  void writeAutopsies(const Snapshot& snapshot, bool is_keyframe);
  void writeInet(const ChangeSet& changes);
  void writeOtherTables(const ChangeSet& changes);

  Redactor& redactor_;
  RowIds& ids_;
  int64_t snapshot_ = 0;
  Insert failure_, process_change_, limit_change_, fd_change_, fd_position_change_,
      epoll_watch_change_, second_look_, autopsy_, net_table_change_, inet_change_, inet_gone_,
      inet_queue_change_, time_wait_change_, unix_change_, netlink_change_, packet_change_,
      sockstat_change_;
};

}  // namespace fdmortem
