// What a reader gives back: a record, or one line that says why the text is none.
//
// Readers are pure functions of text. They never read a file, and no text makes them crash, loop or
// allocate more than a small multiple of its size.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace fdmortem {

/// A record, or the reason why the text could not be understood: one printable line, without the
/// text.
template <class Record>
using Parsed = tl::expected<Record, std::string>;

/// The rows of a table that was understood at least in part.
template <class Row>
struct ParsedTable {
  std::vector<Row> rows;       ///< in the order of the text
  size_t bad_line_count = 0;   ///< lines that are no row; above 0 the table is incomplete
  std::string first_bad_line;  ///< "line 12: reason" of the first of them, printable; else empty

  bool isComplete() const { return bad_line_count == 0; }
};

}  // namespace fdmortem
