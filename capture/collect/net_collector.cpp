#include "capture/collect/net_collector.h"

#include <cerrno>
#include <utility>

#include <fmt/core.h>

#include "capture/collect/process_collector.h"
#include "schema/readers/net.h"
#include "schema/readers/net_rows.h"
#include "schema/readers/process.h"

namespace fdmortem {
namespace {

size_t indexOf(NetTable table) {
  return static_cast<size_t>(table) - 1;
}

/// The inode of the network namespace that a process lives in; 0 if it can't be told.
uint64_t netnsOf(int directory) {
  std::string link;
  if (ProcSource::readLink(directory, "ns/net", link) != 0) return 0;
  return parseNamespaceLink(link).value_or(0);
}

/// The tables of one namespace, read through one process.
class NetReader {
 public:
  NetReader(int directory, int32_t pid, uint64_t netns, TextLog& texts, FailureLog& failures)
      : directory_(directory),
        pid_(pid),
        folder_(fmt::format("net:[{}]", netns)),
        texts_(texts),
        failures_(failures) {}

  NetnsRecord readAll() {
    NetnsRecord record;
    for (size_t i = 0; i < kNetTableNames.size(); ++i) {
      const auto table = static_cast<NetTable>(i + 1);
      record.status.at(i) = isInetTable(table) ? readInet(table, record) : readOther(table, record);
    }
    return record;
  }

  /// The text of a table in `text_`; Whole if it could be read.
  ReadStatus read(NetTable table) {
    const std::string file = fmt::format("net/{}", netTableName(table));
    const auto text = texts_.readTable(directory_, file.c_str(),
                                       fmt::format("{}/{}", folder_, netTableName(table)));
    text_ = text.value_or(std::string_view());
    if (text) return ReadStatus::Whole;
    // A kernel without the protocol has no such file. That the process ended looks the same, which
    // is why its namespace is looked at again at the end.
    if (text.error() == ENOENT) return ReadStatus::Absent;
    failures_.add("read", fmt::format("{}/{}", pid_, file), pid_, text.error());
    return ReadStatus::Failed;
  }

  std::string_view text() const { return text_; }

 private:
  template <class Row>
  ReadStatus take(NetTable table, ParsedTable<Row> parsed, std::vector<Row>& rows) {
    rows = std::move(parsed.rows);
    if (parsed.isComplete()) return ReadStatus::Whole;
    failures_.add(Failure{.operation = "parse",
                          .subject = fmt::format("{}/net/{}", pid_, netTableName(table)),
                          .pid = pid_,
                          .error_number = {},
                          .detail = parsed.first_bad_line,
                          .count = parsed.bad_line_count});
    return rows.empty() ? ReadStatus::Failed : ReadStatus::Incomplete;
  }

  ReadStatus readInet(NetTable table, NetnsRecord& record) {
    ReadStatus status = read(table);
    if (status != ReadStatus::Whole) return status;
    auto& rows = record.inet.at(indexOf(table));
    status = take(table, parseInetTable(text_), rows);
    record.time_wait.at(indexOf(table)) = takeTimeWait(rows);
    sortInetRows(rows);
    return status;
  }

  ReadStatus readOther(NetTable table, NetnsRecord& record) {
    const ReadStatus status = read(table);
    if (status != ReadStatus::Whole) return status;
    switch (table) {
      case NetTable::Unix:
        return readUnix(record);
      case NetTable::Netlink: {
        const auto result = take(table, parseNetlinkTable(text_), record.netlink_rows);
        sortNetlinkRows(record.netlink_rows);
        return result;
      }
      case NetTable::Packet: {
        const auto result = take(table, parsePacketTable(text_), record.packet_rows);
        sortPacketRows(record.packet_rows);
        return result;
      }
      default: {
        auto& values = record.sockstat.at(table == NetTable::Sockstat6 ? 1 : 0);
        const auto result = take(table, parseSockstat(text_), values);
        sortSockstat(values);
        return result;
      }
    }
  }

  ReadStatus readUnix(NetnsRecord& record) {
    std::vector<UnixRow> rows;
    const ReadStatus status = take(NetTable::Unix, parseUnixTable(text_), rows);
    record.unix_rows = countUnixRows(std::move(rows));
    return status;
  }

  int directory_;
  int32_t pid_;
  std::string folder_;  ///< under which the texts are kept
  TextLog& texts_;
  FailureLog& failures_;
  std::string_view text_;  ///< of the table that was read last
};

}  // namespace

std::optional<NetnsRecord> readNetns(const ProcSource& source, uint64_t netns,
                                     const std::vector<ProcessIdentity>& processes, TextLog& texts,
                                     FailureLog& failures) {
  int last_error = 0;
  for (const ProcessIdentity& identity : processes) {
    const auto process = openProcess(source, identity);
    if (!process) {
      if (process.error() != ESRCH) last_error = process.error();
      continue;
    }
    const FileHandle files = filesDirectory(*process);
    FailureLog own_failures;
    const size_t texts_before = texts.mark();
    NetnsRecord record = NetReader(files.get(), identity.pid, netns, texts, own_failures).readAll();
    if (netnsOf(files.get()) != netns) {
      // It ended, or it went elsewhere: then nobody knows whose tables these are.
      texts.dropAfter(texts_before);
      const auto again = openProcess(source, identity);
      if (again || again.error() != ESRCH) last_error = ENXIO;
      continue;
    }
    for (Failure& failure : own_failures.take())
      failures.add(std::move(failure));
    record.inode = netns;
    return record;
  }
  // That all of them have ended is a fact, and no failure.
  if (last_error == 0) return {};
  failures.add("open", fmt::format("net:[{}]", netns), {}, last_error);
  NetnsRecord record{.inode = netns};
  record.status.fill(ReadStatus::Failed);
  return record;
}

std::optional<TcpTables> readTcpTables(const ProcSource& source, uint64_t netns,
                                       const std::vector<ProcessIdentity>& processes,
                                       TextLog& texts) {
  for (const ProcessIdentity& identity : processes) {
    const auto process = openProcess(source, identity);
    if (!process) continue;
    const FileHandle files = filesDirectory(*process);
    FailureLog ignored;  // the first reading stands; this one only adds to it
    const size_t texts_before = texts.mark();
    NetReader reader(files.get(), identity.pid, netns, texts, ignored);
    TcpTables tables;
    bool is_whole = true;
    for (const NetTable table : {NetTable::Tcp, NetTable::Tcp6}) {
      const ReadStatus status = reader.read(table);
      if (status == ReadStatus::Absent) continue;
      auto parsed = parseInetTable(reader.text());
      is_whole = is_whole && status == ReadStatus::Whole && parsed.isComplete();
      (table == NetTable::Tcp ? tables.tcp : tables.tcp6) = std::move(parsed.rows);
    }
    if (is_whole && netnsOf(files.get()) == netns) return tables;
    texts.dropAfter(texts_before);
  }
  return {};
}

}  // namespace fdmortem
