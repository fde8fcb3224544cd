#include "schema/readers/net.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "schema/readers/scan.h"

namespace fdmortem {

namespace {

using scan::Cursor;
using scan::kWordDigits;
using scan::Lines;

/// A row of the shortest usual table (udp) with its newline, so that few tables grow their vector.
constexpr size_t kInetRowWidth = 128;
/// sun_path of unix(7).
constexpr size_t kMaxUnixPath = 108;
/// Far above the kernel's names, so that long ones can not multiply with the values behind them.
constexpr size_t kMaxSockstatName = 32;

constexpr std::string_view kNoHeader = "not the header of this table";

/// The header's columns after `expected`, or an empty optional with a bad line in the table.
template <class Row>
std::optional<Cursor> takeHeader(Lines& lines, std::string_view expected, ParsedTable<Row>& table) {
  std::string_view line;
  if (lines.next(line) && !lines.isCut() && !line.ends_with('\r')) {
    Cursor cursor(line);
    if (cursor.words(expected)) return cursor;
  }
  scan::addBadLine(table, 1, kNoHeader);
  return std::nullopt;
}

bool takeAddress(Cursor& cursor, IpAddress& address) {
  const std::string_view rest = cursor.rest();
  size_t digits = 0;
  if (rest.size() > kWordDigits && rest[kWordDigits] == ':') {
    digits = kWordDigits;
  } else if (rest.size() > 4 * kWordDigits && rest[4 * kWordDigits] == ':') {
    digits = 4 * kWordDigits;
  }
  for (size_t at = 0; at < digits; at += kWordDigits) {
    uint32_t word = 0;
    if (!scan::takeHexWord(rest.substr(at), word)) return false;
    // The kernel prints the word as the host reads it, so the host's order gives back its bytes.
    std::memcpy(address.bytes.data() + address.length, &word, sizeof word);
    address.length += sizeof word;
  }
  cursor.skip(digits);
  return digits != 0;
}

bool takeEndpoint(Cursor& cursor, Endpoint& endpoint) {
  cursor.skipBlanks();
  return takeAddress(cursor, endpoint.address) && cursor.literal(':') &&
         cursor.number<16>(endpoint.port) && cursor.isAtBoundary();
}

/// Two hexadecimal numbers in one column, "%08X:%08X".
template <class First, class Second>
bool takePair(Cursor& cursor, First& first, Second& second) {
  cursor.skipBlanks();
  return cursor.number<16>(first) && cursor.literal(':') && cursor.number<16>(second) &&
         cursor.isAtBoundary();
}

/// `drops_column` is the number of columns from the inode to drops; 0: the table has none.
std::string_view parseInetRow(std::string_view line, size_t drops_column, InetRow& row) {
  Cursor cursor(line);
  uint64_t slot = 0;
  uint64_t timer_ticks = 0;
  cursor.skipBlanks();
  if (!cursor.number(slot) || !cursor.literal(':')) return "bad slot number";
  if (!takeEndpoint(cursor, row.local)) return "bad local address";
  if (!takeEndpoint(cursor, row.remote)) return "bad remote address";
  if (!cursor.column<16>(row.state)) return "bad state";
  if (!takePair(cursor, row.tx_queue, row.rx_queue)) return "bad queues";
  if (!takePair(cursor, row.timer, timer_ticks)) return "bad timer";
  if (!cursor.column<16>(row.retransmits)) return "bad retransmits";
  if (!cursor.column(row.uid)) return "bad uid";
  if (!cursor.column(row.probes)) return "bad timeout";
  if (!cursor.column(row.inode)) return "bad inode";
  if (drops_column == 0) return {};
  for (size_t i = 1; i < drops_column; ++i)
    cursor.word();
  if (!cursor.column(row.drops.emplace())) return "bad drops";
  return {};
}

/// The number of columns from the one that was read last to `name`; 0: it is not there.
size_t findColumn(Cursor header, std::string_view name) {
  size_t distance = 1;
  for (std::string_view word = header.word(); !word.empty(); word = header.word(), ++distance) {
    if (word == name) return distance;
  }
  return 0;
}

/// `Num:` of the unix table, 8 or 16 digits. "(____ptrval____)" is what %pK prints early after
/// boot.
bool isUnixRowStart(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.substr(colon, 2) != ": ") return false;
  const std::string_view pointer = line.substr(0, colon);
  if (pointer.starts_with('(') && pointer.ends_with("ptrval____)")) return true;
  return (pointer.size() == 8 || pointer.size() == 16) &&
         std::ranges::all_of(pointer, scan::isHexDigit);
}

/// `has_path` is not the same as a path that is not empty: its first byte may be a newline.
std::string_view parseUnixRow(std::string_view line, UnixRow& row, bool& has_path) {
  Cursor cursor(line);
  uint32_t protocol = 0;
  cursor.word();
  if (!cursor.column<16>(row.reference_count)) return "bad reference count";
  if (!cursor.column<16>(protocol)) return "bad protocol";
  if (!cursor.column<16>(row.flags)) return "bad flags";
  if (!cursor.column<16>(row.type)) return "bad type";
  if (!cursor.column<16>(row.state)) return "bad state";
  if (!cursor.column(row.inode)) return "bad inode";
  has_path = cursor.literal(' ');
  if (!has_path && !cursor.isAtEnd()) return "no space before the path";
  row.path = cursor.rest();
  return row.path.size() <= kMaxUnixPath ? "" : "the path is too long";
}

/// Adds a row or the rest of a path to the table. `has_path` tells whether a path may go on in the
/// line.
std::string_view takeUnixLine(std::string_view line, std::vector<UnixRow>& rows, bool& has_path) {
  if (isUnixRowStart(line)) {
    UnixRow row;
    const std::string_view reason = parseUnixRow(line, row, has_path);
    if (reason.empty()) rows.push_back(std::move(row));
    return reason;
  }
  if (has_path && rows.back().path.size() + 1 + line.size() <= kMaxUnixPath) {
    rows.back().path.append(1, '\n').append(line);
    return {};
  }
  return "neither a row nor the rest of a path";
}

std::string_view parseNetlinkRow(std::string_view line, NetlinkRow& row) {
  Cursor cursor(line);
  cursor.word();  // sk
  if (!cursor.column(row.protocol)) return "bad protocol";
  if (!cursor.column(row.port_id)) return "bad port id";
  if (!cursor.column<16>(row.groups)) return "bad groups";
  if (!cursor.column(row.rx_queue)) return "bad receive memory";
  if (!cursor.column(row.tx_queue)) return "bad send memory";
  cursor.word();  // Dump: a number or, in old kernels, a pointer
  cursor.word();  // Locks
  if (!cursor.column(row.drops)) return "bad drops";
  if (!cursor.column(row.inode)) return "bad inode";
  return {};
}

std::string_view parsePacketRow(std::string_view line, PacketRow& row) {
  Cursor cursor(line);
  uint32_t running = 0;
  cursor.word();  // sk
  cursor.word();  // RefCnt
  if (!cursor.column(row.type)) return "bad type";
  if (!cursor.column<16>(row.protocol)) return "bad protocol";
  if (!cursor.column(row.interface)) return "bad interface";
  if (!cursor.column(running)) return "bad running flag";
  if (!cursor.column(row.rx_queue)) return "bad receive memory";
  if (!cursor.column(row.uid)) return "bad user";
  if (!cursor.column(row.inode)) return "bad inode";
  row.running = running != 0;
  return {};
}

bool isSockstatName(std::string_view name) {
  const auto is_graphic = [](char byte) { return byte > ' ' && byte <= '~'; };
  return !name.empty() && name.size() <= kMaxSockstatName && std::ranges::all_of(name, is_graphic);
}

/// Adds all values of the line or, where one of them is wrong, none.
std::string_view parseSockstatLine(std::string_view line, std::vector<SockstatValue>& values) {
  Cursor cursor(line);
  std::string_view name = cursor.word();
  if (!name.ends_with(':')) return "no name before the values";
  name.remove_suffix(1);
  if (!isSockstatName(name)) return "bad name";
  const size_t count_before = values.size();
  for (std::string_view key = cursor.word(); !key.empty(); key = cursor.word()) {
    int64_t value = 0;
    if (!isSockstatName(key) || !cursor.column(value)) {
      values.resize(count_before);
      return "bad value";
    }
    values.push_back({fmt::format("{}.{}", name, key), value});
  }
  return values.size() > count_before ? "" : "no value";
}

}  // namespace

