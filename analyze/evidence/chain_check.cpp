#include "analyze/evidence/chain_check.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/problem_list.h"
#include "schema/evidence/chain.h"
#include "schema/evidence/row_digest.h"
#include "schema/evidence/stored_digests.h"

namespace fdmortem {
namespace {

struct StoredLink {
  int64_t id = 0;
  ChainLink link;
  Digest value{};
};

std::string_view nameOf(LinkKind kind) {
  switch (kind) {
    case LinkKind::RecordingBegan:
      return "recording";
    case LinkKind::Snapshot:
      return "snapshot";
    case LinkKind::RecorderEvent:
      return "recorder_event";
    case LinkKind::RecordingEnded:
      return "recording_end";
    case LinkKind::Rewritten:
      break;
  }
  return "chain";
}

Digest digestOfColumn(const SQLite::Column& column) {
  const std::string_view bytes(static_cast<const char*>(column.getBlob()),
                               static_cast<size_t>(column.getBytes()));
  return digestFromBytes(bytes).value_or(Digest{});
}

class ChainChecker {
 public:
  ChainChecker(SQLite::Database& archive, const std::optional<Digest>& head)
      : archive_(archive), head_(head) {}

  ChainResult run() {
    readLinks();
    checkOrder();
    checkContents();
    checkSubjects();
    checkStrayRows();
    checkDropped();
    checkOwners();
    if (head_) findHead();
    result_.links = static_cast<int64_t>(links_.size());
    if (!links_.empty()) result_.head = toHex(links_.back().value);
    result_.problems = problems_.lines();
    return std::move(result_);
  }

 private:
  void readLinks() {
    SQLite::Statement rows(archive_,
                           "SELECT id, kind, subject, previous, value FROM chain ORDER BY id");
    while (rows.executeStep()) {
      StoredLink stored;
      stored.id = rows.getColumn(0).getInt64();
      stored.link.kind = static_cast<LinkKind>(rows.getColumn(1).getInt64());
      stored.link.subject = rows.getColumn(2).getInt64();
      stored.link.previous = digestOfColumn(rows.getColumn(3));
      stored.value = digestOfColumn(rows.getColumn(4));
      links_.push_back(stored);
    }
    SQLite::Statement first(archive_, "SELECT min(id) FROM snapshot");
    if (first.executeStep() && !first.isColumnNull(0)) {
      first_snapshot_ = first.getColumn(0).getInt64();
    }
  }

  int64_t number(const char* sql) const { return archive_.execAndGet(sql).getInt64(); }

  void problem(const StoredLink& link, const std::string& what) {
    problems_.add(
        "chain", what,
        fmt::format(", link {} ({} {})", link.id, nameOf(link.link.kind), link.link.subject));
  }

  /// Each link follows the one before.
  void checkOrder() {
    if (links_.empty()) {
      if (number("SELECT count(*) FROM recording") > 0) {
        problems_.add("chain", "there is no link", "");
      }
      return;
    }
    checkFirst();
    bool may_lack = wereDropped();  // what was dropped may have been between two links
    for (size_t i = 1; i < links_.size(); ++i) {
      const StoredLink& before = links_[i - 1];
      const StoredLink& link = links_[i];
      const bool is_first_snapshot =
          before.link.kind == LinkKind::Snapshot && before.link.subject == first_snapshot_;
      if (is_first_snapshot) may_lack = false;
      if (link.link.kind == LinkKind::Rewritten) problem(link, "a redacted copy begins in between");
      if (link.id != before.id + 1) {
        if (!may_lack) problem(link, "links before it are missing");
      } else if (link.link.previous != before.value) {
        problem(link, "it does not follow the link before");
      }
    }
  }

  void checkFirst() {
    const StoredLink& first = links_.front();
    if (first.id < 1) problem(first, "the number of a link is below 1");
    if (first.id != 1) {
      if (!wereDropped()) problem(first, "links before it are missing");
      return;
    }
    if (first.link.kind == LinkKind::Rewritten) {
      if (first.link.subject != 0) problem(first, "it stands for nothing");
      return;
    }
    if (first.link.previous != Digest{}) problem(first, "it is the first and follows another");
  }

  /// Snapshots were dropped from the beginning, and links with them.
  bool wereDropped() const {
    return first_snapshot_.value_or(1) != 1 ||
           number("SELECT count(*) FROM dropped WHERE reason <> 'slice-to'") > 0;
  }

  /// The values of the links are those of what they stand for.
  void checkContents() {
    StoredDigests digests(archive_);
    int64_t last = std::numeric_limits<int64_t>::min();
    for (const StoredLink& stored : links_) {
      ChainLink link = stored.link;
      if (link.kind == LinkKind::Snapshot) {
        if (!isThere(link.subject)) {
          problem(stored, "there is no such snapshot");
          continue;
        }
        if (link.subject <= last) {
          problem(stored, "it comes after a later snapshot");
          continue;
        }
        last = link.subject;
        link.content = digests.ofSnapshot(link.subject);
      } else if (link.kind != LinkKind::Rewritten) {
        const auto content = digests.ofRow(link.kind, link.subject);
        if (!content) {
          problem(stored, fmt::format("there is no such row in {}", nameOf(link.kind)));
          continue;
        }
        link.content = *content;
      }
      if (link.value() == stored.value) continue;
      problem(stored, link.kind == LinkKind::Snapshot
                          ? "the rows of the snapshot are not those that it stands for"
                          : "the row is not the one that it stands for");
    }
    digests.ofSnapshot(std::numeric_limits<int64_t>::max());  // the rest, for its order
    for (const std::string& table : digests.unordered()) {
      problems_.add(table, "its rows are not in the order of their snapshots", "");
    }
  }

