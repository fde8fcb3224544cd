#include "analyze/import.h"

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
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "schema/address.h"
#include "schema/evidence/digest.h"
#include "schema/evidence/text_codec.h"
#include "schema/printable.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr int64_t kAny = std::numeric_limits<int64_t>::min();
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

enum class Kind {
  Integer,
  Text,      ///< TEXT, made printable
  TextId,    ///< of text
  Cmdline,   ///< of text: arguments that each end in NUL; becomes them with blanks between
  Snapshot,  ///< of snapshot
  Process,   ///< of process, renumbered
  Netns,     ///< of netns, renumbered
  Endpoint,  ///< of address; the next column is the port: becomes the text, then the port
};

/// What a column of the archive may hold.
struct Column {
  Kind kind = Kind::Integer;
  bool is_nullable = false;
  int64_t minimum = 0;
  int64_t maximum = kMax;
};

constexpr Column kNumber{};
constexpr Column kAnyNumber{Kind::Integer, false, kAny};
constexpr Column kNumberOrNull{Kind::Integer, true};
constexpr Column kAnyNumberOrNull{Kind::Integer, true, kAny};
constexpr Column kSnapshotId{Kind::Snapshot};
constexpr Column kProcessId{Kind::Process};
constexpr Column kNetnsId{Kind::Netns};
constexpr Column kText{Kind::Text};
constexpr Column kTextOrNull{Kind::Text, true};
constexpr Column kTextId{Kind::TextId};
constexpr Column kTextIdOrNull{Kind::TextId, true};
constexpr Column kCmdlineOrNull{Kind::Cmdline, true};
constexpr Column kEndpoint{Kind::Endpoint};
/// Until 2096; far from where the arithmetic of times ends.
constexpr Column kTime{Kind::Integer, false, 0, 4'000'000'000'000'000'000};
constexpr Column kAgeMsOrNull{Kind::Integer, true, 0, std::numeric_limits<uint32_t>::max()};
constexpr Column kEndpointOrNull{Kind::Endpoint, true};
constexpr Column kPortOrNull{Kind::Integer, true, 0, 65535};
constexpr Column kByte{Kind::Integer, false, 0, 255};
constexpr Column kFlag{Kind::Integer, false, 0, 1};
constexpr Column kChange{Kind::Integer, false, 0, 3};
constexpr Column kFd{Kind::Integer, false, 0, std::numeric_limits<int32_t>::max()};
constexpr Column kPid{Kind::Integer, false, 1, std::numeric_limits<int32_t>::max()};
constexpr Column kNetTable{Kind::Integer, false, 1, 15};
constexpr Column kPort{Kind::Integer, false, 0, 65535};
constexpr Column kUidOrNull{Kind::Integer, true, 0, std::numeric_limits<uint32_t>::max()};
constexpr Column kByteOrNull{Kind::Integer, true, 0, 255};

struct Table {
  const char* name;
  std::vector<Column> columns;
};

