#include "analyze/import/salvage.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/import/import.h"
#include "schema/evidence/chain.h"
#include "schema/evidence/stored_digests.h"

namespace fdmortem {
namespace {

/// Of one table; damage can be everywhere.
constexpr size_t kMaximumLosses = 5;
/// Lines of SQLite's own check.
constexpr int kMaximumDamage = 1000;

/// A stretch of snapshots without a hole, of one recording.
struct Part {
  int64_t recording = 0;
  int64_t first = 0;
  int64_t last = 0;
};

struct Kept {
  std::vector<Part> parts;
  std::vector<std::pair<int64_t, int64_t>> dropped;  ///< stretches, by snapshot
  int64_t dropped_count = 0;
};

bool isIn(const std::vector<SnapshotHole>& holes, int64_t snapshot) {
  return std::any_of(holes.begin(), holes.end(), [&](const SnapshotHole& hole) {
    return hole.first <= snapshot && snapshot <= hole.last;
  });
}

/// After a hole nothing is known until a keyframe tells all that is there.
Kept keep(SQLite::Database& analysis, const std::vector<SnapshotHole>& holes,
          const std::set<int64_t>& proven) {
  Kept kept;
  SQLite::Statement rows(analysis, "SELECT id, recording, keyframe FROM snapshot ORDER BY id");
  bool is_broken = true;
  bool is_dropping = false;
  while (rows.executeStep()) {
    const int64_t id = rows.getColumn(0).getInt64();
    const int64_t recording = rows.getColumn(1).getInt64();
    const bool may_lack_rows = isIn(holes, id) && !proven.contains(id);
    if (may_lack_rows) is_broken = true;
    const bool is_whole = !may_lack_rows && (!is_broken || rows.getColumn(2).getInt() == 1);
    if (!is_whole) {
      if (!is_dropping) kept.dropped.emplace_back(id, id);
      kept.dropped.back().second = id;
      ++kept.dropped_count;
      is_dropping = true;
      continue;
    }
    if (is_broken || kept.parts.back().recording != recording) {
      kept.parts.push_back({.recording = recording, .first = id, .last = id});
    }
    kept.parts.back().last = id;
    is_broken = is_dropping = false;
  }
  return kept;
}

/// Each part becomes a recording. Returns what to say of numbers that are others now.
std::vector<std::string> splitRecordings(SQLite::Database& analysis,
                                         const std::vector<Part>& parts) {
  std::map<int64_t, int64_t> part_counts;
  for (const Part& part : parts)
    ++part_counts[part.recording];
  if (part_counts.size() == parts.size()) return {};
  std::vector<std::string> lines;
  analysis.exec(
      "CREATE TEMP TABLE _whole AS SELECT * FROM recording;"
      "CREATE TEMP TABLE _one AS SELECT * FROM recording LIMIT 0;"
      "DELETE FROM recording");
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    const auto number = static_cast<int64_t>(i + 1);
    const bool is_first = i == 0 || parts[i - 1].recording != part.recording;
    const bool is_last = --part_counts[part.recording] == 0;
    analysis.exec(
        fmt::format("DELETE FROM _one; INSERT INTO _one SELECT * FROM _whole WHERE id = {};"
                    "UPDATE _one SET id = {}{}; INSERT INTO recording SELECT * FROM _one",
                    part.recording, number,
                    is_last ? "" : ", ended_at = NULL, end_reason = 'what follows is damaged'"));
    if (is_first) {
      analysis.exec(fmt::format("UPDATE recorder_event SET recording = -{} WHERE recording = {}",
                                number, part.recording));
    }
    // Below zero they are no number that is still to be replaced.
    analysis.exec(fmt::format("UPDATE snapshot SET recording = -{} WHERE id BETWEEN {} AND {}",
                              number, part.first, part.last));
    lines.push_back(fmt::format("snapshots {} to {} of recording {} are called recording {} here",
                                part.first, part.last, part.recording, number));
  }
  analysis.exec(
      "DELETE FROM recorder_event WHERE recording > 0;"
      "UPDATE recorder_event SET recording = -recording;"
      "UPDATE snapshot SET recording = -recording;"
      "DROP TABLE _whole; DROP TABLE _one");
  return lines;
}

/// A column that is empty if and only if the row says that something is gone. A page of another
/// table in the wrong place can look like rows with the last columns left out.
constexpr std::pair<const char*, const char*> kFilled[] = {{"process_change", "fd_list_status"},
                                                           {"fd_change", "link_type"},
                                                           {"epoll_watch_change", "events"},
                                                           {"inet_change", "state"},
                                                           {"unix_change", "flags"},
                                                           {"netlink_change", "groups"},
                                                           {"packet_change", "type"}};

void findUnfilled(SQLite::Database& analysis, std::vector<SnapshotHole>& holes,
                  std::vector<std::string>& lines) {
  for (const auto& filled : kFilled) {
    const char* const table = filled.first;
    const char* const column = filled.second;
    SQLite::Statement rows(
        analysis,
        fmt::format("SELECT count(*), min(snapshot), max(snapshot), min(rowid), max(rowid)"
                    " FROM {} WHERE (change = 0) <> ({} IS NULL)",
                    table, column));
    rows.executeStep();
    const auto at = [&](int index) { return rows.getColumn(index).getInt64(); };
    if (at(0) == 0) continue;
    const auto edge = [&](const char* function, const char* comparison, int64_t rowid,
                          int64_t otherwise) {
      SQLite::Statement row(analysis, fmt::format("SELECT coalesce({}(snapshot), {}) FROM {} WHERE"
                                                  " rowid {} {}",
                                                  function, otherwise, table, comparison, rowid));
      row.executeStep();
      return row.getColumn(0).getInt64();
    };
    holes.push_back({std::min(at(1), edge("max", "<", at(3), at(1))),
                     std::max(at(2), edge("min", ">", at(4), at(2)))});
    lines.push_back(fmt::format("damaged: table {}: {} rows lack their {}", table, at(0), column));
  }
}

void takeOut(SQLite::Database& analysis, const Kept& kept) {
  for (const auto& [first, last] : kept.dropped) {
    analysis.exec(fmt::format("DELETE FROM snapshot WHERE id BETWEEN {} AND {}", first, last));
  }
  for (const std::string& table : tablesOfSnapshots()) {
    analysis.exec(
        fmt::format("DELETE FROM {} WHERE snapshot NOT IN (SELECT id FROM snapshot)", table));
  }
  analysis.exec(
      "DELETE FROM process WHERE id NOT IN (SELECT process FROM process_change);"
      "DELETE FROM recording WHERE id NOT IN (SELECT recording FROM snapshot)");
}

/// The line that tells most of why nothing is left.
std::string worstOf(const std::vector<std::string>& lines) {
  for (const std::string_view part :
       {"table snapshot:", "table recording:", "table chain:", "could not be read"}) {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const std::string& line) {
      return line.find(part) != std::string::npos;
    });
    if (found != lines.end()) return *found;
  }
  return lines.front();
}

