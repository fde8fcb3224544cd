#include "schema/readers/net.h"

#include <array>
#include <bit>
#include <initializer_list>
#include <utility>

#include <gtest/gtest.h>

#include "tests/schema/readers/kernel_text.h"

namespace fdmortem::test {

namespace {

// All texts are of Linux 6.18; with the widths that it pads its lines to.
constexpr size_t kTcpWidth = 149;
constexpr size_t kUdpWidth = 127;

constexpr std::string_view kTcpHeader =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode";
constexpr std::string_view kUdpHeader =
    "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode ref "
    "pointer drops";

constexpr std::string_view kListen =
    "   0: 0100007F:46A0 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 "
    "6678 1 "
    "00000000351c610d 100 0 0 10 0";
constexpr std::string_view kTimeWait =
    "   2: 0100007F:46A0 0100007F:DA94 06 00000000:00000000 03:00001770 00000000     0        0 0 "
    "3 "
    "00000000946d1633";
constexpr std::string_view kEstablished =
    "   5: 0100007F:46A0 0100007F:DA88 01 0000002A:00000005 01:00000019 00000003  1000        2 "
    "4294967295 1 "
    "00000000d29cff7d 20 4 30 10 -1";
constexpr std::string_view kUdp =
    "  159: 0100007F:14E9 0100007F:14EA 01 00000000:00000000 00:00000000 00000000     0        0 "
    "6691 2 "
    "000000005d05c5b1 17";

constexpr std::string_view kTcp6 =
    R"(  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:46A1 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 6683 1 000000006c7bcdad 100 0 0 10 0
   1: 00000000000000000000000001000000:46A1 B80D0120000000000000000001000000:C532 01 00000000:00000000 00:00000000 00000000     0        0 6687 1 00000000536f0731 20 0 0 10 -1
   2: 0000000000000000FFFF00000100007F:46A1 0000000000000000FFFF00000100007F:A110 01 00000000:00000000 00:00000000 00000000     0        0 6686 1 000000003e5e2ec2 20 0 0 10 -1
)";

constexpr std::string_view kUdp6 =
    R"(  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  159: 00000000000000000000000001000000:14E9 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 6688 2 00000000ff031c6c 0
)";

constexpr std::string_view kRaw =
    R"(  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 176: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 6692 2 00000000d9c3bf26 4294967295
)";

constexpr std::string_view kUnixHeader =
    "Num       RefCount Protocol Flags    Type St Inode Path\n";
constexpr std::string_view kUnixRows =
    "000000005bca9e61: 00000003 00000000 00000000 0001 03  1564\n"
    "000000009f8fc63e: 00000002 00000000 00000000 0002 01  6697\n"
    "00000000b8aab3b9: 00000002 00000000 00010000 0005 01  6696 /run/app/a b\n\x1b[31mred\xff\n"
    "00000000bded80ec: 00000002 00000000 00010000 0001 01  6695 @abs@tract name\n";

constexpr std::string_view kNetlinkHeader =
    "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n";
constexpr std::string_view kNetlinkRows =
    "00000000d94d6a14 0   0          00000000 0        0        0     2        0        4       \n"
    "00000000640fd81d 0   3716       0000001f 4352     -1       0     2        12       6700    \n"
    "00000000c67fdf99 16  4294963200 00000000 0        0        0     2        0        5       \n";

constexpr std::string_view kPacketHeader =
    "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n";
constexpr std::string_view kPacketRows =
    "00000000193db7a6 3      3    0003   0     1 0      0      6694  \n"
    "00000000193db7a7 3      2    88cc   12    0 768    1000   6695  \n";

constexpr std::string_view kSockstat = R"(sockets: used 31
TCP: inuse 7 orphan 0 tw 3 alloc 11 mem 0
UDP: inuse 1 mem 0
UDPLITE: inuse 0
RAW: inuse 1
FRAG: inuse 0 memory 0
)";

