#include "analyze/import/import.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "analyze/import/archive_tables.h"
#include "analyze/import/read_ahead.h"
#include "analyze/import/repetition.h"
#include "analyze/import/row_reader.h"
#include "analyze/import/salvage.h"
#include "analyze/import/save_rows.h"
#include "analyze/import/settled.h"
#include "schema/address.h"
#include "schema/evidence/digest.h"
#include "schema/evidence/text_codec.h"
#include "schema/format.h"
#include "schema/printable.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr int64_t kAny = RowReader::kAny;
constexpr int64_t kMax = RowReader::kMax;
constexpr int64_t kNoNumber = SettledFds::kNone;
constexpr size_t kMaximumNameBytes = RowReader::kMaximumNameBytes;

std::string printableCmdline(std::string arguments) {
  if (!arguments.empty() && arguments.back() == '\0') arguments.pop_back();
  std::replace(arguments.begin(), arguments.end(), '\0', ' ');
  return printable(arguments);
}

/// A command line, which is a JSON array of texts: as such an array of printable ones. Anything
/// else as printable text.
std::string printableWords(std::string_view text) {
  bool is_flat = true;
  // What is nested deeper is not kept: it could take much memory.
  auto words = nlohmann::json::parse(
      text,
      [&](int depth, auto, auto&) {
        is_flat = is_flat && depth <= 1;
        return is_flat;
      },
      false);
  const auto is_word = [](const auto& word) { return word.is_string(); };
  if (!is_flat || !words.is_array() || !std::all_of(words.begin(), words.end(), is_word)) {
    return printable(text);
  }
  for (auto& word : words)
    word = printable(word.get_ref<const std::string&>());
  return words.dump();
}

class Importer {
 public:
  Importer(SQLite::Database& archive, SQLite::Database& analysis, const ImportProblem& on_problem,
           const OnProgress& on_progress, RowsKept kept, Salvage* salvage)
      : archive_(archive),
        analysis_(analysis),
        on_problem_(on_problem),
        on_progress_(on_progress),
        salvage_(salvage) {
    // What is saved begins at any keyframe.
    if (salvage != nullptr) return;
    if (kept != RowsKept::All) repetitions_.emplace();
    if (kept == RowsKept::Unsettled && !on_problem) {
      settled_.emplace(
          1'000'000 *
          analysis.execAndGet("SELECT value FROM setting WHERE name = 'grace_ms'").getInt64());
    }
  }

  void run() {
    SQLite::Transaction transaction(analysis_);
    // Else the file would be locked anew for each row that is looked for.
    const SQLite::Transaction reading(archive_);
    countRows();
    importRecordings();
    importSnapshots();
    importRecorderEvents();
    importDropped();
    tolerantly([&] { importChain(); });
    tolerantly([&] { checkVerbatim(); });
    readTexts();
    readAddresses();
    importProcesses();
    importNamespaces();
    if (settled_) findSettled();
    for (const ArchiveTable& table : plainTables())
      tolerantly([&] { importTable(table); });
    transaction.commit();
  }

 private:
  /// For a table to which no other refers.
  template <class Import>
  void tolerantly(Import import) {
    try {
      import();
    } catch (const SQLite::Exception& error) {
      if (!on_problem_ || isLimit(error)) throw;
      on_problem_(error.what());
    } catch (const std::runtime_error& error) {
      if (!on_problem_) throw;
      on_problem_(error.what());
    }
  }

  /// The rows of a table and their rowids.
  struct Extent {
    int64_t first = 0;
    size_t rows = 0;
    bool has_no_gaps = true;

    void add(int64_t rowid) {
      if (rows == 0) first = rowid;
      const auto place = static_cast<uint64_t>(rowid) - static_cast<uint64_t>(first);
      has_no_gaps = has_no_gaps && place == rows;
      ++rows;
    }
  };

  struct End {
    int64_t ended_at_ns;
    std::string reason;
  };

  /// Gives each row of a table to `take`, in the order in which they were added.
  template <class Take>
  void forEachRow(const std::string& table, const Take& take) {
    if (salvage_ != nullptr) return saveRows(archive_, table, *salvage_, take);
    RowReader rows(archive_, table);
    while (rows.next())
      take(rows);
  }

