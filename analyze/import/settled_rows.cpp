#include "analyze/import/settled_rows.h"

#include <optional>
#include <string>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

#include "schema/address.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

constexpr int64_t kAny = RowReader::kAny;
constexpr int64_t kNoNumber = SettledFds::kNone;

}  // namespace

void SettledRows::find(SQLite::Database& analysis) {
  tellProcesses();
  tellTables();
  tellRows();
  const SettledFds::Names names = namesIn(analysis);
  settled_.decide(names);
  settled_.store(analysis, names);
}

/// Unchecked: that is done when the table is taken over.
template <class Take>
void SettledRows::forEachOf(const char* table, const Take& take) {
  settled_.beginTable();
  RowReader rows(archive_, table);
  while (rows.next())
    take(rows);
}

void SettledRows::tellProcesses() {
  const References::Numbers& processes = references_.processes();
  forEachOf("process_change", [&](const RowReader& rows) {
    const auto process = processes.find(rows.numberOr(1, kAny));
    if (process == processes.end()) return;
    settled_.addProcess(rows.numberOr(0, 0), process->second, rows.numberOr(2, 0),
                        rows.numberOr(3, 0));
  });
  forEachOf("limit_change", [&](const RowReader& rows) {
    const auto process = processes.find(rows.numberOr(1, kAny));
    const auto resource = references_.texts().find(rows.numberOr(3, kAny));
    if (process == processes.end() || resource == references_.texts().end() || rows.isNull(4))
      return;
    if (resource->second == "Max open files")
      settled_.addLimit(process->second, rows.numberOr(4, 0));
  });
}

void SettledRows::tellTables() {
  forEachOf("net_table_change", [&](const RowReader& rows) {
    const auto netns = references_.namespaces().find(rows.numberOr(1, kAny));
    if (netns == references_.namespaces().end()) return;
    settled_.addNetTable(rows.numberOr(0, 0), netns->second, rows.numberOr(2, 0),
                         rows.numberOr(3, 0));
  });
  forEachOf("epoll_watch_change", [&](const RowReader& rows) {
    const auto process = references_.processes().find(rows.numberOr(1, kAny));
    if (process == references_.processes().end()) return;
    settled_.addWatch(
        {process->second, rows.numberOr(4, 0), rows.numberOr(3, 0), rows.numberOr(5, kNoNumber)});
  });
}

/// All rows that tell of fds and sockets; they are read and checked in another thread.
void SettledRows::tellRows() {
  std::vector<const ArchiveTable*> tables;
  for (const ArchiveTable& table : plainTables()) {
    if (!knows(table)) continue;
    tables.push_back(&table);
    extents_[table.name] = {};
  }
  std::optional<RowReader> rows;
  ReadAhead blocks([&, table = size_t{0}](RowBlock& block) mutable {
    for (; block.rows == 0 && table < tables.size(); ++table) {
      if (!rows) rows.emplace(archive_, tables[table]->name);
      block.table = table;
      if (readBlock(*rows, *tables[table], block)) return true;
      rows.reset();
    }
    return block.rows > 0;
  });
  const ArchiveTable* last = nullptr;
  for (RowBlock block; blocks.next(block);) {
    const ArchiveTable& table = *tables[block.table];
    if (std::exchange(last, &table) != &table) settled_.beginTable();
    takeBlock(table, block);
  }
}

/// For each row its rowid and the numbers of its columns. False: these are the last.
bool SettledRows::readBlock(RowReader& rows, const ArchiveTable& table, RowBlock& block) const {
  constexpr size_t kRows = 8192;  // so that seldom one thread waits for the other
  while (block.rows < kRows) {
    if (!rows.next()) return false;
    block.numbers.push_back(rows.rowid());
    checkRow(rows, table, block.numbers);
    ++block.rows;
  }
  return true;
}

/// Adds its numbers, what they refer to numbered as in the analysis or alike.
void SettledRows::checkRow(const RowReader& rows, const ArchiveTable& table,
                           std::vector<int64_t>& numbers) const {
  const bool is_nothing = references_.isRemains(rows);
  for (size_t i = 0; i < table.columns.size(); ++i)
    numbers.push_back(is_nothing ? kNoNumber
                                 : checkValue(rows, table.columns[i], static_cast<int>(i)));
}