std::string join(std::string_view first, std::string_view second) {
  return std::string(first).append(second);
}

std::string tcpText(std::initializer_list<std::string_view> rows) {
  std::string text = padded(kTcpHeader, kTcpWidth);
  for (const std::string_view row : rows)
    text += padded(row, kTcpWidth);
  return text;
}

std::string udpText(std::string_view row) {
  return padded(kUdpHeader, kUdpWidth) + padded(row, kUdpWidth);
}

std::string unixText() {
  return join(kUnixHeader, kUnixRows);
}
std::string netlinkText() {
  return join(kNetlinkHeader, kNetlinkRows);
}
std::string packetText() {
  return join(kPacketHeader, kPacketRows);
}

/// The address whose text above stands for `octets` on the machine that wrote it, a little-endian
/// one. A big-endian machine takes the same text for its words the other way round.
std::string networkBytes(std::initializer_list<char> octets) {
  std::string bytes(octets);
  if constexpr (std::endian::native == std::endian::big) {
    for (size_t at = 0; at < bytes.size(); at += 4) {
      std::swap(bytes[at], bytes[at + 3]);
      std::swap(bytes[at + 1], bytes[at + 2]);
    }
  }
  return bytes;
}

InetRow onlyRow(const std::string& text) {
  const ParsedTable<InetRow> table = parseInetTable(text);
  EXPECT_TRUE(table.isComplete()) << table.first_bad_line;
  EXPECT_EQ(table.rows.size(), 1U);
  return table.rows.empty() ? InetRow() : table.rows.front();
}

/// A table of two rows, of which the second is spoiled, says where and what.
void expectBadSecondRow(const std::string& row, std::string_view reason) {
  const ParsedTable<InetRow> table = parseInetTable(tcpText({kListen, row, kTimeWait}));
  EXPECT_EQ(table.rows.size(), 2U) << row;
  EXPECT_EQ(table.bad_line_count, 1U) << row;
  EXPECT_EQ(table.first_bad_line, join("line 3: ", reason)) << row;
}

TEST(InetTable, ReadsAListener) {
  const InetRow row = onlyRow(tcpText({kListen}));
  EXPECT_EQ(row.local.address.view(), networkBytes({127, 0, 0, 1}));
  EXPECT_EQ(row.local.port, 0x46A0);
  EXPECT_EQ(row.remote.address.view(), networkBytes({0, 0, 0, 0}));
  EXPECT_EQ(row.remote.port, 0);
  EXPECT_EQ(row.state, 0x0A);
  EXPECT_EQ(row.rx_queue, 1U);
  EXPECT_EQ(row.inode, 6678U);
  EXPECT_EQ(row.drops, std::nullopt);
}

TEST(InetTable, ReadsEveryColumn) {
  const InetRow row = onlyRow(tcpText({kEstablished}));
  EXPECT_EQ(row.remote.port, 0xDA88);
  EXPECT_EQ(row.state, 1);
  EXPECT_EQ(row.tx_queue, 42U);
  EXPECT_EQ(row.rx_queue, 5U);
  EXPECT_EQ(row.timer, 1);
  EXPECT_EQ(row.retransmits, 3U);
  EXPECT_EQ(row.uid, 1000U);
  EXPECT_EQ(row.probes, 2U);
  EXPECT_EQ(row.inode, 4294967295U);
}

TEST(InetTable, ReadsATimeWaitRow) {
  const InetRow row = onlyRow(tcpText({kTimeWait}));
  EXPECT_EQ(row.state, 6);
  EXPECT_EQ(row.timer, 3);
  EXPECT_EQ(row.inode, 0U);
}