  /// About how many there are; without deleted ones exactly.
  void countRows() {
    if (!on_progress_ || salvage_ != nullptr) return;
    for (const ArchiveTable& table : plainTables()) {
      const std::string last = fmt::format("SELECT coalesce(max(rowid), 0) FROM {}", table.name);
      all_rows_ += std::clamp(archive_.execAndGet(last).getInt64(), int64_t{0}, kMaximumSum);
    }
  }

  void tellProgress() {
    constexpr int64_t kRowsBetween = 10'000;
    if (!on_progress_ || ++rows_ % kRowsBetween != 0) return;
    on_progress_("reading",
                 static_cast<int>(100.0 * static_cast<double>(std::min(rows_, all_rows_)) /
                                  static_cast<double>(std::max(all_rows_, int64_t{1}))));
  }

  void importRecordings() {
    std::map<int64_t, End> ends;
    forEachRow("recording_end", [&](const RowReader& end_rows) {
      ends[end_rows.integer(0)] = {end_rows.integer(1, 0, kMaximumTime), end_rows.text(2)};
    });
    SQLite::Statement insert(
        analysis_, "INSERT INTO recording VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,NULL)");
    forEachRow("recording", [&](const RowReader& rows) {
      const int64_t id = rows.integer(0);
      const auto boot_id = rows.isNull(2) ? std::nullopt : std::optional(rows.text(2));
      const auto end = ends.find(id);
      insert.reset();
      insert.clearBindings();
      insert.bind(1, id);
      insert.bind(2, formatTime(rows.integer(1, 0, kMaximumTime)));
      if (end != ends.end()) {
        insert.bind(3, formatTime(end->second.ended_at_ns));
        insert.bind(4, end->second.reason);
      }
      if (boot_id) insert.bind(5, *boot_id);
      for (const int column : {3, 4, 5})
        insert.bind(column + 3, rows.text(column));
      insert.bind(9, rows.integer(6, 1));
      insert.bind(10, rows.text(7));
      for (const int column : {8, 9, 11})
        insert.bind(column + 3, rows.integer(column));
      if (!rows.isNull(10))
        insert.bind(13, rows.integer(10, 0, std::numeric_limits<uint32_t>::max()));
      insert.bind(15, printableWords(rows.rawText(12)));
      insert.bind(16, rows.integer(13, 0, 1));
      for (const int column : {14, 15})
        if (!rows.isNull(column)) insert.bind(column + 3, rows.text(column));
      insert.exec();
      boot_ids_[id] = boot_id;
      if (end != ends.end()) ends.erase(end);
    });
    if (!ends.empty() && salvage_ == nullptr) {
      throw std::runtime_error(
          fmt::format("table recording_end: no such recording: {}", ends.begin()->first));
    }
  }