int64_t SettledRows::checkValue(const RowReader& rows, const Column& column, int index) const {
  if (column.kind == ColumnKind::Integer) {
    return column.is_nullable ? rows.integerOrNull(index, column.minimum, column.maximum, kNoNumber)
                              : rows.integer(index, column.minimum, column.maximum);
  }
  if (column.is_nullable && rows.isNull(index)) return kNoNumber;
  switch (column.kind) {
    case ColumnKind::Integer:
      break;
    case ColumnKind::Text:
      rows.checkText(index);
      return kNoNumber;
    case ColumnKind::TextId:
    case ColumnKind::Cmdline:
      return references_.alikeText(rows, index);
    case ColumnKind::Snapshot:
      return references_.snapshot(rows, index);
    case ColumnKind::Process:
      return references_.process(rows, index);
    case ColumnKind::Netns:
      return references_.netns(rows, index);
    case ColumnKind::Endpoint:
      if (column.is_nullable) rows.integer(index + 1, 0, 65535);
      return references_.alikeAddress(rows, index);
  }
  return kNoNumber;
}

void SettledRows::takeBlock(const ArchiveTable& table, const RowBlock& block) {
  Extent& extent = extents_.at(table.name);
  const int64_t* row = block.numbers.data();
  for (size_t i = 0; i < block.rows; ++i, row += 1 + table.columns.size()) {
    extent.add(row[0]);
    tell(table, row + 1);
  }
  progress_.add(block.rows);
}

void SettledRows::tell(const ArchiveTable& table, const int64_t* row) {
  switch (table.rows) {
    case TableRows::Fd:
      settled_.addFd({row[0], row[1], row[2], row[3], row[4], row[5], row[7], row[10]});
      break;
    case TableRows::Inet:
      settled_.addInet(
          {row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9]});
      break;
    case TableRows::Gone:
      settled_.addGone(row[0], row[1]);
      break;
    case TableRows::Autopsy: {
      // delivered, data_segments_in, bytes_received: the first that the kernel tells.
      const int64_t carried = row[24] != kNoNumber   ? row[24]
                              : row[23] != kNoNumber ? row[23]
                                                     : row[19];
      settled_.addAutopsy(
          {row[0], row[1], row[2], row[3], row[5], row[6], row[7], row[8], row[9], carried > 0});
      break;
    }
    case TableRows::Queue:
      settled_.addQueue({row[0], row[3], row[4] > 0 || row[5] > 0 || row[6] != 0, row[5] > 0,
                         row[7] > 0 || row[8] > 0});
      break;
    case TableRows::Other:
      break;
  }
}

SettledFds::Names SettledRows::namesIn(SQLite::Database& analysis) const {
  SettledFds::Names names;
  names.text = [this](int64_t text) { return printable(references_.texts().at(text)); };
  names.endpoint = [this](int64_t address, int64_t port) {
    return formatEndpoint(references_.addresses().at(address), static_cast<uint16_t>(port));
  };
  SQLite::Statement namespaces(analysis, "SELECT id, inode FROM netns");
  std::map<int64_t, int64_t> inodes;
  while (namespaces.executeStep())
    inodes[namespaces.getColumn(0).getInt64()] = namespaces.getColumn(1).getInt64();
  names.netns_inode = [inodes](int64_t netns) { return inodes.at(netns); };
  SQLite::Statement states(analysis, "SELECT state, verdict FROM tcp_state");
  while (states.executeStep())
    names.verdicts[states.getColumn(0).getInt64()] = states.getColumn(1).getString();
  return names;
}

SettledFds::Fate SettledRows::fateOf(const ArchiveTable& table, size_t place) const {
  switch (table.rows) {
    case TableRows::Fd:
      return settled_.ofFd(place);
    case TableRows::Inet:
      return settled_.ofInet(place);
    case TableRows::Gone:
      return settled_.ofGone(place);
    case TableRows::Autopsy:
      return settled_.ofAutopsy(place);
    case TableRows::Queue:
      return settled_.ofQueue(place);
    case TableRows::Other:
      break;
  }
  return SettledFds::Fate::Kept;
}

}  // namespace fdmortem