TEST(InetTable, ReadsIpv6) {
  const ParsedTable<InetRow> table = parseInetTable(kTcp6);
  ASSERT_TRUE(table.isComplete()) << table.first_bad_line;
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.rows[0].local.address.view(), std::string(16, '\0'));
  EXPECT_EQ(table.rows[1].local.address.view(),
            networkBytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(table.rows[1].remote.address.view(),
            networkBytes({0x20, 0x01, 0x0d, '\xb8', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(table.rows[2].remote.address.view(),
            networkBytes({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '\xff', '\xff', 127, 0, 0, 1}));
  EXPECT_EQ(table.rows[2].remote.port, 0xA110);
}

TEST(InetTable, ReadsDropsWhereTheHeaderNamesThem) {
  EXPECT_EQ(onlyRow(udpText(kUdp)).drops, 17U);
  EXPECT_EQ(onlyRow(std::string(kUdp6)).drops, 0U);
  EXPECT_EQ(onlyRow(std::string(kRaw)).drops, 4294967295U);
  EXPECT_EQ(onlyRow(std::string(kRaw)).local.port, 1);  // IPPROTO_ICMP
}

TEST(InetTable, ARowWithoutTheDropsOfItsHeaderIsBad) {
  const ParsedTable<InetRow> table = parseInetTable(udpText(kTimeWait));
  EXPECT_TRUE(table.rows.empty());
  EXPECT_EQ(table.first_bad_line, "line 2: bad drops");
}

TEST(InetTable, MayBeEmptyUnderItsHeader) {
  const ParsedTable<InetRow> table = parseInetTable(tcpText({}));
  EXPECT_TRUE(table.isComplete());
  EXPECT_TRUE(table.rows.empty());
}

TEST(InetTable, TakesBothLengthsInOneTable) {
  const ParsedTable<InetRow> table = parseInetTable(join(kTcp6, padded(kEstablished, kTcpWidth)));
  EXPECT_TRUE(table.isComplete()) << table.first_bad_line;
  EXPECT_EQ(table.rows.back().local.address.length, 4);
}

TEST(InetTable, PassesOverLaterColumns) {
  std::string text = padded(join(kUdpHeader, " later"), kUdpWidth);
  text += padded(join(kUdp, " 99"), kUdpWidth);
  EXPECT_EQ(onlyRow(text).drops, 17U);
}

TEST(InetTable, ReadsTheLargestNumbers) {
  std::string row(kEstablished);
  row = replaced(row, "4294967295", "18446744073709551615");
  row = replaced(row, "0000002A:00000005", "FFFFFFFF:ffffffff");
  row = replaced(row, "00000019", "7FFFFFFFFFFFFFFF");
  row = replaced(row, " 1000 ", " 4294967295 ");
  const InetRow parsed = onlyRow(tcpText({row}));
  EXPECT_EQ(parsed.inode, 18446744073709551615U);
  EXPECT_EQ(parsed.tx_queue, 4294967295U);
  EXPECT_EQ(parsed.rx_queue, 4294967295U);
  EXPECT_EQ(parsed.uid, 4294967295U);
}

TEST(InetTable, NumbersThatDoNotFitAreBad) {
  const std::string row(kEstablished);
  expectBadSecondRow(replaced(row, "4294967295", "18446744073709551616"), "bad inode");
  expectBadSecondRow(replaced(row, "4294967295", "99999999999999999999"), "bad inode");
  expectBadSecondRow(replaced(row, "4294967295", "-1"), "bad inode");
  expectBadSecondRow(replaced(row, "4294967295", "12x"), "bad inode");
  expectBadSecondRow(replaced(row, "   2 4294967295", "4294967296 1"), "bad timeout");
  expectBadSecondRow(replaced(row, " 1000 ", " 4294967296 "), "bad uid");
  expectBadSecondRow(replaced(row, "00000003", "100000000"), "bad retransmits");
  expectBadSecondRow(replaced(row, "01:00000019", "100:00000019"), "bad timer");
  expectBadSecondRow(replaced(row, "00000019", "10000000000000000"), "bad timer");
  expectBadSecondRow(replaced(row, "0000002A", "10000002A"), "bad queues");
  expectBadSecondRow(replaced(row, ":00000005", ""), "bad queues");
  expectBadSecondRow(replaced(row, " 01 ", " 100 "), "bad state");
}

TEST(InetTable, OtherAddressesAreBad) {
  const std::string row(kEstablished);
  expectBadSecondRow(replaced(row, "0100007F:46A0", "0100007F:146A0"), "bad local address");
  expectBadSecondRow(replaced(row, "0100007F:46A0", "0100007F"), "bad local address");
  expectBadSecondRow(replaced(row, "0100007F:46A0", "100007F:46A0"), "bad local address");
  expectBadSecondRow(replaced(row, "0100007F:46A0", "00100007F:46A0"), "bad local address");
  expectBadSecondRow(replaced(row, "0100007F:46A0", "0100007G:46A0"), "bad local address");
  expectBadSecondRow(replaced(row, "0100007F:46A0", "-100007F:46A0"), "bad local address");
  expectBadSecondRow(replaced(row, "0100007F:DA88", "0x00007F:DA88"), "bad remote address");
  expectBadSecondRow(replaced(row, "0100007F:DA88", "0100007F:"), "bad remote address");
  expectBadSecondRow(replaced(row, "   5:", "   5"), "bad slot number");
}

TEST(InetTable, LinesThatAreNoRowsAreBad) {
  for (const std::string_view line :
       {"", " ", "x", "0:", "0100007F:46A0", "\x1b[2J", "\xff\xfe", ":::::::::::::::::"}) {
    const ParsedTable<InetRow> table = parseInetTable(tcpText({kListen}).append(line) + "\n");
    EXPECT_EQ(table.rows.size(), 1U);
    EXPECT_EQ(table.bad_line_count, 1U);
  }
}

TEST(InetTable, CountsAllBadLinesAndNamesTheFirst) {
  const ParsedTable<InetRow> table = parseInetTable(tcpText({kListen, "x", kListen, "y", "z"}));
  EXPECT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.bad_line_count, 3U);
  EXPECT_EQ(table.first_bad_line, "line 3: bad slot number");
}

TEST(InetTable, ACutLineIsBad) {
  const std::string text = tcpText({kListen, kEstablished});
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string part = text.substr(0, size);
    const ParsedTable<InetRow> table = parseInetTable(part);
    const size_t lines = countLines(part);
    EXPECT_EQ(table.rows.size(), lines < 2 ? 0 : lines - (part.ends_with('\n') ? 1 : 2)) << part;
    EXPECT_EQ(table.isComplete(), part.ends_with('\n')) << part;
  }
}

TEST(InetTable, NulIsNoSpace) {
  std::string text = tcpText({kEstablished});
  text[text.find(" 4294967295")] = '\0';
  EXPECT_FALSE(parseInetTable(text).isComplete());
}

template <class Row>
void expectNoTable(ParsedTable<Row> (*parse)(std::string_view), const std::string& text) {
  const ParsedTable<Row> table = parse(text);
  EXPECT_TRUE(table.rows.empty()) << text;
  EXPECT_EQ(table.bad_line_count, 1U) << text;
  EXPECT_EQ(table.first_bad_line.substr(0, 8), "line 1: ") << text;
}

/// What is the same for all tables with a header.
template <class Row>
void expectHeaderNeeded(ParsedTable<Row> (*parse)(std::string_view), const std::string& text) {
  const size_t header_size = text.find('\n') + 1;
  expectNoTable(parse, "");
  expectNoTable(parse, "\n");
  expectNoTable(parse, "\n\n\n\n");
  expectNoTable(parse, text.substr(header_size));
  expectNoTable(parse, text.substr(0, header_size - 1));
  expectNoTable(parse, text.substr(0, header_size / 2) + "\n");
  expectNoTable(parse, "\n" + text);
  expectNoTable(parse, "x" + text);
  expectNoTable(parse, withWindowsLineEnds(text));
  EXPECT_TRUE(parse(text.substr(0, header_size)).isComplete());
}

TEST(Tables, NeedTheirHeader) {
  expectHeaderNeeded(parseInetTable, tcpText({kListen}));
  expectHeaderNeeded(parseInetTable, udpText(kUdp));
  expectHeaderNeeded(parseInetTable, std::string(kTcp6));
  expectHeaderNeeded(parseUnixTable, unixText());
  expectHeaderNeeded(parseNetlinkTable, netlinkText());
  expectHeaderNeeded(parsePacketTable, packetText());
}

TEST(Tables, RefuseEachOthersTexts) {
  expectNoTable(parseInetTable, unixText());
  expectNoTable(parseUnixTable, netlinkText());
  expectNoTable(parseNetlinkTable, packetText());
  expectNoTable(parsePacketTable, tcpText({kListen}));
  expectNoTable(parseInetTable, replaced(std::string(kTcp6), "remote_address", "other_address"));
}

TEST(UnixTable, ReadsEveryRow) {
  const ParsedTable<UnixRow> table = parseUnixTable(unixText());
  ASSERT_TRUE(table.isComplete()) << table.first_bad_line;
  ASSERT_EQ(table.rows.size(), 4U);
  EXPECT_EQ(table.rows[0], (UnixRow{1564, 3, 0, 1, 3, ""}));
  EXPECT_EQ(table.rows[1], (UnixRow{6697, 2, 0, 2, 1, ""}));
  EXPECT_EQ(table.rows[2], (UnixRow{6696, 2, 0x10000, 5, 1, "/run/app/a b\n\x1b[31mred\xff"}));
  EXPECT_EQ(table.rows[3], (UnixRow{6695, 2, 0x10000, 1, 1, "@abs@tract name"}));
}

constexpr std::string_view kUnixRow = "00000000b8aab3b9: 00000002 00000000 00010000 0005 01 ";

/// The path of a table's only row.
std::string onlyPath(std::string_view path) {
  const std::string text = join(kUnixHeader, kUnixRow) + " 6696 " + std::string(path) + "\n";
  const ParsedTable<UnixRow> table = parseUnixTable(text);
  EXPECT_TRUE(table.isComplete()) << table.first_bad_line;
  EXPECT_EQ(table.rows.size(), 1U);
  return table.rows.empty() ? "" : table.rows.front().path;
}

TEST(UnixTable, KeepsAPathAsItIs) {
  constexpr std::string_view kWithNul("@a\0b\0", 5);
  for (const std::string_view path :
       {std::string_view("/run/x.sock"), std::string_view(" "), std::string_view("  two spaces "),
        std::string_view("\n"), std::string_view("\nsecond line"), std::string_view("/a\n\n\n"),
        std::string_view("/a\r"), std::string_view("/\x1b[31m\xff\xfe"), std::string_view("/a: b"),
        std::string_view("/a\nx: 00000002"), kWithNul}) {
    EXPECT_EQ(onlyPath(path), path);
  }
  EXPECT_EQ(onlyPath(std::string(108, 'p')), std::string(108, 'p'));
}

TEST(UnixTable, ReadsInodesOfAnyWidth) {
  for (const std::string_view inode :
       {"    0", "    7", "12345", "4294967295", "18446744073709551615"}) {
    const ParsedTable<UnixRow> table =
        parseUnixTable(join(kUnixHeader, kUnixRow).append(inode) + " /a\n");
    ASSERT_TRUE(table.isComplete()) << inode;
    EXPECT_EQ(table.rows[0].inode, std::stoull(std::string(inode)));
    EXPECT_EQ(table.rows[0].path, "/a");
  }
}

TEST(UnixTable, ReadsPointersThatAreHidden) {
  for (const std::string_view pointer : {"00000000", "0000000000000000", "(____ptrval____)",
                                         "ffff888012345678", "FFFF888012345678"}) {
    const std::string text =
        join(kUnixHeader, pointer) + ": 00000002 00000000 00000000 0001 01     5\n";
    EXPECT_EQ(parseUnixTable(text).rows.size(), 1U) << pointer;
  }
}

TEST(UnixTable, NumbersThatDoNotFitAreBad) {
  for (const std::string_view rest :
       {"100000002 00000000 00010000 0005 01  6696", "00000002 x 00010000 0005 01  6696",
        "00000002 00000000 100010000 0005 01  6696", "00000002 00000000 00010000 10005 01  6696",
        "00000002 00000000 00010000 0005 101  6696", "00000002 00000000 00010000 0005 01",
        "00000002 00000000 00010000 0005 01 -6696", "00000002 00000000 00010000 0005 01 66x96",
        "00000002 00000000 00010000 0005 01 18446744073709551616",
        "00000002 00000000 00010000 0005 01 99999999999999999999 /a",
        "00000002 00000000 00010000 0005 01  6696\t/a"}) {
    const std::string row = join("00000000b8aab3b9: ", rest) + "\n";
    const ParsedTable<UnixRow> table = parseUnixTable(unixText() + row);
    EXPECT_EQ(table.rows.size(), 4U) << rest;
    EXPECT_EQ(table.bad_line_count, 1U) << rest;
    EXPECT_EQ(table.first_bad_line.substr(0, 8), "line 7: ") << rest;
  }
}

TEST(UnixTable, ALineAfterARowWithoutPathIsBad) {
  const std::string text = join(kUnixHeader, kUnixRow) + " 6696\nstray\nstray\n";
  const ParsedTable<UnixRow> table = parseUnixTable(text);
  EXPECT_EQ(table.rows.size(), 1U);
  EXPECT_EQ(table.bad_line_count, 2U);
  EXPECT_EQ(table.first_bad_line, "line 3: neither a row nor the rest of a path");
}

TEST(UnixTable, APathDoesNotGrowOverItsLimit) {
  const std::string text =
      join(kUnixHeader, kUnixRow) + " 6696 /a\n" + std::string(105, 'b') + "\n";
  EXPECT_EQ(parseUnixTable(text).rows.front().path.size(), 108U);
  const ParsedTable<UnixRow> table = parseUnixTable(text + "\n");
  EXPECT_EQ(table.bad_line_count, 1U);
  EXPECT_EQ(table.rows.front().path.size(), 108U);
  const std::string too_long =
      join(kUnixHeader, kUnixRow) + " 6696 " + std::string(109, 'p') + "\n";
  EXPECT_EQ(parseUnixTable(too_long).first_bad_line, "line 2: the path is too long");
}

TEST(UnixTable, ACutLineIsBad) {
  const std::string text = unixText();
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string part = text.substr(0, size);
    const ParsedTable<UnixRow> table = parseUnixTable(part);
    EXPECT_EQ(table.isComplete(), part.ends_with('\n')) << part;
  }
}