  void importSnapshots() {
    SQLite::Statement insert(
        analysis_, "INSERT INTO snapshot VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    int64_t previous_id = 0;
    int64_t previous_recording = 0;
    forEachRow("snapshot", [&](const RowReader& rows) {
      const int64_t id = rows.integer(0, previous_id + 1, kMaximumSum);
      const int64_t recording = rows.integer(1, previous_recording);
      if (!boot_ids_.contains(recording)) rows.fail(1, "no such recording");
      const bool is_keyframe = rows.integer(2, 0, 1) == 1;
      if (!is_keyframe && recording != previous_recording) rows.fail(2, "no keyframe at the start");
      // That without a commit before it is the first of its recording, or may be.
      const bool is_repeating = is_keyframe && recording == previous_recording && !rows.isNull(16);
      if (repetitions_ && is_repeating) repetitions_->addKeyframe(id);
      previous_id = id;
      previous_recording = recording;
      snapshots_.push_back(id);
      if (settled_) settled_->addSnapshot(id, recording, rows.integer(6, 0, kMaximumTime));
      insert.reset();
      insert.clearBindings();
      for (int column = 0; column <= 3; ++column)
        insert.bind(column + 1, rows.integer(column, 0, column < 2 ? kMax : 1));
      insert.bind(5, formatTime(rows.integer(4, 0, kMaximumTime)));
      for (int column = 4; column <= 21; ++column) {
        const bool is_nullable = column >= 16;
        if (is_nullable && rows.isNull(column)) continue;
        // The clocks are 4 to 6; what the kernel says of the host is as large as it likes.
        insert.bind(column + 2, rows.integer(column, is_nullable && column > 16 ? kAny : 0,
                                             column <= 6    ? kMaximumTime
                                             : column <= 16 ? kMaximumSum
                                                            : kMax));
      }
      insert.exec();
    });
    analysis_.exec(
        "UPDATE recording SET (first_snapshot, last_snapshot) = "
        "(SELECT min(id), max(id) FROM snapshot WHERE recording = recording.id)");
  }

  void importRecorderEvents() {
    SQLite::Statement insert(analysis_, "INSERT INTO recorder_event VALUES (?,?,?,?,?,?)");
    forEachRow("recorder_event", [&](const RowReader& rows) {
      rows.integer(0, 1);  // its own number, which only the hash chain needs
      if (!boot_ids_.contains(rows.integer(1))) rows.fail(1, "no such recording");
      insert.reset();
      insert.clearBindings();
      insert.bind(1, rows.integer(1));
      insert.bind(2, formatTime(rows.integer(2, 0, kMaximumTime)));
      insert.bind(3, rows.integer(2, kAny));
      insert.bind(4, rows.integer(3));
      insert.bind(5, rows.text(4));
      if (!rows.isNull(5)) insert.bind(6, rows.text(5));
      insert.exec();
    });
  }

  void importDropped() {
    SQLite::Statement insert(analysis_, "INSERT INTO dropped VALUES (?,?,?,?,?)");
    forEachRow("dropped", [&](const RowReader& rows) {
      insert.reset();
      insert.bind(1, rows.text(0));
      insert.bind(2, rows.integer(1));
      insert.bind(3, formatTime(rows.integer(2, 0, kMaximumTime)));
      insert.bind(4, formatTime(rows.integer(3, 0, kMaximumTime)));
      insert.bind(5, rows.integer(4));
      insert.exec();
    });
  }

  /// Of the hash chain only the head is taken over.
  void importChain() {
    std::optional<std::pair<int64_t, std::string>> head;
    forEachRow("chain", [&](const RowReader& rows) {
      rows.integer(1, 1, 5);
      rows.integer(2);
      rows.digest(3);
      head.emplace(rows.integer(0, 1), toHex(rows.digest(4)));
    });
    if (!head) return;
    SQLite::Statement insert(analysis_, "INSERT INTO chain_head VALUES (?, ?)");
    insert.bind(1, head->first);
    insert.bind(2, head->second);
    insert.exec();
  }

  /// The texts stay where they are; whether they are what they should be is for `check`.
  void checkVerbatim() {
    std::set<std::pair<int64_t, int64_t>> known;
    forEachRow("verbatim", [&](const RowReader& rows) {
      const int64_t snapshot = rows.integer(0);
      if (!known.emplace(snapshot, rows.integer(1, 1, 2)).second) rows.fail(1, "there twice");
      if (!rows.isNull(2)) rows.integer(2, 0, snapshot);
      rows.integer(3, 0, kMaximumTextBytes);
      rows.digest(4);
    });
  }

  void readTexts() {
    forEachRow("text", [&](const RowReader& rows) {
      const std::string_view text = rows.blob(2);
      if (text.size() > kMaximumNameBytes) rows.fail(2, "longer than any name");
      texts_[rows.integer(0)] = text;
    });
    if (repetitions_) alike_texts_ = firstAlike(texts_);
  }

  void readAddresses() {
    forEachRow("address", [&](const RowReader& rows) {
      const std::string_view address = rows.blob(2);
      if (address.size() != 4 && address.size() != 16) rows.fail(2, "not an Internet address");
      addresses_[rows.integer(0)] = std::string(address);
    });
    if (repetitions_) alike_addresses_ = firstAlike(addresses_);
  }

  /// For each of the values the number of one that is alike.
  static std::unordered_map<int64_t, int64_t> firstAlike(
      const std::unordered_map<int64_t, std::string>& values) {
    std::unordered_map<std::string_view, int64_t> known;
    std::unordered_map<int64_t, int64_t> result;
    for (const auto& [id, value] : values)
      result[id] = known.emplace(value, id).first->second;
    return result;
  }

  /// NULL as a boot of its own for each recording: two unknown ones must not be taken for the same.
  std::string bootKey(const RowReader& rows, int64_t recording) const {
    const auto found = boot_ids_.find(recording);
    if (found == boot_ids_.end()) rows.fail(1, "no such recording");
    return found->second.value_or(fmt::format("unknown in recording {}", recording));
  }

  void importProcesses() {
    std::map<std::tuple<std::string, int64_t, int64_t>, int64_t> known;
    SQLite::Statement insert(analysis_, "INSERT INTO process VALUES (?,?,?,?)");
    forEachRow("process", [&](const RowReader& rows) {
      const std::string boot = bootKey(rows, rows.integer(1));
      const auto key = std::tuple(boot, rows.integer(2, 1, std::numeric_limits<int32_t>::max()),
                                  rows.integer(3));
      const auto [entry, is_new] = known.emplace(key, static_cast<int64_t>(known.size() + 1));
      processes_[rows.integer(0)] = entry->second;
      if (!is_new) return;
      insert.reset();
      insert.bind(1, entry->second);
      insert.bind(2, boot);
      insert.bind(3, std::get<1>(key));
      insert.bind(4, std::get<2>(key));
      insert.exec();
    });
  }

  void importNamespaces() {
    std::map<std::pair<std::string, int64_t>, int64_t> known;
    SQLite::Statement insert(analysis_, "INSERT INTO netns VALUES (?,?,?)");
    forEachRow("netns", [&](const RowReader& rows) {
      const auto key = std::pair(bootKey(rows, rows.integer(1)), rows.integer(2, kAny));
      const auto [entry, is_new] = known.emplace(key, static_cast<int64_t>(known.size() + 1));
      namespaces_[rows.integer(0)] = entry->second;
      if (!is_new) return;
      insert.reset();
      insert.bind(1, entry->second);
      insert.bind(2, key.first);
      insert.bind(3, key.second);
      insert.exec();
    });
  }

  /// The number in a column; the same for texts and addresses that are alike, for each stretch of
  /// snapshots stores its own.
  int64_t comparable(const RowReader& rows, const ArchiveTable& table, int column) const {
    const int64_t number = rows.numberOr(column, Repetitions::kNone);
    const ColumnKind kind = table.columns[static_cast<size_t>(column)].kind;
    if (kind != ColumnKind::TextId && kind != ColumnKind::Endpoint) return number;
    const auto& alike = kind == ColumnKind::TextId ? alike_texts_ : alike_addresses_;
    const auto found = alike.find(number);
    return found == alike.end() ? number : found->second;
  }

  /// Goes through the tables that tell of fds and sockets once before they are taken over.
  void findSettled() {
    forEachOf("process_change", [&](const RowReader& rows) {
      const auto process = processes_.find(rows.numberOr(1, kAny));
      if (process == processes_.end()) return;
      settled_->addProcess(rows.numberOr(0, 0), process->second, rows.numberOr(2, 0),
                           rows.numberOr(3, 0));
    });
    forEachOf("limit_change", [&](const RowReader& rows) {
      const auto process = processes_.find(rows.numberOr(1, kAny));
      const auto resource = texts_.find(rows.numberOr(3, kAny));
      if (process == processes_.end() || resource == texts_.end() || rows.isNull(4)) return;
      if (resource->second == "Max open files")
        settled_->addLimit(process->second, rows.numberOr(4, 0));
    });
    forEachOf("net_table_change", [&](const RowReader& rows) {
      const auto netns = namespaces_.find(rows.numberOr(1, kAny));
      if (netns == namespaces_.end()) return;
      settled_->addNetTable(rows.numberOr(0, 0), netns->second, rows.numberOr(2, 0),
                            rows.numberOr(3, 0));
    });
    forEachOf("epoll_watch_change", [&](const RowReader& rows) {
      const auto process = processes_.find(rows.numberOr(1, kAny));
      if (process == processes_.end()) return;
      settled_->addWatch(
          {process->second, rows.numberOr(4, 0), rows.numberOr(3, 0), rows.numberOr(5, kNoNumber)});
    });
    settleRows();
    const SettledFds::Names names = namesOfSettled();
    settled_->decide(names);
    settled_->store(analysis_, names);
  }

  /// All rows that tell of fds and sockets; they are read and checked in another thread.
  void settleRows() {
    std::vector<const ArchiveTable*> tables;
    for (const ArchiveTable& table : plainTables()) {
      if (table.rows == TableRows::Other) continue;
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
      if (std::exchange(last, &table) != &table) settled_->beginTable();
      takeBlock(table, block);
    }
  }

  /// For each row its rowid and the numbers of its columns. False: these are the last.
  bool readBlock(RowReader& rows, const ArchiveTable& table, RowBlock& block) const {
    constexpr size_t kRows = 8192;  // so that seldom one thread waits for the other
    while (block.rows < kRows) {
      if (!rows.next()) return false;
      block.numbers.push_back(rows.rowid());
      checkRow(rows, table, block.numbers);
      ++block.rows;
    }
    return true;
  }

  void takeBlock(const ArchiveTable& table, const RowBlock& block) {
    Extent& extent = extents_.at(table.name);
    const int64_t* row = block.numbers.data();
    for (size_t i = 0; i < block.rows; ++i, row += 1 + table.columns.size()) {
      extent.add(row[0]);
      tellProgress();
      settle(table, row + 1);
    }
  }

  template <class Take>
  void forEachOf(const char* table, const Take& take) {
    settled_->beginTable();
    RowReader rows(archive_, table);
    while (rows.next())
      take(rows);
  }

  void settle(const ArchiveTable& table, const int64_t* row) {
    switch (table.rows) {
      case TableRows::Fd:
        settled_->addFd({row[0], row[1], row[2], row[3], row[4], row[5], row[7], row[10]});
        break;
      case TableRows::Inet:
        settled_->addInet(
            {row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9]});
        break;
      case TableRows::Autopsy: {
        // delivered, data_segments_in, bytes_received: the first that the kernel tells.
        const int64_t carried = row[24] != kNoNumber   ? row[24]
                                : row[23] != kNoNumber ? row[23]
                                                       : row[19];
        settled_->addAutopsy(
            {row[0], row[1], row[2], row[3], row[5], row[6], row[7], row[8], row[9], carried > 0});
        break;
      }
      case TableRows::Queue:
        settled_->addQueue({row[0], row[3], row[4] > 0 || row[5] > 0 || row[6] != 0, row[5] > 0});
        break;
      case TableRows::Other:
        break;
    }
  }