std::string inWords(const Kept& kept) {
  std::string stretches;
  for (size_t i = 0; i < kept.dropped.size() && i < kMaximumLosses; ++i) {
    const auto& [first, last] = kept.dropped[i];
    stretches += fmt::format("{}{}", stretches.empty() ? "" : ", ", first);
    if (last > first) stretches += fmt::format(" to {}", last);
  }
  if (kept.dropped.size() > kMaximumLosses) stretches += ", ...";
  return fmt::format(
      "damaged: {} left out, because rows are missing or no keyframe tells what was there: {}",
      kept.dropped_count == 1 ? std::string("1 snapshot was")
                              : fmt::format("{} snapshots were", kept.dropped_count),
      stretches);
}

std::string rowsInWords(int64_t first, int64_t last) {
  return first == last ? fmt::format("row {}", first) : fmt::format("rows {} to {}", first, last);
}

}  // namespace

TableDamage::TableDamage(std::string table, bool is_sound, bool has_snapshots)
    : table_(std::move(table)), is_sound_(is_sound), has_snapshots_(has_snapshots) {}

bool TableDamage::follows(int64_t rowid) {
  if (rowid <= last_rowid_) return false;
  // What was before the first row may have been dropped by the recorder.
  const bool is_first = last_rowid_ == 0;
  const bool is_gap = rowid != last_rowid_ + 1 && (!is_first || !is_sound_);
  if (is_gap) open(lastSnapshot());
  // Numbers of other tables can be left out by it.
  if (is_gap && !is_first && has_snapshots_) {
    say(rowsInWords(last_rowid_ + 1, rowid - 1) + " could not be read");
  }
  last_rowid_ = rowid;
  return true;
}

