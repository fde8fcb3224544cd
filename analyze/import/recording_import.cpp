#include "analyze/import/recording_import.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "analyze/import/archive_tables.h"
#include "schema/evidence/digest.h"
#include "schema/printable.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr int64_t kAny = RowReader::kAny;

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

struct End {
  int64_t ended_at_ns;
  std::string reason;
};

using Ends = std::map<int64_t, End>;  // by recording

Ends endsOf(const ArchiveRows& archive) {
  Ends ends;
  archive.forEach("recording_end", [&](const RowReader& rows) {
    ends[rows.integer(0)] = {rows.integer(1, 0, kMaximumTime), rows.text(2)};
  });
  return ends;
}

/// Returns its boot id.
std::optional<std::string> importRecording(const RowReader& rows, const End* end,
                                           SQLite::Statement& insert) {
  const auto boot_id = rows.isNull(2) ? std::nullopt : std::optional(rows.text(2));
  insert.reset();
  insert.clearBindings();
  insert.bind(1, rows.integer(0));
  insert.bind(2, formatTime(rows.integer(1, 0, kMaximumTime)));
  if (end != nullptr) {
    insert.bind(3, formatTime(end->ended_at_ns));
    insert.bind(4, end->reason);
  }
  if (boot_id) insert.bind(5, *boot_id);
  for (const int column : {3, 4, 5})
    insert.bind(column + 3, rows.text(column));
  insert.bind(9, rows.integer(6, 1));
  insert.bind(10, rows.text(7));
  for (const int column : {8, 9, 11})
    insert.bind(column + 3, rows.integer(column));
  if (!rows.isNull(10)) insert.bind(13, rows.integer(10, 0, std::numeric_limits<uint32_t>::max()));
  insert.bind(15, printableWords(rows.rawText(12)));
  insert.bind(16, rows.integer(13, 0, 1));
  for (const int column : {14, 15})
    if (!rows.isNull(column)) insert.bind(column + 3, rows.text(column));
  insert.exec();
  return boot_id;
}

}  // namespace

std::string Boots::of(const RowReader& rows, int column) const {
  const int64_t recording = rows.integer(column);
  const auto found = boot_ids_.find(recording);
  if (found == boot_ids_.end()) rows.fail(column, "no such recording");
  return found->second.value_or(fmt::format("unknown in recording {}", recording));
}

Boots importRecordings(const ArchiveRows& archive, SQLite::Database& analysis) {
  Ends ends = endsOf(archive);
  Boots boots;
  SQLite::Statement insert(
      analysis, "INSERT INTO recording VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,NULL)");
  archive.forEach("recording", [&](const RowReader& rows) {
    const int64_t id = rows.integer(0);
    const auto end = ends.find(id);
    boots.add(id, importRecording(rows, end != ends.end() ? &end->second : nullptr, insert));
    if (end != ends.end()) ends.erase(end);
  });
  if (!ends.empty() && !archive.isSalvaged()) {
    throw std::runtime_error(
        fmt::format("table recording_end: no such recording: {}", ends.begin()->first));
  }
  return boots;
}

void importRecorderEvents(const ArchiveRows& archive, const Boots& boots,
                          SQLite::Database& analysis) {
  SQLite::Statement insert(analysis, "INSERT INTO recorder_event VALUES (?,?,?,?,?,?)");
  archive.forEach("recorder_event", [&](const RowReader& rows) {
    rows.integer(0, 1);  // its own number, which only the hash chain needs
    if (!boots.has(rows.integer(1))) rows.fail(1, "no such recording");
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

void importDropped(const ArchiveRows& archive, SQLite::Database& analysis) {
  SQLite::Statement insert(analysis, "INSERT INTO dropped VALUES (?,?,?,?,?)");
  archive.forEach("dropped", [&](const RowReader& rows) {
    insert.reset();
    insert.bind(1, rows.text(0));
    insert.bind(2, rows.integer(1));
    insert.bind(3, formatTime(rows.integer(2, 0, kMaximumTime)));
    insert.bind(4, formatTime(rows.integer(3, 0, kMaximumTime)));
    insert.bind(5, rows.integer(4));
    insert.exec();
  });
}

void importChain(const ArchiveRows& archive, SQLite::Database& analysis) {
  std::optional<std::pair<int64_t, std::string>> head;
  archive.forEach("chain", [&](const RowReader& rows) {
    rows.integer(1, 1, 5);
    rows.integer(2);
    rows.digest(3);
    head.emplace(rows.integer(0, 1), toHex(rows.digest(4)));
  });
  if (!head) return;
  SQLite::Statement insert(analysis, "INSERT INTO chain_head VALUES (?, ?)");
  insert.bind(1, head->first);
  insert.bind(2, head->second);
  insert.exec();
}

}  // namespace fdmortem