  SettledFds::Names namesOfSettled() {
    SettledFds::Names names;
    names.text = [this](int64_t text) { return printable(texts_.at(text)); };
    names.endpoint = [this](int64_t address, int64_t port) {
      return formatEndpoint(addresses_.at(address), static_cast<uint16_t>(port));
    };
    SQLite::Statement namespaces(analysis_, "SELECT id, inode FROM netns");
    std::map<int64_t, int64_t> inodes;
    while (namespaces.executeStep())
      inodes[namespaces.getColumn(0).getInt64()] = namespaces.getColumn(1).getInt64();
    names.netns_inode = [inodes](int64_t netns) { return inodes.at(netns); };
    SQLite::Statement states(analysis_, "SELECT state, verdict FROM tcp_state");
    while (states.executeStep())
      names.verdicts[states.getColumn(0).getInt64()] = states.getColumn(1).getString();
    return names;
  }

  /// Adds its numbers, what they refer to numbered as in the analysis or alike.
  void checkRow(const RowReader& rows, const ArchiveTable& table,
                std::vector<int64_t>& numbers) const {
    const bool is_nothing = isRemains(rows);
    for (size_t i = 0; i < table.columns.size(); ++i)
      numbers.push_back(is_nothing ? kNoNumber
                                   : checkValue(rows, table.columns[i], static_cast<int>(i)));
  }

