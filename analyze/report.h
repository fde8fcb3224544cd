// An incident report as a value: what every format of it says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyze/analysis.h"
#include "analyze/growth.h"
#include "analyze/process_filter.h"

namespace fdmortem {

struct DatabaseReport {
  std::string path;
  std::string sha256;
  std::string host;
  std::optional<std::string> boot_id;
  std::string kernel;
  std::vector<std::vector<Value>> recordings;  ///< as `recording_columns` of Report names them
  std::vector<std::string> doubts;
};

/// What was taken and what was not.
struct Coverage {
  std::string database;
  int64_t snapshots = 0;
  int64_t missed = 0;  ///< due and not taken
  int64_t late = 0;    ///< taken later than a tenth of the interval after they were due
  std::optional<std::string> first_at;
  std::optional<std::string> last_at;
  double seconds = 0;  ///< from the first to the last, summed over boots
  ResultTable unreadable;
};

/// A number of fds at a time, for a chart.
struct CountAt {
  int64_t snapshot = 0;
  std::string taken_at;
  int64_t fds = 0;
  std::optional<int64_t> soft_limit;
};

struct PeerGroup {
  std::string verdict;
  std::optional<std::string> proof;
  std::optional<std::string> last_state;
  std::optional<std::string> direction;  ///< in, out
  std::optional<int64_t> local_port;
  std::optional<std::string> peer;
  int64_t count = 0;
  int64_t leaks = 0;
  std::optional<std::string> first_lost;
  std::optional<std::string> last_lost;
  std::optional<std::string> first_data;
  std::optional<std::string> last_data;
};

/// How many dead sockets last carried data in a stretch of time.
struct LastDataBucket {
  std::string from;
  std::string to;
  int64_t count = 0;
};

using NamedCount = std::pair<std::string, int64_t>;

struct ProcessReport {
  std::string database;
  int64_t pid = 0;
  int64_t start_ticks = 0;
  std::string comm;
  std::optional<std::string> exe;
  std::optional<std::string> cmdline;
  std::string first_seen;
  std::string last_seen;
  bool has_ended = false;
  int64_t unread_snapshots = 0;  ///< in which its fds could not be read
  bool has_fds = false;  ///< they could be read at least once; else the numbers below mean nothing
  int64_t fds_first = 0;
  int64_t fds_last = 0;
  int64_t fds_peak = 0;
  std::string peak_at;
  std::optional<int64_t> soft_limit;  ///< at the end; empty: unlimited or unread
  std::optional<int64_t> hard_limit;
  bool limit_changed = false;
  std::optional<std::string> limit_reached_at;
  Growth growth;                             ///< until the limit was reached
  std::optional<std::string> exhaustion_at;  ///< when the limit was or will be reached at this rate
  std::vector<CountAt> counts;               ///< in the order of time, thinned out for a chart
  std::vector<NamedCount> kinds;             ///< at the end, most first
  std::vector<NamedCount> verdicts;          ///< at the end, most first
  std::vector<PeerGroup> peers;              ///< most first
  std::vector<LastDataBucket> last_data;     ///< of dead sockets, in the order of time
};

struct Finding {
  std::string database;
  std::string id;
  std::string severity;  ///< critical, warning, info
  std::string title;
  std::optional<int64_t> pid;
  std::optional<int64_t> start_ticks;
  std::string explanation;
  std::string advice;
  std::string query;
  ResultTable rows;
};

/// Connections at a recorded process's port that no recorded fd holds.
struct WithoutFd {
  std::string database;
  ResultTable rows;
};

/// What logs and people said.
struct Marks {
  std::string database;
  ResultTable marks;
  ResultTable logs;
};

struct Report {
  std::vector<DatabaseReport> databases;
  std::vector<std::string> recording_columns;
  std::vector<Coverage> coverage;
  std::vector<ProcessReport> processes;  ///< those with findings first, then by fds
  std::vector<WithoutFd> without_fd;     ///< of those databases that have any
  std::vector<Finding> findings;         ///< by severity
  std::vector<Marks> marks;              ///< of those databases that have any, or a log
};

/// Adds what an archive gives to a report: of the processes that the filter lets through, and of
/// the host.
void addToReport(const Analysis& analysis, const ProcessFilter& filter, Report& report);

/// Puts findings and processes in the order in which they are read.
void sortReport(Report& report);

}  // namespace fdmortem