TEST(NetlinkTable, ReadsEveryRow) {
  const ParsedTable<NetlinkRow> table = parseNetlinkTable(netlinkText());
  ASSERT_TRUE(table.isComplete()) << table.first_bad_line;
  ASSERT_EQ(table.rows.size(), 3U);
  EXPECT_EQ(table.rows[0], (NetlinkRow{4, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(table.rows[1], (NetlinkRow{6700, 0, 3716, 0x1f, 4352, -1, 12}));
  EXPECT_EQ(table.rows[2], (NetlinkRow{5, 16, 4294963200, 0, 0, 0, 0}));
}

TEST(NetlinkTable, TakesTheDumpPointerOfAnOldKernel) {
  const std::string row =
      "0000000000000000 15  1432   00000001 0        0        0000000000000000 2        0        "
      "1026\n";
  const ParsedTable<NetlinkRow> table = parseNetlinkTable(join(kNetlinkHeader, row));
  ASSERT_TRUE(table.isComplete()) << table.first_bad_line;
  EXPECT_EQ(table.rows[0], (NetlinkRow{1026, 15, 1432, 1, 0, 0, 0}));
}

TEST(NetlinkTable, OtherLinesAreBad) {
  for (const std::string_view row :
       {"", " ", "sk", "sk 0 0 00000000 0 0 0 2 0", "sk 0 0 00000000 0 0 0 2 0 -4",
        "sk 0 0 00000000 0 0 0 2 x 4", "sk 0 0 100000000 0 0 0 2 0 4",
        "sk 0 4294967296 0 0 0 0 2 0 4", "sk -1 0 0 0 0 0 2 0 4",
        "sk 0 0 0 9223372036854775808 0 0 2 0 4", "sk 0 0 0 0 99999999999999999999 0 2 0 4",
        "sk 0 0 0 0 0 0 2 0 18446744073709551616", "sk 0 0 0 0 0 0 2 0 4\r"}) {
    const ParsedTable<NetlinkRow> table = parseNetlinkTable(netlinkText().append(row) + "\n");
    EXPECT_EQ(table.rows.size(), 3U) << row;
    EXPECT_EQ(table.first_bad_line.substr(0, 8), "line 5: ") << row;
  }
  EXPECT_TRUE(parseNetlinkTable(join(kNetlinkHeader, "sk 0 0 0 0 0 0 2 0 4 later\n")).isComplete());
  EXPECT_FALSE(parseNetlinkTable(join(kNetlinkHeader, "sk 0 0 0 0 0 0 2 0 4")).isComplete());
}

TEST(PacketTable, ReadsEveryRow) {
  const ParsedTable<PacketRow> table = parsePacketTable(packetText());
  ASSERT_TRUE(table.isComplete()) << table.first_bad_line;
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0], (PacketRow{6694, 3, 3, 0, true, 0, 0}));
  EXPECT_EQ(table.rows[1], (PacketRow{6695, 2, 0x88cc, 12, false, 768, 1000}));
}

TEST(PacketTable, OtherLinesAreBad) {
  for (const std::string_view row :
       {"", " ", "sk", "sk 3 3 0003 0 1 0 0", "sk 3 65536 0003 0 1 0 0 1", "sk 3 3 10003 0 1 0 0 1",
        "sk 3 3 0003 2147483648 1 0 0 1", "sk 3 3 0003 0 x 0 0 1",
        "sk 3 3 0003 0 1 99999999999999999999 0 1", "sk 3 3 0003 0 1 0 4294967296 1",
        "sk 3 3 0003 0 1 0 0 -1", "sk 3 3 0003 0 1 0 0 18446744073709551616",
        "sk 3 3 0003 0 1 0 0 1\r"}) {
    const ParsedTable<PacketRow> table = parsePacketTable(packetText().append(row) + "\n");
    EXPECT_EQ(table.rows.size(), 2U) << row;
    EXPECT_EQ(table.first_bad_line.substr(0, 8), "line 4: ") << row;
  }
  EXPECT_TRUE(parsePacketTable(join(kPacketHeader, "sk 3 3 0003 0 1 0 0 1 later\n")).isComplete());
  EXPECT_FALSE(parsePacketTable(join(kPacketHeader, "sk 3 3 0003 0 1 0 0 1")).isComplete());
}

TEST(Sockstat, ReadsEveryValue) {
  const ParsedTable<SockstatValue> table = parseSockstat(kSockstat);
  ASSERT_TRUE(table.isComplete()) << table.first_bad_line;
  ASSERT_EQ(table.rows.size(), 12U);
  EXPECT_EQ(table.rows[0], (SockstatValue{"sockets.used", 31}));
  EXPECT_EQ(table.rows[1], (SockstatValue{"TCP.inuse", 7}));
  EXPECT_EQ(table.rows[3], (SockstatValue{"TCP.tw", 3}));
  EXPECT_EQ(table.rows[11], (SockstatValue{"FRAG.memory", 0}));
}

TEST(Sockstat, ReadsTheLargestNumbers) {
  const ParsedTable<SockstatValue> table =
      parseSockstat("TCP: mem -9223372036854775808 inuse 9223372036854775807\n");
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].value, INT64_MIN);
  EXPECT_EQ(table.rows[1].value, INT64_MAX);
}