  int64_t checkValue(const RowReader& rows, const Column& column, int index) const {
    if (column.kind == ColumnKind::Integer) {
      return column.is_nullable
                 ? rows.integerOrNull(index, column.minimum, column.maximum, kNoNumber)
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
        return lookUp(alike_texts_, rows, index, "no such text");
      case ColumnKind::Snapshot:
        return snapshot(rows, index);
      case ColumnKind::Process:
        return lookUp(processes_, rows, index, "no such process");
      case ColumnKind::Netns:
        return lookUp(namespaces_, rows, index, "no such namespace");
      case ColumnKind::Endpoint:
        if (column.is_nullable) rows.integer(index + 1, 0, 65535);
        return lookUp(alike_addresses_, rows, index, "no such address");
    }
    return kNoNumber;
  }

  void importTable(const ArchiveTable& table) {
    std::string placeholders = "?";
    for (size_t i = 1; i < table.columns.size(); ++i)
      placeholders += ",?";
    SQLite::Statement insert(analysis_,
                             fmt::format("INSERT INTO {} VALUES ({})", table.name, placeholders));
    bool has_begun = false;
    const bool is_of_tables = std::string_view(table.name) == "net_table_change";
    // Those that were gone through before were told of then.
    const bool is_known = settled_ && table.rows != TableRows::Other;
    const auto take = [&](const RowReader& rows, SettledFds::Fate fate) {
      if (!is_known) tellProgress();
      const auto number = [&](int column) { return comparable(rows, table, column); };
      if (repetitions_ && !std::exchange(has_begun, true))
        repetitions_->begin(table.name, rows.columnCount());
      if (fate == SettledFds::Fate::End) return importEnd(rows, insert);
      if (isRemains(rows)) return;
      if (repetitions_ && repetitions_->isRepetition(number)) return;
      insert.reset();
      insert.clearBindings();
      for (size_t i = 0; i < table.columns.size(); ++i) {
        importValue(rows, table.columns[i], static_cast<int>(i), insert);
      }
      insert.exec();
      if (repetitions_ && is_of_tables && number(3) == 0)
        repetitions_->addEnd(number(1), number(2), number(0));
    };
    if (is_known) return forEachKept(table, take);
    forEachRow(table.name, [&](const RowReader& rows) { take(rows, SettledFds::Fate::Kept); });
  }