ParsedTable<InetRow> parseInetTable(std::string_view text) {
  ParsedTable<InetRow> table;
  Lines lines(text);
  std::optional<Cursor> header = takeHeader(lines, "sl local_address", table);
  if (!header) return table;
  const std::string_view remote = header->word();  // IPv6 tables name it another way
  if ((remote != "rem_address" && remote != "remote_address") ||
      !header->words("st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode")) {
    scan::addBadLine(table, 1, kNoHeader);
    return table;
  }
  const size_t drops_column = findColumn(*header, "drops");
  table.rows.reserve(text.size() / kInetRowWidth + 1);
  scan::parseRows(lines, table, [drops_column](std::string_view line, InetRow& row) {
    return parseInetRow(line, drops_column, row);
  });
  return table;
}

ParsedTable<UnixRow> parseUnixTable(std::string_view text) {
  ParsedTable<UnixRow> table;
  Lines lines(text);
  if (!takeHeader(lines, "Num RefCount Protocol Flags Type St Inode Path", table)) return table;
  bool has_path = false;
  std::string_view line;
  while (lines.next(line)) {
    const std::string_view reason =
        lines.isCut() ? scan::kCutLine : takeUnixLine(line, table.rows, has_path);
    if (reason.empty()) continue;
    has_path = false;  // what comes after a line that was not understood belongs to no row
    scan::addBadLine(table, lines.number(), reason);
  }
  return table;
}

ParsedTable<NetlinkRow> parseNetlinkTable(std::string_view text) {
  ParsedTable<NetlinkRow> table;
  Lines lines(text);
  constexpr std::string_view kHeader = "sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode";
  if (takeHeader(lines, kHeader, table)) scan::parseRows(lines, table, parseNetlinkRow);
  return table;
}

ParsedTable<PacketRow> parsePacketTable(std::string_view text) {
  ParsedTable<PacketRow> table;
  Lines lines(text);
  constexpr std::string_view kHeader = "sk RefCnt Type Proto Iface R Rmem User Inode";
  if (takeHeader(lines, kHeader, table)) scan::parseRows(lines, table, parsePacketRow);
  return table;
}

ParsedTable<SockstatValue> parseSockstat(std::string_view text) {
  ParsedTable<SockstatValue> table;
  Lines lines(text);
  std::string_view line;
  while (lines.next(line)) {
    const std::string_view reason =
        lines.isCut() ? scan::kCutLine : parseSockstatLine(line, table.rows);
    if (!reason.empty()) scan::addBadLine(table, lines.number(), reason);
  }
  if (text.empty()) scan::addBadLine(table, 1, "the text is empty");
  return table;
}

}  // namespace fdmortem
