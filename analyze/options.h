// The command line of fdanalyze.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "analyze/analysis.h"
#include "analyze/export_writer.h"
#include "analyze/listing.h"
#include "analyze/process_filter.h"
#include "schema/evidence/digest.h"

namespace fdmortem {

/// What narrows a listing; empty means all.
struct Filter {
  ProcessFilter processes;
  std::vector<std::string> verdicts;
  std::optional<int64_t> from_ns;
  std::optional<int64_t> to_ns;
};

/// What the history is of: an fd number of a pid, or a socket.
struct HistorySubject {
  std::optional<int64_t> pid;
  std::optional<int64_t> fd;
  std::optional<int64_t> inode;
};

/// snapshots, sockets, outlived, diff, history and sql.
struct ListingOptions {
  enum class What { Snapshots, Sockets, Outlived, Diff, History, Sql };
  What what = What::Snapshots;
  std::vector<std::string> databases;
  AnalysisOptions analysis;
  ListingFormat format = ListingFormat::Table;
  Filter filter;
  std::string snapshot_a;  ///< of diff: a number, `first`, `last`, or a time
  std::string snapshot_b;
  std::string by;  ///< of diff: kind, peer, port; empty: each fd
  HistorySubject history;
  std::string sql;  ///< of sql
};

enum class ReportFormat { Text, Markdown, Html, Json };

struct ReportOptions {
  std::vector<std::string> databases;
  AnalysisOptions analysis;
  ReportFormat format = ReportFormat::Text;
  ProcessFilter processes;
  std::string from;    ///< the beginning of `analysis.range` as it was typed; empty: none
  std::string to;      ///< and its end
  std::string output;  ///< a file; empty: stdout
};

enum class CheckFormat { Text, Json };

struct CheckOptions {
  std::string database;
  std::optional<Digest> head;  ///< that the hash chain must have
  CheckFormat format = CheckFormat::Text;
  LimitOptions limits;
};

/// show.
struct ShowOptions {
  std::string database;
  std::string snapshot;    ///< a number, `first`, `last`, or a time
  std::string path;        ///< empty: list what there is
  bool is_second = false;  ///< of a TCP table the second reading
  std::string output;      ///< a file; empty: stdout
  LimitOptions limits;
  bool is_salvage = false;  ///< of a damaged archive the texts that can be read
};

struct ExportOptions {
  std::vector<std::string> databases;
  AnalysisOptions analysis;
  ExportFormat format = ExportFormat::Sqlite;
  ProcessFilter processes;
  std::string output;
};

/// What to do; a number is an exit status with which all is said and done (--help, wrong usage).
using AnalyzeCommand =
    std::variant<ListingOptions, ReportOptions, CheckOptions, ExportOptions, ShowOptions, int>;

/// Prints help and usage errors itself.
AnalyzeCommand parseAnalyzeOptions(int argc, const char* const* argv);

}  // namespace fdmortem