TEST(Sockstat, ABadLineGivesNoValues) {
  const std::string long_name(33, 'n');
  for (const std::string& line :
       {std::string(), std::string("\r"), std::string("TCP"), std::string("TCP:"),
        std::string(": inuse 1"), std::string("TCP inuse 1"), std::string("TCP: inuse"),
        std::string("TCP: inuse 1 tw"), std::string("TCP: inuse 1 tw x"),
        std::string("TCP: inuse 1 tw 9223372036854775808"),
        std::string("TCP: inuse 99999999999999999999"), std::string("TCP: inuse 1\r"),
        std::string("T\x1b[31m: inuse 1"), std::string("TCP: in\xffuse 1"), long_name + ": inuse 1",
        "TCP: " + long_name + " 1"}) {
    const ParsedTable<SockstatValue> table =
        parseSockstat(std::string(kSockstat).append(line) + "\n");
    EXPECT_EQ(table.rows.size(), 12U) << line;
    EXPECT_EQ(table.bad_line_count, 1U) << line;
    EXPECT_EQ(table.first_bad_line.substr(0, 8), "line 7: ") << line;
  }
}

TEST(Sockstat, ATextWithoutValuesIsBad) {
  EXPECT_EQ(parseSockstat("").bad_line_count, 1U);
  EXPECT_EQ(parseSockstat("\n\n\n").bad_line_count, 3U);
  EXPECT_EQ(parseSockstat("TCP: inuse 1").bad_line_count, 1U);
  EXPECT_TRUE(parseSockstat("TCP: inuse 1").rows.empty());
}

