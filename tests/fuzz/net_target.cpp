#include <algorithm>

#include "schema/printable.h"
#include "schema/readers/net.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

namespace {

/// A line is a row or a bad line, and at most one of them (a sockstat line holds several values).
template <class Row>
void keepsCount(const ParsedTable<Row>& table, std::string_view text, size_t rows_per_line = 1) {
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  fuzz::require(table.rows.size() <= lines * rows_per_line);
  fuzz::require(table.bad_line_count <= lines);
  fuzz::require(table.isComplete() == table.first_bad_line.empty());
  fuzz::require(printable(table.first_bad_line) == table.first_bad_line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::textOf(data, size);
  keepsCount(parseInetTable(text), text);
  const auto unix_table = parseUnixTable(text);
  keepsCount(unix_table, text);
  for (const UnixRow& row : unix_table.rows)
    fuzz::require(row.path.size() <= 108);
  keepsCount(parseNetlinkTable(text), text);
  keepsCount(parsePacketTable(text), text);
  keepsCount(parseSockstat(text), text, text.size());
  return 0;
}