  /// Of a table of which settled_ knows: the rows that are not left out.
  template <class Take>
  void forEachKept(const ArchiveTable& table, const Take& take) {
    constexpr size_t kCheaperToRead = 8;  // than to look for the row
    const Extent& extent = extents_.at(table.name);
    RowReader rows(archive_, table.name);
    size_t read = 0;
    for (size_t place = 0; place < extent.rows; ++place) {
      const auto fate = fateOf(table, place);
      if (fate == SettledFds::Fate::LeftOut) continue;
      if (extent.has_no_gaps && place > read + kCheaperToRead) {
        read = place;
        rows.seek(extent.first + static_cast<int64_t>(place), place);
      }
      for (; read <= place; ++read) {
        if (!rows.next()) return;
      }
      take(rows, fate);
    }
  }

  /// What is left of a snapshot that was dropped says nothing. Each row begins with its snapshot.
  bool isRemains(const RowReader& rows) const {
    return !snapshots_.empty() && rows.integer(0, kAny) < snapshots_.front();
  }

  SettledFds::Fate fateOf(const ArchiveTable& table, size_t place) const {
    if (!settled_) return SettledFds::Fate::Kept;
    switch (table.rows) {
      case TableRows::Fd:
        return settled_->ofFd(place);
      case TableRows::Inet:
        return settled_->ofInet(place);
      case TableRows::Autopsy:
        return settled_->ofAutopsy(place);
      case TableRows::Queue:
        return settled_->ofQueue(place);
      case TableRows::Other:
        break;
    }
    return SettledFds::Fate::Kept;
  }