/// Parses a table of this machine; the kernel may lack it.
template <class Row>
void expectLiveTable(ParsedTable<Row> (*parse)(std::string_view), const std::string& name) {
  const std::optional<std::string> text = readFile("/proc/self/net/" + name);
  if (!text) return;
  const ParsedTable<Row> table = parse(*text);
  EXPECT_TRUE(table.isComplete()) << name << ", " << table.first_bad_line << '\n' << *text;
}

TEST(Tables, ReadThisMachine) {
  for (const std::string name : {"tcp", "udp", "udplite", "raw", "icmp"}) {
    expectLiveTable(parseInetTable, name);
    expectLiveTable(parseInetTable, name + "6");
  }
  expectLiveTable(parseUnixTable, "unix");
  expectLiveTable(parseNetlinkTable, "netlink");
  expectLiveTable(parsePacketTable, "packet");
  expectLiveTable(parseSockstat, "sockstat");
  expectLiveTable(parseSockstat, "sockstat6");
}

TEST(Tables, SurviveSpoiledTexts) {
  const std::array<std::string, 4> inet_texts = {tcpText({kListen, kTimeWait, kEstablished}),
                                                 udpText(kUdp), std::string(kTcp6),
                                                 std::string(kUdp6)};
  Mutator mutator;
  for (size_t i = 0; i < kMutationCount; ++i) {
    std::string text = mutator.mutate(inet_texts[i % inet_texts.size()]);
    ASSERT_NO_FATAL_FAILURE(expectSoundTable(parseInetTable(text), text));
    text = mutator.mutate(netlinkText());
    ASSERT_NO_FATAL_FAILURE(expectSoundTable(parseNetlinkTable(text), text));
    text = mutator.mutate(packetText());
    ASSERT_NO_FATAL_FAILURE(expectSoundTable(parsePacketTable(text), text));
    text = mutator.mutate(unixText());
    ASSERT_NO_FATAL_FAILURE(expectSoundTable(parseUnixTable(text), text));
    text = mutator.mutate(std::string(kSockstat));
    ASSERT_LE(parseSockstat(text).bad_line_count, std::max<size_t>(1, countLines(text)));
  }
}

}  // namespace

}  // namespace fdmortem::test
