#include "schema/evidence/stored_digests.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <sqlite3.h>

#include "schema/evidence/row_digest.h"

namespace fdmortem {
namespace {

/// The rows of a table as they are digested, the number of the snapshot being in the first column,
/// in the order in which they were added.
std::string queryOf(HashedTable table) {
  switch (table) {
    case HashedTable::Text:
    case HashedTable::Address:
      return fmt::format("SELECT snapshot, * FROM {} ORDER BY id",
                         kHashedTableNames.at(static_cast<size_t>(table)));
    case HashedTable::Snapshot:
      return "SELECT id, * FROM snapshot ORDER BY id";
    case HashedTable::ProcessChange:
      return "SELECT c.snapshot, c.*, p.pid, p.start_ticks, n.inode FROM process_change c"
             " LEFT JOIN process p ON p.id = c.process LEFT JOIN netns n ON n.id = c.netns"
             " ORDER BY c.rowid";
    case HashedTable::NetTableChange:
      return "SELECT c.snapshot, c.*, n.inode FROM net_table_change c"
             " LEFT JOIN netns n ON n.id = c.netns ORDER BY c.rowid";
    case HashedTable::Verbatim:
      return "SELECT snapshot, snapshot, part, base, size, digest FROM verbatim ORDER BY rowid";
    default:
      return fmt::format("SELECT snapshot, * FROM {} ORDER BY rowid",
                         kHashedTableNames.at(static_cast<size_t>(table)));
  }
}

/// Adds the values of a row from column `first` on.
void addRow(SQLite::Statement& query, int first, RowBytes& bytes) {
  for (int i = first; i < query.getColumnCount(); ++i) {
    const SQLite::Column value = query.getColumn(i);
    if (value.isNull()) {
      bytes.addNull();
    } else if (value.isInteger()) {
      bytes.addInteger(value.getInt64());
    } else {
      const auto* text = static_cast<const char*>(value.getBlob());
      bytes.addBytes({text, static_cast<size_t>(value.getBytes())});
    }
  }
}

}  // namespace

/// The rows of one table.
class StoredDigests::Rows {
 public:
  Rows(SQLite::Database& archive, HashedTable table, bool is_damaged)
      : query_(archive, queryOf(table)), table_(table), is_damaged_(is_damaged) {
    next();
  }

  void addUpTo(int64_t snapshot, RowDigest& digest) {
    for (; !is_done_ && snapshot_ <= snapshot; next()) {
      if (snapshot_ < snapshot) continue;
      bytes_.clear();
      addRow(query_, 1, bytes_);
      digest.add(table_, bytes_);
    }
  }

  bool isOrdered() const { return is_ordered_; }
  HashedTable table() const { return table_; }

 private:
  void next() {
    const int64_t before = snapshot_;
    is_done_ = !step();
    if (is_done_) return;
    snapshot_ = query_.getColumn(0).getInt64();
    is_ordered_ = is_ordered_ && snapshot_ >= before;
  }

  bool step() {
    try {
      return query_.executeStep();
    } catch (const SQLite::Exception& error) {
      if (!is_damaged_ || (error.getErrorCode() & 0xff) != SQLITE_CORRUPT) throw;
      return false;
    }
  }

  SQLite::Statement query_;
  HashedTable table_;
  bool is_damaged_;
  RowBytes bytes_;
  int64_t snapshot_ = 0;
  bool is_done_ = false;
  bool is_ordered_ = true;
};

StoredDigests::StoredDigests(SQLite::Database& archive, bool is_damaged) : archive_(archive) {
  for (size_t i = 0; i < kHashedTableNames.size(); ++i)
    tables_.push_back(std::make_unique<Rows>(archive, static_cast<HashedTable>(i), is_damaged));
}

StoredDigests::~StoredDigests() = default;

Digest StoredDigests::ofSnapshot(int64_t snapshot) {
  RowDigest digest;
  for (const auto& table : tables_)
    table->addUpTo(snapshot, digest);
  return digest.finish();
}

std::optional<Digest> StoredDigests::ofRow(LinkKind kind, int64_t subject) {
  const char* sql = nullptr;
  if (kind == LinkKind::RecordingBegan) sql = "SELECT * FROM recording WHERE id = ?";
  if (kind == LinkKind::RecorderEvent) sql = "SELECT * FROM recorder_event WHERE id = ?";
  if (kind == LinkKind::RecordingEnded) sql = "SELECT * FROM recording_end WHERE recording = ?";
  if (sql == nullptr) return {};
  SQLite::Statement query(archive_, sql);
  query.bind(1, subject);
  if (!query.executeStep()) return {};
  RowBytes bytes;
  addRow(query, 0, bytes);
  return digestOf(bytes.view());
}

std::vector<std::string> StoredDigests::unordered() const {
  std::vector<std::string> names;
  for (const auto& table : tables_) {
    if (table->isOrdered()) continue;
    names.emplace_back(kHashedTableNames.at(static_cast<size_t>(table->table())));
  }
  return names;
}

}  // namespace fdmortem
