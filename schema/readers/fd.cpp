#include "schema/readers/fd.h"

#include <iterator>

#include <fmt/compile.h>

#include "schema/readers/scan.h"

namespace fdmortem {

namespace {

using scan::Cursor;

/// What stands after `key`, blanks off; empty optional where the line has another key.
std::optional<std::string_view> valueOf(std::string_view line, std::string_view key) {
  Cursor cursor(line);
  if (!cursor.literal(key)) return std::nullopt;
  cursor.skipBlanks();
  return cursor.rest();
}

/// `key: number` seen for the first time. A file's own show_fdinfo() comes after the common lines
/// and may use their keys again; that is not a position or flag of the file.
template <int kBase, class Number>
bool takeNumber(std::string_view line, std::string_view key, std::optional<Number>& value) {
  if (value) return false;
  const std::optional<std::string_view> text = valueOf(line, key);
  Number number = 0;
  if (!text || !scan::isNumber<kBase>(*text, number)) return false;
  value = number;
  return true;
}

/// fs/eventpoll.c, ep_show_fdinfo().
bool parseWatchedFile(Cursor& cursor, EpollWatch& watch) {
  int64_t position = 0;
  uint64_t inode = 0;
  uint64_t device = 0;
  if (!cursor.literal("pos:") || !cursor.column(position)) return false;
  cursor.skipBlanks();
  if (!cursor.literal("ino:") || !cursor.column<16>(inode)) return false;
  cursor.skipBlanks();
  if (!cursor.literal("sdev:") || !cursor.column<16>(device)) return false;
  watch.position = position;
  watch.inode = inode;
  watch.device = device;
  return true;
}

bool parseWatch(std::string_view line, EpollWatch& watch) {
  Cursor cursor(line);
  if (!cursor.literal("tfd:") || !cursor.column(watch.watched_fd)) return false;
  cursor.skipBlanks();
  if (!cursor.literal("events:") || !cursor.column<16>(watch.events)) return false;
  cursor.skipBlanks();
  if (!cursor.literal("data:") || !cursor.column<16>(watch.data)) return false;
  cursor.skipBlanks();
  return cursor.isAtEnd() || parseWatchedFile(cursor, watch);
}

/// Whether the line is understood; if not it belongs into detail.
bool takeLine(std::string_view line, FdInfo& info) {
  EpollWatch watch;
  if (line.starts_with("tfd:") && parseWatch(line, watch)) {
    info.watches.push_back(watch);
    return true;
  }
  return takeNumber<10>(line, "pos:", info.position) || takeNumber<8>(line, "flags:", info.flags) ||
         takeNumber<10>(line, "mnt_id:", info.mount_id) || takeNumber<10>(line, "ino:", info.inode);
}

}  // namespace

Parsed<int32_t> parseFdNumber(std::string_view name) {
  int32_t number = 0;
  if (!scan::isCanonicalNumber(name, number)) return tl::make_unexpected("not the number of an fd");
  return number;
}

FdLink parseFdLink(std::string_view link) {
  uint64_t number = 0;
  if (scan::isInodeLink(link, "socket", number)) return {LinkType::Socket, number, {}};
  if (scan::isInodeLink(link, "pipe", number)) return {LinkType::Pipe, number, {}};
  return {LinkType::Text, 0, std::string(link)};
}

Parsed<FdInfo> parseFdInfo(std::string_view text) {
  FdInfo info;
  scan::Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    if (lines.isCut()) return tl::make_unexpected("the last line is cut");
    if (takeLine(line, info)) continue;
    if (!info.position && line.starts_with("pos:")) {
      return tl::make_unexpected("pos: is not a number");
    }
    if (!info.flags && line.starts_with("flags:")) {
      return tl::make_unexpected("flags: is not an octal number");
    }
    info.detail.append(line).push_back('\n');
  }
  return info;
}

void formatFdInfo(const FdInfo& info, std::string& text) {
  const auto out = std::back_inserter(text);
  if (info.position) fmt::format_to(out, FMT_COMPILE("pos:\t{}\n"), *info.position);
  if (info.flags) fmt::format_to(out, FMT_COMPILE("flags:\t0{:o}\n"), *info.flags);
  if (info.mount_id) fmt::format_to(out, FMT_COMPILE("mnt_id:\t{}\n"), *info.mount_id);
  if (info.inode) fmt::format_to(out, FMT_COMPILE("ino:\t{}\n"), *info.inode);
  text += info.detail;
}

std::string formatFdLink(const FdLink& link) {
  switch (link.type) {
    case LinkType::Socket:
      return fmt::format("socket:[{}]", link.number);
    case LinkType::Pipe:
      return fmt::format("pipe:[{}]", link.number);
    case LinkType::Text:
      return link.text;
    case LinkType::Unreadable:
      break;
  }
  return {};
}

}  // namespace fdmortem