void TableDamage::good(int64_t snapshot) {
  if (open_since_) {
    holes_.push_back({*open_since_, snapshot});
    // What was before the first row of all is older than what is there.
    if (!seen_.empty() && !first_behind_gap_) first_behind_gap_ = snapshot;
  }
  open_since_.reset();
  if (seen_.empty() || seen_.back() != snapshot) seen_.push_back(snapshot);
}

void TableDamage::bad(const std::string& reason) {
  bad_since_ = std::min(lastSnapshot(), bad_since_.value_or(lastSnapshot()));
  open(lastSnapshot());
  say(reason);
}

void TableDamage::disordered(int64_t snapshot, const std::string& reason) {
  const auto after = std::upper_bound(seen_.begin(), seen_.end(), snapshot);
  const int64_t since = after == seen_.begin() ? SnapshotHole{}.first : *(after - 1);
  bad_since_ = std::min(since, bad_since_.value_or(since));
  open(since);
  say(reason);
}

bool TableDamage::isHole(int64_t snapshot) const {
  return isIn(holes_, snapshot);
}

void TableDamage::lose(std::optional<int64_t> next) {
  open(lastSnapshot());
  if (next) {
    say(rowsInWords(last_rowid_ + 1, *next - 1) + " could not be read");
  } else {
    say(last_rowid_ == 0 ? std::string("no row could be read")
                         : fmt::format("what comes after row {} could not be read", last_rowid_));
  }
  // The gap was told.
  if (next) last_rowid_ = *next - 1;
}

void TableDamage::end() {
  if (!is_sound_) open(lastSnapshot());
  if (open_since_) holes_.push_back({*open_since_, SnapshotHole{}.last});
  if (!has_snapshots_) holes_.clear();
  // What lies between two damages may be a page of another table that looks like one of this.
  if (!holes_.empty()) {
    SnapshotHole all = holes_.front();
    for (const SnapshotHole& hole : holes_)
      all = {std::min(all.first, hole.first), std::max(all.last, hole.last)};
    holes_.assign(1, all);
  }
  if (losses_.size() > kMaximumLosses) {
    const size_t more = losses_.size() - kMaximumLosses;
    losses_.resize(kMaximumLosses);
    losses_.push_back(fmt::format("damaged: table {}: {} more", table_, more));
  }
  if (!is_sound_ && losses_.empty()) {
    losses_.push_back(fmt::format(
        "damaged: table {}: its end is damaged, so after row {} there may have been more", table_,
        last_rowid_));
  }
}

void TableDamage::open(int64_t since) {
  open_since_ = std::min(since, open_since_.value_or(since));
}

void TableDamage::say(const std::string& what) {
  const std::string table = fmt::format("table {}", table_);
  losses_.push_back("damaged: " +
                    (what.starts_with(table + ",") ? what : fmt::format("{}: {}", table, what)));
}

Salvage::Salvage(ArchiveReader& archive)
    : archive_(archive), damage_(archive.damage(kMaximumDamage)) {
  has_lost_pages_ = damage_.size() >= static_cast<size_t>(kMaximumDamage) ||
                    std::any_of(damage_.begin(), damage_.end(), [](const std::string& line) {
                      return line.find("never used") != std::string::npos;
                    });
}

TableDamage& Salvage::begin(const std::string& table, bool has_snapshots) {
  return tables_.emplace_back(table, !has_lost_pages_ && archive_.isSound(table), has_snapshots);
}