  /// Of a row of fd_change only that it ends what was there before.
  void importEnd(const RowReader& rows, SQLite::Statement& insert) {
    insert.reset();
    insert.clearBindings();
    insert.bind(1, snapshot(rows, 0));
    insert.bind(2, lookUp(processes_, rows, 1, "no such process"));
    insert.bind(3, rows.integer(2));
    insert.bind(4, static_cast<int>(Change::Gone));
    insert.exec();
    repetitions_->isRepetition([&](int column) {
      return column < 3 ? rows.numberOr(column, 0) : column == 3 ? 0 : Repetitions::kNone;
    });
  }

  void importValue(const RowReader& rows, const Column& column, int index,
                   SQLite::Statement& insert) {
    const int target = index + 1;
    if (column.is_nullable && rows.isNull(index)) return;
    switch (column.kind) {
      case ColumnKind::Integer:
        insert.bind(target, rows.integer(index, column.minimum, column.maximum));
        break;
      case ColumnKind::Text:
        insert.bind(target, rows.text(index));
        break;
      case ColumnKind::TextId:
        insert.bind(target, printable(lookUp(texts_, rows, index, "no such text")));
        break;
      case ColumnKind::Cmdline:
        insert.bind(target, printableCmdline(lookUp(texts_, rows, index, "no such text")));
        break;
      case ColumnKind::Snapshot:
        insert.bind(target, snapshot(rows, index));
        break;
      case ColumnKind::Process:
        insert.bind(target, lookUp(processes_, rows, index, "no such process"));
        break;
      case ColumnKind::Netns:
        insert.bind(target, lookUp(namespaces_, rows, index, "no such namespace"));
        break;
      case ColumnKind::Endpoint:
        insert.bind(target,
                    formatEndpoint(lookUp(addresses_, rows, index, "no such address"),
                                   static_cast<uint16_t>(rows.integer(index + 1, 0, 65535))));
        break;
    }
  }

  template <class Value>
  const Value& lookUp(const std::unordered_map<int64_t, Value>& values, const RowReader& rows,
                      int column, std::string_view reason) const {
    const auto found = values.find(rows.integer(column, kAny));
    if (found == values.end()) rows.fail(column, reason);
    return found->second;
  }

  int64_t snapshot(const RowReader& rows, int column) const {
    const int64_t id = rows.integer(column);
    // Nearly always they are numbered without gaps.
    if (!snapshots_.empty() && id >= snapshots_.front()) {
      const auto place = static_cast<size_t>(id - snapshots_.front());
      if (place < snapshots_.size() && snapshots_[place] == id) return id;
    }
    if (!std::binary_search(snapshots_.begin(), snapshots_.end(), id)) {
      rows.fail(column, "no such snapshot");
    }
    return id;
  }

  SQLite::Database& archive_;
  SQLite::Database& analysis_;
  const ImportProblem& on_problem_;
  const OnProgress& on_progress_;
  Salvage* salvage_;
  int64_t all_rows_ = 0;
  int64_t rows_ = 0;
  std::optional<Repetitions> repetitions_;
  std::optional<SettledFds> settled_;
  std::map<std::string_view, Extent> extents_;              ///< of the tables that it is told of
  std::map<int64_t, std::optional<std::string>> boot_ids_;  ///< by recording
  std::vector<int64_t> snapshots_;                          ///< sorted
  std::unordered_map<int64_t, std::string> texts_;
  std::unordered_map<int64_t, std::string> addresses_;
  std::unordered_map<int64_t, int64_t> alike_texts_;
  std::unordered_map<int64_t, int64_t> alike_addresses_;
  std::unordered_map<int64_t, int64_t> processes_;
  std::unordered_map<int64_t, int64_t> namespaces_;
};

}  // namespace

void importArchive(SQLite::Database& archive, SQLite::Database& analysis,
                   const ImportProblem& on_problem, const OnProgress& on_progress, RowsKept kept,
                   Salvage* salvage) {
  Importer(archive, analysis, on_problem, on_progress, kept, salvage).run();
}

std::vector<std::string> tablesOfSnapshots() {
  std::vector<std::string> names;
  for (const ArchiveTable& table : plainTables())
    names.emplace_back(table.name);
  return names;
}

}  // namespace fdmortem
