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

  /// Stores a link in the transaction that is open, and returns its value: the head, once that is
  /// committed.
  Digest add(LinkKind kind, int64_t subject, const Digest& content);
  void committed(const Digest& head) { head_ = head; }

  const Digest& head() const { return head_; }

 private:
  SQLite::Database& archive_;
  Digest head_{};
};

/// Makes all links of an archive anew, behind one that refers to the head it had: its rows are
/// others now. Throws SQLite::Exception or std::runtime_error. Returns the new head.
Digest rewriteChain(SQLite::Database& archive);

/// The value of the last link; zeros if there is none. Throws std::runtime_error if it is damaged.
Digest headOf(SQLite::Database& archive);

}  // namespace fdmortem
