// Whether the hash chain of an archive holds: schema/README.md, "The hash chain".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "schema/evidence/digest.h"

namespace SQLite {
class Database;
}

namespace fdmortem {

struct ChainResult {
  std::vector<std::string> problems;  ///< one line each; empty: the chain holds
  std::string head;  ///< the value of the last link, in hexadecimal digits; empty: there is none
  int64_t links = 0;
  /// Where the head is that was asked for, in words; empty: none was, or it is not there.
  std::string known_head;
};

/// Computes the digests of all rows anew and holds them against the links. With `head`, the value
/// of a link that somebody wrote down, says where in the chain that is; that it is nowhere is a
/// problem.
ChainResult checkChain(SQLite::Database& archive, const std::optional<Digest>& head);

}  // namespace fdmortem