  bool isThere(int64_t snapshot) {
    SQLite::Statement query(archive_, "SELECT 1 FROM snapshot WHERE id = ?");
    query.bind(1, snapshot);
    return query.executeStep();
  }

  /// Each thing has one link.
  void checkSubjects() {
    std::map<std::pair<LinkKind, int64_t>, int64_t> subjects;
    for (const StoredLink& link : links_) {
      if (++subjects[{link.link.kind, link.link.subject}] == 2) {
        problem(link, "a second link for the same");
      }
    }
    for (const auto& [kind, sql] :
         {std::pair(LinkKind::RecordingBegan, "SELECT id FROM recording"),
          std::pair(LinkKind::Snapshot, "SELECT id FROM snapshot"),
          std::pair(LinkKind::RecorderEvent, "SELECT id FROM recorder_event"),
          std::pair(LinkKind::RecordingEnded, "SELECT recording FROM recording_end")}) {
      SQLite::Statement rows(archive_, sql);
      while (rows.executeStep()) {
        const int64_t id = rows.getColumn(0).getInt64();
        if (subjects.contains({kind, id})) continue;
        problems_.add(std::string(nameOf(kind)), "no link of the chain stands for it",
                      fmt::format(", row {}", id));
      }
    }
  }

  /// Rows of a snapshot that is not there are in no digest.
  void checkStrayRows() {
    for (const std::string_view table : kHashedTableNames) {
      if (table == "snapshot") continue;
      SQLite::Statement rows(archive_,
                             fmt::format("SELECT rowid, snapshot FROM {} WHERE snapshot NOT IN "
                                         "(SELECT id FROM snapshot)",
                                         table));
      while (rows.executeStep()) {
        const int64_t snapshot = rows.getColumn(1).getInt64();
        if (isRemains(snapshot)) continue;
        problems_.add(std::string(table), "there is no such snapshot",
                      fmt::format(", row {}, snapshot {}", rows.getColumn(0).getInt64(), snapshot));
      }
    }
  }

  /// Left of a snapshot that was dropped.
  bool isRemains(int64_t snapshot) const {
    return snapshot >= 1 && (!first_snapshot_ || snapshot < *first_snapshot_);
  }

  /// Snapshots are numbered without gaps: those that are missing were dropped.
  void checkDropped() {
    const int64_t missing = number(
        "SELECT max((SELECT coalesce(max(id), 0) FROM snapshot),"
        " (SELECT coalesce(max(last_snapshot), 0) FROM dropped))"
        " - (SELECT count(*) FROM snapshot)");
    const int64_t told = number("SELECT coalesce(sum(snapshots), 0) FROM dropped");
    if (missing != told) {
      problems_.add(
          "dropped",
          fmt::format("{} snapshots are missing and {} are told to be dropped", missing, told), "");
    }
    if (number("SELECT count(*) - count(DISTINCT reason) FROM dropped") > 0) {
      problems_.add("dropped", "a reason is there twice", "");
    }
    if (number(
            "SELECT count(*) FROM dropped WHERE first_wall_ns > last_wall_ns"
            " OR last_snapshot IN (SELECT id FROM snapshot) OR last_snapshot < snapshots"
            " OR snapshots < 1 OR reason NOT IN ('keep', 'max-size', 'slice-from', 'slice-to')") >
        0) {
      problems_.add("dropped", "its numbers can't be so", "");
    }
  }

  /// Rows of these two are digested with what refers to them.
  void checkOwners() {
    if (wereDropped()) return;  // what referred to them may be gone
    for (const char* sql :
         {"SELECT 'process', id FROM process WHERE id NOT IN (SELECT process FROM process_change)",
          "SELECT 'netns', id FROM netns WHERE id NOT IN (SELECT netns FROM net_table_change UNION"
          " SELECT netns FROM process_change WHERE netns IS NOT NULL)"}) {
      SQLite::Statement rows(archive_, sql);
      while (rows.executeStep()) {
        problems_.add(rows.getColumn(0).getString(), "nothing speaks of it",
                      fmt::format(", row {}", rows.getColumn(1).getInt64()));
      }
    }
  }

  void findHead() {
    const auto link = std::find_if(links_.begin(), links_.end(),
                                   [&](const auto& stored) { return stored.value == *head_; });
    if (link != links_.end()) {
      const auto after = links_.end() - link - 1;
      result_.known_head = after == 0 ? fmt::format("link {}, the last one", link->id)
                                      : fmt::format("link {}; {} came after it", link->id, after);
      return;
    }
    const auto follower = std::find_if(links_.begin(), links_.end(), [&](const auto& stored) {
      const bool has_one_before = stored.id > 1 || stored.link.kind == LinkKind::Rewritten;
      return has_one_before && stored.link.previous == *head_;
    });
    if (follower != links_.end() && follower->link.kind == LinkKind::Rewritten) {
      problems_.add("chain", "the head given is that of the original; a redacted copy has another",
                    "");
    } else if (follower != links_.end()) {
      result_.known_head = fmt::format("the link before {}, which was dropped", follower->id);
    } else {
      problems_.add("chain",
                    "the head given is none of its values: what led to it was changed, cut off or "
                    "dropped",
                    "");
    }
  }

  SQLite::Database& archive_;
  const std::optional<Digest>& head_;
  std::vector<StoredLink> links_;
  std::optional<int64_t> first_snapshot_;  ///< empty: there is none
  ProblemList problems_;
  ChainResult result_;
};

}  // namespace

ChainResult checkChain(SQLite::Database& archive, const std::optional<Digest>& head) {
  return ChainChecker(archive, head).run();
}

}  // namespace fdmortem
