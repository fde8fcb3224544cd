// What the columns of an archive may hold.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace fdmortem {

/// Sums and differences of such numbers stay numbers.
constexpr int64_t kMaximumSum = 1'000'000'000'000'000;
/// Of a time in nanoseconds: until 2096, far from where the arithmetic of times ends.
constexpr int64_t kMaximumTime = 4'000'000'000'000'000'000;

enum class ColumnKind {
  Integer,
  Text,      ///< TEXT, made printable
  TextId,    ///< of text
  Cmdline,   ///< of text: arguments that each end in NUL; becomes them with blanks between
  Snapshot,  ///< of snapshot
  Process,   ///< of process, renumbered
  Netns,     ///< of netns, renumbered
  Endpoint,  ///< of address; the next column is the port: becomes the text, then the port
};

/// What a column of the archive may hold.
struct Column {
  ColumnKind kind = ColumnKind::Integer;
  bool is_nullable = false;
  int64_t minimum = 0;
  int64_t maximum = std::numeric_limits<int64_t>::max();
};

/// What SettledFds is told of the rows of a table.
enum class TableRows { Other, Fd, Inet, Gone, Autopsy, Queue };

struct ArchiveTable {
  const char* name;
  std::vector<Column> columns;
  TableRows rows = TableRows::Other;
};

/// The tables whose rows are taken over one by one; those that others refer to are read before
/// them.
const std::vector<ArchiveTable>& plainTables();

}  // namespace fdmortem