/// The tables whose rows are taken over one by one; those that others refer to are read before
/// them.
const std::vector<Table>& plainTables() {
  static const std::vector<Table> kTables = {
      {"delay", {kSnapshotId, kText, kNumber}},
      {"failure", {kSnapshotId, kText, kText, kNumberOrNull, kNumberOrNull, kTextOrNull, kNumber}},
      {"process_change",
       {kSnapshotId,
        kProcessId,
        kChange,
        {Kind::Integer, true, 0, 4},
        kNumberOrNull,
        kTextIdOrNull,
        kTextIdOrNull,
        kCmdlineOrNull,
        kTextIdOrNull,
        kUidOrNull,
        kUidOrNull,
        {Kind::Netns, true}}},
      {"limit_change",
       {kSnapshotId, kProcessId, kChange, kTextId, kAnyNumberOrNull, kAnyNumberOrNull,
        kTextIdOrNull}},
      {"fd_change",
       {kSnapshotId,
        kProcessId,
        kFd,
        kChange,
        {Kind::Integer, true, 0, 3},
        kAnyNumberOrNull,
        kTextIdOrNull,
        kTextIdOrNull,
        kUidOrNull,
        kAnyNumberOrNull,
        kAnyNumberOrNull,
        {Kind::Integer, true, 0, 15},
        kAnyNumberOrNull,
        kTextIdOrNull}},
      {"fd_position_change", {kSnapshotId, kProcessId, kFd, kAnyNumber}},
      {"epoll_watch_change",
       {kSnapshotId, kProcessId, kFd, kChange, kAnyNumber, kAnyNumberOrNull, kAnyNumberOrNull,
        kUidOrNull, kAnyNumberOrNull, kAnyNumberOrNull}},
      {"second_look",
       {kSnapshotId,
        kProcessId,
        kFd,
        {Kind::Integer, false, 1, 4},
        {Kind::Integer, false, 1, 2},
        kNumberOrNull}},
      {"autopsy",
       {kSnapshotId,   kProcessId,       kFd,           kNumber,          kTime,
        kByte,         kEndpointOrNull,  kPortOrNull,   kEndpointOrNull,  kPortOrNull,
        kNumberOrNull, kAnyNumberOrNull, kByte,         kNumberOrNull,    kNumberOrNull,
        kAgeMsOrNull,  kAgeMsOrNull,     kAgeMsOrNull,  kAnyNumberOrNull, kAnyNumberOrNull,
        kNumberOrNull, kNumberOrNull,    kNumberOrNull, kNumberOrNull,    kNumberOrNull,
        kNumberOrNull}},
      {"net_table_change", {kSnapshotId, kNetnsId, kNetTable, {Kind::Integer, false, 0, 4}}},
      {"inet_change",
       {kSnapshotId,
        kNetnsId,
        {Kind::Integer, false, 1, 10},
        kChange,
        kNumber,
        kEndpoint,
        kPort,
        kEndpoint,
        kPort,
        kByteOrNull,
        kUidOrNull}},
      {"inet_queue_change",
       {kSnapshotId,
        kNetnsId,
        {Kind::Integer, false, 1, 10},
        kNumber,
        kNumber,
        kNumber,
        kNumber,
        kNumber,
        kNumber,
        kNumberOrNull}},
      {"time_wait_change",
       {kSnapshotId,
        kNetnsId,
        {Kind::Integer, false, 1, 10},
        {Kind::Integer, true, 0, 65535},
        kNumber}},
      {"unix_change",
       {kSnapshotId, kNetnsId, kChange, kNumber, kTextId, kNumber, kNumber, kNumberOrNull,
        kNumberOrNull, kNumberOrNull}},
      {"netlink_change",
       {kSnapshotId, kNetnsId, kChange, kNumber, kNumber, kNumber, kNumberOrNull, kAnyNumberOrNull,
        kAnyNumberOrNull, kNumberOrNull}},
      {"packet_change",
       {kSnapshotId,
        kNetnsId,
        kChange,
        kNumber,
        kNumberOrNull,
        kNumberOrNull,
        kAnyNumberOrNull,
        {Kind::Integer, true, 0, 1},
        kAnyNumberOrNull,
        kUidOrNull}},
      {"sockstat_change",
       {kSnapshotId, kNetnsId, {Kind::Integer, false, 14, 15}, kChange, kText, kAnyNumberOrNull}}};
  return kTables;
}

std::string printableCmdline(std::string arguments) {
  if (!arguments.empty() && arguments.back() == '\0') arguments.pop_back();
  std::replace(arguments.begin(), arguments.end(), '\0', ' ');
  return printable(arguments);
}

/// Reads the rows of one table and says where it is when something is wrong.
class RowReader {
 public:
  RowReader(SQLite::Database& archive, std::string table)
      : table_(std::move(table)),
        query_(archive, fmt::format("SELECT * FROM {} ORDER BY rowid", table_)) {}

  bool next() {
    ++row_;
    return query_.executeStep();
  }

  [[noreturn]] void fail(int column, std::string_view reason) const {
    throw std::runtime_error(fmt::format("table {}, row {}, column {}: {}", table_, row_,
                                         query_.getColumnName(column), reason));
  }

  bool isNull(int column) const { return query_.isColumnNull(column); }

