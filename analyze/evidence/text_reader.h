// The bundles of texts of an archive, each held against its digest.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

#include "schema/evidence/text_codec.h"
#include "schema/readers/result.h"

namespace fdmortem {

/// Column `part` of verbatim.
enum class TextPart : int64_t {
  First = 1,   ///< what was read first
  Second = 2,  ///< the TCP tables that were read again in the second look
};

/// Of which rows the texts are.
enum class TextRows {
  All,
  Reachable,  ///< of a damaged archive: those that can be read from either end of the table
};

/// Holds two bundles at a time, of kMaximumTextBytes each at most. Fast where they are read in the
/// order in which they were stored. Calls throw SQLite::Exception.
class TextReader {
 public:
  explicit TextReader(SQLite::Database& archive, TextRows rows = TextRows::All);

  /// The first and the last that have a text; empty: none has.
  std::optional<std::pair<int64_t, int64_t>> snapshots() const;

  bool has(int64_t snapshot, TextPart part) const {
    return places_.contains({snapshot, static_cast<int64_t>(part)});
  }

  /// The bundle, valid until the next call. An error, one line, if it can't be given back or is not
  /// the one that `digest` speaks for.
  Parsed<std::string_view> read(int64_t snapshot, TextPart part);

 private:
  using Place = std::pair<int64_t, int64_t>;  ///< snapshot, part

  void findPlaces(SQLite::Database& archive, const char* order);
  Parsed<std::optional<int64_t>> baseOf(const Place& place);
  Parsed<DecodedText> decode(const Place& place, std::string_view base);
  /// Makes `first_` that of a snapshot.
  Parsed<bool> readFirst(int64_t snapshot);

  SQLite::Statement row_;
  std::map<Place, int64_t> places_;  ///< rowid
  std::optional<int64_t> first_snapshot_;
  DecodedText first_;  ///< part 1 of it
  DecodedText second_;
};

}  // namespace fdmortem