bool Salvage::lacksSnapshot(int64_t snapshot) const {
  if (snapshot == 0) return false;  // of a table whose rows are of no snapshot
  return std::any_of(tables_.begin(), tables_.end(), [&](const TableDamage& table) {
    return table.name() == "snapshot" && table.isHole(snapshot) && !table.has(snapshot);
  });
}

std::optional<int64_t> Salvage::reachedFromEnd(const std::string& table, int64_t after) {
  std::optional<int64_t> reached;
  SQLite::Statement rows(archive_.database(),
                         fmt::format("SELECT rowid FROM {} ORDER BY rowid DESC", table));
  try {
    while (rows.executeStep()) {
      const int64_t rowid = rows.getColumn(0).getInt64();
      const bool is_next = !reached || rowid == *reached - 1;
      if (rowid <= after || !is_next) break;
      reached = rowid;
    }
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
  }
  return reached;
}

std::set<int64_t> Salvage::provenByChain() const {
  std::set<int64_t> proven;
  // Rows behind a gap were read another way than those that are digested here.
  int64_t end = SnapshotHole{}.last;
  for (const TableDamage& table : tables_) {
    end = std::min(end, table.badSince().value_or(end));
    if (table.hasSnapshots()) end = std::min(end, table.firstBehindGap().value_or(end));
  }
  StoredDigests digests(archive_.database(), true);
  SQLite::Statement links(archive_.database(),
                          "SELECT subject, previous, value FROM chain WHERE kind = 2 ORDER BY id");
  const auto digest = [&](int column) {
    const SQLite::Column value = links.getColumn(column);
    return digestFromBytes(
        {static_cast<const char*>(value.getBlob()), static_cast<size_t>(value.getBytes())});
  };
  try {
    int64_t last = 0;
    while (links.executeStep()) {
      const int64_t snapshot = links.getColumn(0).getInt64();
      const auto previous = digest(1);
      const auto value = digest(2);
      if (snapshot <= last || snapshot >= end || !previous || !value) break;
      last = snapshot;
      const ChainLink link{.kind = LinkKind::Snapshot,
                           .subject = snapshot,
                           .previous = *previous,
                           .content = digests.ofSnapshot(snapshot)};
      if (link.value() == *value && !lacksSnapshot(snapshot)) proven.insert(snapshot);
    }
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
  }
  return proven;
}

std::vector<std::string> Salvage::losses() const {
  std::vector<std::string> lines;
  for (const TableDamage& table : tables_)
    lines.insert(lines.end(), table.losses().begin(), table.losses().end());
  return lines;
}

std::vector<std::string> Salvage::finish(SQLite::Database& analysis) const {
  std::vector<SnapshotHole> holes;
  for (const TableDamage& table : tables_)
    holes.insert(holes.end(), table.holes().begin(), table.holes().end());
  std::vector<std::string> lines = losses();
  if (!damage_.empty()) lines.push_back(damage_.front());
  if (damage_.size() > 1) {
    lines.push_back(fmt::format("damaged: {} more lines of SQLite's check, which 'check' prints",
                                damage_.size() - 1));
  }
  SQLite::Transaction transaction(analysis);
  const size_t told = lines.size();
  findUnfilled(analysis, holes, lines);
  const Kept kept =
      keep(analysis, holes, lines.size() > told ? std::set<int64_t>() : provenByChain());
  if (kept.parts.empty() && !lines.empty()) {
    throw std::runtime_error("nothing can be saved: no snapshot is whole; " + worstOf(lines));
  }
  if (kept.dropped_count == 0 && lines.empty()) return {};
  analysis.exec("INSERT INTO setting VALUES ('is_salvaged', 1)");
  if (kept.dropped_count > 0) lines.insert(lines.begin(), inWords(kept));
  takeOut(analysis, kept);
  const auto renumbered = splitRecordings(analysis, kept.parts);
  lines.insert(lines.end(), renumbered.begin(), renumbered.end());
  analysis.exec(
      "UPDATE recording SET (first_snapshot, last_snapshot) = "
      "(SELECT min(id), max(id) FROM snapshot WHERE recording = recording.id)");
  transaction.commit();
  return lines;
}

}  // namespace fdmortem