  int64_t integer(int column, int64_t minimum = 0, int64_t maximum = kMax) const {
    const SQLite::Column value = columnOf(column);
    if (!value.isInteger()) fail(column, "not a number");
    const int64_t number = value.getInt64();
    if (number < minimum || number > maximum) fail(column, "out of range");
    return number;
  }

  std::string text(int column) const {
    const SQLite::Column value = columnOf(column);
    if (!value.isText()) fail(column, "not a text");
    return printable(value.getString());
  }

  Digest digest(int column) const {
    const auto digest = digestFromBytes(blob(column));
    if (!digest) fail(column, "not of 32 bytes");
    return *digest;
  }

  /// As it is; valid until the next row.
  std::string_view blob(int column) const {
    const SQLite::Column value = columnOf(column);
    if (!value.isBlob()) fail(column, "not a blob");
    return {static_cast<const char*>(value.getBlob()), static_cast<size_t>(value.getBytes())};
  }

 private:
  // SQLite::Statement hands out columns of a non-const statement only.
  SQLite::Column columnOf(int column) const { return query_.getColumn(column); }

  std::string table_;
  mutable SQLite::Statement query_;
  int64_t row_ = 0;
};

class Importer {
 public:
  Importer(SQLite::Database& archive, SQLite::Database& analysis, const ImportProblem& on_problem,
           const OnProgress& on_progress)
      : archive_(archive),
        analysis_(analysis),
        on_problem_(on_problem),
        on_progress_(on_progress) {}

  void run() {
    SQLite::Transaction transaction(analysis_);
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
    for (const Table& table : plainTables())
      tolerantly([&] { importTable(table); });
    transaction.commit();
  }

 private:
  /// For a table to which no other refers.
  template <class Import>
  void tolerantly(Import import) {
    try {
      import();
    } catch (const std::runtime_error& error) {
      if (!on_problem_) throw;
      on_problem_(error.what());
    }
  }

  struct End {
    int64_t ended_at_ns;
    std::string reason;
  };

