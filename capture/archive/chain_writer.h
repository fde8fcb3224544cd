// Adds links to the hash chain of an archive.
#pragma once

#include <cstdint>

#include "schema/evidence/chain.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

class ChainWriter {
 public:
  /// Goes on from the last link there is. Throws std::runtime_error if that is damaged.
  explicit ChainWriter(SQLite::Database& archive);

  /// A transaction begins; what became of the one before does not matter.
  void begin() {
    next_ = head_;
    next_id_ = id_;
  }
  /// Stores a link in it.
  void add(LinkKind kind, int64_t subject, const Digest& content);
  /// All links are gone: the next one is the first.
  void startAnew() { next_id_ = 0; }
  /// The transaction is committed.
  void committed() {
    head_ = next_;
    id_ = next_id_;
  }

  const Digest& head() const { return head_; }

 private:
  SQLite::Database& archive_;
  Digest head_{};  ///< the value of the last link that is committed
  Digest next_{};  ///< of the last one there is
  /// Their ids. Not asked of the archive: an id is not used again when all links before are
  /// dropped.
  int64_t id_ = 0;
  int64_t next_id_ = 0;
};

/// Makes all links of an archive anew, behind one that refers to the head it had: its rows are
/// others now. Throws SQLite::Exception or std::runtime_error. Returns the new head.
Digest rewriteChain(SQLite::Database& archive);

/// The value of the last link; zeros if there is none. Throws std::runtime_error if it is damaged.
Digest headOf(SQLite::Database& archive);

}  // namespace fdmortem
