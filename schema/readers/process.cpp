#include "schema/readers/process.h"

#include "schema/readers/scan.h"

namespace fdmortem {

namespace {

using scan::Cursor;

/// "%-25s " in fs/proc/base.c: names hold spaces, so only the width says where they end.
constexpr size_t kLimitNameWidth = 26;

/// The kernel's buffer for it is char[64] (fs/proc/array.c, proc_task_name). A longer one means
/// that two texts have run together.
constexpr size_t kMaxComm = 63;

void skipWords(Cursor& cursor, int count) {
  for (int i = 0; i < count; ++i)
    cursor.word();
}

/// The columns of stat after comm; the numbers are those of proc_pid_stat(5).
bool parseStatColumns(std::string_view columns, ProcessStat& stat) {
  Cursor cursor(columns);
  const std::string_view state = cursor.word();  // (3)
  if (state.size() != 1) return false;
  stat.state = state.front();
  if (!cursor.column(stat.parent_pid)) return false;  // (4)
  skipWords(cursor, 4);
  if (!cursor.column(stat.flags)) return false;  // (9)
  skipWords(cursor, 10);
  if (!cursor.column(stat.thread_count)) return false;  // (20)
  skipWords(cursor, 1);
  return cursor.column(stat.identity.start_ticks);  // (22)
}

bool parseLimitValue(std::string_view word, std::optional<uint64_t>& value) {
  value.reset();
  if (word == "unlimited") return true;
  uint64_t number = 0;
  if (!scan::isNumber(word, number)) return false;
  value = number;
  return true;
}

bool parseLimit(std::string_view line, Limit& limit) {
  if (line.size() <= kLimitNameWidth || line[kLimitNameWidth - 1] != ' ') return false;
  const std::string_view name = line.substr(0, kLimitNameWidth);
  const size_t name_end = name.find_last_not_of(' ');
  if (name_end == std::string_view::npos) return false;
  limit.resource = name.substr(0, name_end + 1);
  Cursor cursor(line.substr(kLimitNameWidth));
  if (!parseLimitValue(cursor.word(), limit.soft)) return false;
  if (!parseLimitValue(cursor.word(), limit.hard)) return false;
  limit.unit = cursor.word();
  return true;
}

struct CgroupLine {
  uint32_t hierarchy = 0;  ///< 0: the unified one
  std::string_view controllers;
  std::string_view path;
};

bool parseCgroupLine(std::string_view line, CgroupLine& cgroup) {
  Cursor cursor(line);
  if (!cursor.number(cgroup.hierarchy) || !cursor.literal(':')) return false;
  const std::string_view rest = cursor.rest();
  const size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return false;
  cgroup.controllers = rest.substr(0, colon);
  cgroup.path = rest.substr(colon + 1);
  return cgroup.path.starts_with('/');
}

}  // namespace

Parsed<ProcessStat> parseProcessStat(std::string_view text) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return tl::make_unexpected("no command name in parentheses");
  }
  // comm is at the front, so only what is after it is a line; that line is cut without a newline.
  const std::string_view columns = text.substr(close + 1);
  if (columns.empty() || columns.find('\n') != columns.size() - 1) {
    return tl::make_unexpected("not one line, or cut");
  }
  ProcessStat stat;
  Cursor cursor(text.substr(0, open));
  if (!cursor.column(stat.identity.pid) || !cursor.literal(' ') || !cursor.isAtEnd()) {
    return tl::make_unexpected("no pid before the command name");
  }
  if (close - open - 1 > kMaxComm) return tl::make_unexpected("the command name is too long");
  stat.comm = text.substr(open + 1, close - open - 1);
  if (!parseStatColumns(columns.substr(0, columns.size() - 1), stat)) {
    return tl::make_unexpected("not the columns of a process");
  }
  return stat;
}

Parsed<ProcessStatus> parseProcessStatus(std::string_view text) {
  scan::Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    Cursor cursor(line);
    if (!cursor.literal("Uid:")) continue;
    ProcessStatus status;
    uint32_t saved_uid = 0;
    uint32_t file_system_uid = 0;
    if (lines.isCut() || !cursor.column(status.real_uid) || !cursor.column(status.effective_uid) ||
        !cursor.column(saved_uid) || !cursor.column(file_system_uid)) {
      return tl::make_unexpected("the Uid: line is not four numbers");
    }
    return status;
  }
  return tl::make_unexpected("no Uid: line");
}

Parsed<std::vector<Limit>> parseLimits(std::string_view text) {
  scan::Lines lines(text);
  std::string_view line;
  if (!lines.next(line) || line.ends_with('\r') ||
      !Cursor(line).words("Limit Soft Limit Hard Limit Units")) {
    return tl::make_unexpected("line 1: not the header of limits");
  }
  std::vector<Limit> limits;
  while (lines.next(line)) {
    Limit& limit = limits.emplace_back();
    if (lines.isCut() || !parseLimit(line, limit)) {
      return tl::make_unexpected(fmt::format("line {}: not a limit, or cut", lines.number()));
    }
  }
  if (limits.empty()) return tl::make_unexpected("no limit under the header");
  return limits;
}

Parsed<std::string> parseCgroup(std::string_view text) {
  // "/" is where everybody is who was put nowhere: the first path that says more wins.
  std::string_view unified = "/";
  std::string_view named = "/";
  std::string_view other = "/";
  bool is_any = false;
  scan::Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    CgroupLine cgroup;
    if (lines.isCut() || !parseCgroupLine(line, cgroup)) {
      return tl::make_unexpected(fmt::format("line {}: not a cgroup, or cut", lines.number()));
    }
    is_any = true;
    const bool is_unified = cgroup.hierarchy == 0 && cgroup.controllers.empty();
    const bool is_named = cgroup.controllers.starts_with("name=");
    std::string_view& path = is_unified ? unified : is_named ? named : other;
    if (path == "/") path = cgroup.path;
  }
  if (!is_any) return tl::make_unexpected("no cgroup");
  return std::string(unified != "/" ? unified : named != "/" ? named : other);
}

Parsed<uint64_t> parseNamespaceLink(std::string_view link) {
  const std::string_view name = link.substr(0, link.find(':'));
  uint64_t inode = 0;
  if (name.empty() || !scan::isInodeLink(link, name, inode)) {
    return tl::make_unexpected("not a link to a namespace");
  }
  return inode;
}

}  // namespace fdmortem