  /// About how many there are; without deleted ones exactly.
  void countRows() {
    if (!on_progress_) return;
    for (const Table& table : plainTables()) {
      const std::string last = fmt::format("SELECT coalesce(max(rowid), 0) FROM {}", table.name);
      all_rows_ += std::max(archive_.execAndGet(last).getInt64(), int64_t{0});
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
    RowReader end_rows(archive_, "recording_end");
    while (end_rows.next()) {
      ends[end_rows.integer(0)] = {end_rows.integer(1, kAny), end_rows.text(2)};
    }
    SQLite::Statement insert(
        analysis_, "INSERT INTO recording VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,NULL)");
    RowReader rows(archive_, "recording");
    while (rows.next()) {
      const int64_t id = rows.integer(0);
      const auto boot_id = rows.isNull(2) ? std::nullopt : std::optional(rows.text(2));
      boot_ids_[id] = boot_id;
      const auto end = ends.find(id);
      insert.reset();
      insert.clearBindings();
      insert.bind(1, id);
      insert.bind(2, formatTime(rows.integer(1, kAny)));
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
      if (!rows.isNull(10)) insert.bind(13, rows.integer(10, 0, kUidOrNull.maximum));
      insert.bind(15, rows.text(12));
      insert.bind(16, rows.integer(13, 0, 1));
      for (const int column : {14, 15})
        if (!rows.isNull(column)) insert.bind(column + 3, rows.text(column));
      insert.exec();
      if (end != ends.end()) ends.erase(end);
    }
    if (!ends.empty()) {
      throw std::runtime_error(
          fmt::format("table recording_end: no such recording: {}", ends.begin()->first));
    }
  }

  void importSnapshots() {
    SQLite::Statement insert(
        analysis_, "INSERT INTO snapshot VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    RowReader rows(archive_, "snapshot");
    int64_t previous_id = 0;
    int64_t previous_recording = 0;
    while (rows.next()) {
      const int64_t id = rows.integer(0, previous_id + 1);
      const int64_t recording = rows.integer(1, previous_recording);
      if (!boot_ids_.contains(recording)) rows.fail(1, "no such recording");
      const bool is_keyframe = rows.integer(2, 0, 1) == 1;
      if (!is_keyframe && recording != previous_recording) rows.fail(2, "no keyframe at the start");
      previous_id = id;
      previous_recording = recording;
      snapshots_.push_back(id);
      insert.reset();
      insert.clearBindings();
      for (int column = 0; column <= 3; ++column)
        insert.bind(column + 1, rows.integer(column, 0, column < 2 ? kMax : 1));
      insert.bind(5, formatTime(rows.integer(4, kAny)));
      for (int column = 4; column <= 21; ++column) {
        const bool is_nullable = column >= 16;
        if (is_nullable && rows.isNull(column)) continue;
        insert.bind(column + 2, rows.integer(column, column == 4 || is_nullable ? kAny : 0));
      }
      insert.exec();
    }
    analysis_.exec(
        "UPDATE recording SET (first_snapshot, last_snapshot) = "
        "(SELECT min(id), max(id) FROM snapshot WHERE recording = recording.id)");
  }

  void importRecorderEvents() {
    SQLite::Statement insert(analysis_, "INSERT INTO recorder_event VALUES (?,?,?,?,?,?)");
    RowReader rows(archive_, "recorder_event");
    while (rows.next()) {
      rows.integer(0, 1);  // its own number, which only the hash chain needs
      if (!boot_ids_.contains(rows.integer(1))) rows.fail(1, "no such recording");
      insert.reset();
      insert.clearBindings();
      insert.bind(1, rows.integer(1));
      insert.bind(2, formatTime(rows.integer(2, kAny)));
      insert.bind(3, rows.integer(2, kAny));
      insert.bind(4, rows.integer(3));
      insert.bind(5, rows.text(4));
      if (!rows.isNull(5)) insert.bind(6, rows.text(5));
      insert.exec();
    }
  }

  void importDropped() {
    SQLite::Statement insert(analysis_, "INSERT INTO dropped VALUES (?,?,?,?,?)");
    RowReader rows(archive_, "dropped");
    while (rows.next()) {
      insert.reset();
      insert.bind(1, rows.text(0));
      insert.bind(2, rows.integer(1));
      insert.bind(3, formatTime(rows.integer(2, kAny)));
      insert.bind(4, formatTime(rows.integer(3, kAny)));
      insert.bind(5, rows.integer(4));
      insert.exec();
    }
  }

  /// Of the hash chain only the head is taken over.
  void importChain() {
    std::optional<std::pair<int64_t, std::string>> head;
    RowReader rows(archive_, "chain");
    while (rows.next()) {
      rows.integer(1, 1, 5);
      rows.integer(2);
      rows.digest(3);
      head.emplace(rows.integer(0, 1), toHex(rows.digest(4)));
    }
    if (!head) return;
    SQLite::Statement insert(analysis_, "INSERT INTO chain_head VALUES (?, ?)");
    insert.bind(1, head->first);
    insert.bind(2, head->second);
    insert.exec();
  }

  /// The texts stay where they are; whether they are what they should be is for `check`.
  void checkVerbatim() {
    std::set<std::pair<int64_t, int64_t>> known;
    RowReader rows(archive_, "verbatim");
    while (rows.next()) {
      const int64_t snapshot = rows.integer(0);
      if (!known.emplace(snapshot, rows.integer(1, 1, 2)).second) rows.fail(1, "there twice");
      if (!rows.isNull(2)) rows.integer(2, 0, snapshot);
      rows.integer(3, 0, kMaximumTextBytes);
      rows.digest(4);
    }
  }

  void readTexts() {
    RowReader rows(archive_, "text");
    while (rows.next())
      texts_[rows.integer(0)] = std::string(rows.blob(2));
  }

  void readAddresses() {
    RowReader rows(archive_, "address");
    while (rows.next()) {
      const std::string_view address = rows.blob(2);
      if (address.size() != 4 && address.size() != 16) rows.fail(2, "not an Internet address");
      addresses_[rows.integer(0)] = std::string(address);
    }
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
    RowReader rows(archive_, "process");
    while (rows.next()) {
      const std::string boot = bootKey(rows, rows.integer(1));
      const auto key = std::tuple(boot, rows.integer(2, 1, kPid.maximum), rows.integer(3));
      const auto [entry, is_new] = known.emplace(key, static_cast<int64_t>(known.size() + 1));
      processes_[rows.integer(0)] = entry->second;
      if (!is_new) continue;
      insert.reset();
      insert.bind(1, entry->second);
      insert.bind(2, boot);
      insert.bind(3, std::get<1>(key));
      insert.bind(4, std::get<2>(key));
      insert.exec();
    }
  }

  void importNamespaces() {
    std::map<std::pair<std::string, int64_t>, int64_t> known;
    SQLite::Statement insert(analysis_, "INSERT INTO netns VALUES (?,?,?)");
    RowReader rows(archive_, "netns");
    while (rows.next()) {
      const auto key = std::pair(bootKey(rows, rows.integer(1)), rows.integer(2, kAny));
      const auto [entry, is_new] = known.emplace(key, static_cast<int64_t>(known.size() + 1));
      namespaces_[rows.integer(0)] = entry->second;
      if (!is_new) continue;
      insert.reset();
      insert.bind(1, entry->second);
      insert.bind(2, key.first);
      insert.bind(3, key.second);
      insert.exec();
    }
  }

  void importTable(const Table& table) {
    std::string placeholders = "?";
    for (size_t i = 1; i < table.columns.size(); ++i)
      placeholders += ",?";
    SQLite::Statement insert(analysis_,
                             fmt::format("INSERT INTO {} VALUES ({})", table.name, placeholders));
    RowReader rows(archive_, table.name);
    while (rows.next()) {
      tellProgress();
      // Each begins with its snapshot. What is left of one that was dropped says nothing.
      const bool is_remains = !snapshots_.empty() && rows.integer(0, kAny) < snapshots_.front();
      if (is_remains) continue;
      insert.reset();
      insert.clearBindings();
      for (size_t i = 0; i < table.columns.size(); ++i) {
        importValue(rows, table.columns[i], static_cast<int>(i), insert);
      }
      insert.exec();
    }
  }

  void importValue(const RowReader& rows, const Column& column, int index,
                   SQLite::Statement& insert) {
    const int target = index + 1;
    if (column.is_nullable && rows.isNull(index)) return;
    switch (column.kind) {
      case Kind::Integer:
        insert.bind(target, rows.integer(index, column.minimum, column.maximum));
        break;
      case Kind::Text:
        insert.bind(target, rows.text(index));
        break;
      case Kind::TextId:
        insert.bind(target, printable(lookUp(texts_, rows, index, "no such text")));
        break;
      case Kind::Cmdline:
        insert.bind(target, printableCmdline(lookUp(texts_, rows, index, "no such text")));
        break;
      case Kind::Snapshot:
        insert.bind(target, snapshot(rows, index));
        break;
      case Kind::Process:
        insert.bind(target, lookUp(processes_, rows, index, "no such process"));
        break;
      case Kind::Netns:
        insert.bind(target, lookUp(namespaces_, rows, index, "no such namespace"));
        break;
      case Kind::Endpoint:
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
    if (!std::binary_search(snapshots_.begin(), snapshots_.end(), id)) {
      rows.fail(column, "no such snapshot");
    }
    return id;
  }

  SQLite::Database& archive_;
  SQLite::Database& analysis_;
  const ImportProblem& on_problem_;
  const OnProgress& on_progress_;
  int64_t all_rows_ = 0;
  int64_t rows_ = 0;
  std::map<int64_t, std::optional<std::string>> boot_ids_;  ///< by recording
  std::vector<int64_t> snapshots_;                          ///< sorted
  std::unordered_map<int64_t, std::string> texts_;
  std::unordered_map<int64_t, std::string> addresses_;
  std::unordered_map<int64_t, int64_t> processes_;
  std::unordered_map<int64_t, int64_t> namespaces_;
};

}  // namespace

void importArchive(SQLite::Database& archive, SQLite::Database& analysis,
                   const ImportProblem& on_problem, const OnProgress& on_progress) {
  Importer(archive, analysis, on_problem, on_progress).run();
}

}  // namespace fdmortem
