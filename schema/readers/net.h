// Readers of the socket tables of a network namespace, /proc/PID/net/*.
//
// Each table begins with a header line. A text without it (an empty one too) is no such table: one
// bad line, "line 1: ...". A last line without newline is cut and counts as a bad line. Columns
// that a later kernel adds at the end of a line are passed over.
#pragma once

#include <string_view>

#include "schema/readers/result.h"
#include "schema/records.h"

namespace fdmortem {

/// tcp, udp, udplite, raw, icmp (8 hex digits an address) and tcp6, udp6, udplite6, raw6, icmp6
/// (32). Addresses are printed as 32 bit words in the host's byte order and given back in network
/// order. Both lengths are taken in any table; rows of all kinds have the same columns up to the
/// inode. `drops` is filled where the header names that column.
ParsedTable<InetRow> parseInetTable(std::string_view text);

/// unix. A path runs to the end of its line; one with a newline in it makes lines that are no rows.
/// Such a line belongs to the path before it, so it is not bad as long as it does not look like a
/// row itself; newline and line are added to that path, up to the 108 bytes that unix(7) allows. A
/// path that holds the text of a whole row makes a false row: nothing tells it from a true one.
ParsedTable<UnixRow> parseUnixTable(std::string_view text);

ParsedTable<NetlinkRow> parseNetlinkTable(std::string_view text);

ParsedTable<PacketRow> parsePacketTable(std::string_view text);

/// sockstat and sockstat6: no header, `NAME: key value [key value ...]`. An empty text is a bad
/// line.
ParsedTable<SockstatValue> parseSockstat(std::string_view text);

}  // namespace fdmortem
