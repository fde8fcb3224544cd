// The command line of fdanalyze.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "analyze/analysis.h"
#include "analyze/listing.h"

namespace fdmortem {

/// What narrows a listing; empty means all.
struct Filter {
  std::vector<int64_t> pids;
  std::vector<std::string> comms;
  std::vector<std::string> verdicts;
  std::optional<int64_t> from_ns;
  std::optional<int64_t> to_ns;
};

/// snapshots, sockets, outlived, diff and sql.
struct ListingOptions {
  enum class What { Snapshots, Sockets, Outlived, Diff, Sql };
  What what = What::Snapshots;
  std::vector<std::string> databases;
  AnalysisOptions analysis;
  ListingFormat format = ListingFormat::Table;
  Filter filter;
  std::string snapshot_a;  ///< of diff: a number, `first` or `last`
  std::string snapshot_b;
  std::string sql;  ///< of sql
};

enum class ReportFormat { Text, Markdown, Html, Json };

struct ReportOptions {
  std::vector<std::string> databases;
  AnalysisOptions analysis;
  ReportFormat format = ReportFormat::Text;
  std::string output;  ///< a file; empty: stdout
};

/// What to do; a number is an exit status with which all is said and done (--help, wrong usage).
using AnalyzeCommand = std::variant<ListingOptions, ReportOptions, int>;

/// Prints help and usage errors itself.
AnalyzeCommand parseAnalyzeOptions(int argc, const char* const* argv);

}  // namespace fdmortem
