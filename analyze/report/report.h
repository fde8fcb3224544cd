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
#include "analyze/progress.h"

namespace fdmortem {

struct DatabaseReport {
  std::string path;
  std::string sha256;
  /// Of the last recording in it:
  std::string host;
  std::optional<std::string> boot_id;
  std::string kernel;
  std::optional<std::string> head;             ///< of the hash chain, as the file has it
  std::vector<std::vector<Value>> recordings;  ///< as `recording_columns` of Report names them
  std::vector<std::string> doubts;
  std::string redacted;  ///< what in its last recording is pseudonyms; empty: nothing
  std::string loss;  ///< which of them says that snapshots may be missing, in short; empty: none
  /// The processes in it, in words, if none of them was asked for.
  std::string recorded;
};

/// An archive that was given and could not be read.
struct UnreadDatabase {
  std::string path;
  std::string reason;  ///< one line
};

/// What was taken and what was not.
struct Coverage {
  std::string database;
  int64_t snapshots = 0;
  int64_t missed = 0;               ///< due and not taken
  bool is_missed_estimate = false;  ///< what the recorder could not store is worked out
  int64_t late = 0;                 ///< the view late_snapshot
  std::optional<std::string> first_at;
  std::optional<std::string> last_at;
  int64_t first_ns = 0;  ///< wall clock, of the first and last snapshot
  int64_t last_ns = 0;
  double seconds = 0;  ///< from the first to the last, summed over boots
  ResultTable unreadable;
  std::vector<std::string> recorder_notes;  ///< what the recorder tells of itself, and its cost
};

/// A number of fds at a time, for a chart.
struct CountAt {
  int64_t snapshot = 0;
  std::string taken_at;
  int64_t wall_ns = 0;
  int64_t fds = 0;
  std::optional<int64_t> soft_limit;
  int64_t stretch = 0;  ///< another than before: nothing was seen in between
};

/// A part of the fds at each of a process's `counts`.
struct PartOverTime {
  std::string name;
  std::vector<int64_t> counts;
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

/// What fds of a kind that grows point to, those alike together.
struct TargetGroup {
  std::string name;    ///< the kind, or the protocol of a socket
  std::string target;  ///< a path or an address; a * is what they differ by
  int64_t fds = 0;
  std::string first_seen;  ///< of the oldest
};

/// How many dead sockets last carried data in a stretch of time.
struct LastDataBucket {
  std::string from;
  std::string to;
  int64_t from_ns = 0;  ///< wall clock
  int64_t to_ns = 0;
  int64_t count = 0;
};

/// An fd that outlived its connection. Times are those of snapshots, in ns of the wall clock.
struct Lifetime {
  int64_t fd = 0;
  int64_t inode = 0;
  std::optional<std::string> remote;
  std::string proof;
  int64_t first_ns = 0;  ///< the fd's first and last sight
  int64_t last_ns = 0;
  std::optional<int64_t> connection_last_ns;  ///< empty: gone before the recording
  int64_t since_ns = 0;                       ///< first sight without the connection
  std::optional<int64_t> last_data_ns;
  bool is_leak = false;
};

using NamedCount = std::pair<std::string, int64_t>;

/// limit_pressure.place of a process whose limit is far away.
constexpr int64_t kNoPressure = 4;

struct ProcessReport {
  std::string database;
  std::string host;     ///< on which it was recorded
  int64_t process = 0;  ///< `process` in the views, for queries
  int64_t pid = 0;
  int64_t start_ticks = 0;
  std::string comm;
  std::string name;  ///< what to call it: comm, or the program's name where that is cut
  std::optional<std::string> exe;
  std::optional<std::string> cmdline;
  std::string first_seen;
  std::string last_seen;
  int64_t first_snapshot = 0;
  int64_t last_snapshot = 0;
  std::optional<int64_t> netns;  ///< inode number of its network namespace; empty: not known
  bool has_ended = false;
  double seconds = 0;            ///< from the first to the last snapshot in which its fds were read
  int64_t unread_snapshots = 0;  ///< in which its fds could not be read
  std::string unread_reason;     ///< why they, or what they are, could not be read; may be empty
  bool is_refused = false;       ///< for want of a right
  bool has_fds = false;  ///< they could be read at least once; else the numbers below mean nothing
  bool is_tcp6_only = false;  ///< its connections are listed in tcp6 and none in tcp
  int64_t fds_first = 0;
  int64_t fds_last = 0;
  int64_t fds_above = 0;  ///< at the end, with numbers not below the soft limit
  int64_t fds_peak = 0;
  std::string peak_at;
  int64_t peak_snapshot = 0;
  std::optional<int64_t> soft_limit;  ///< at the end; empty: unlimited or unread
  std::optional<int64_t> hard_limit;
  bool limit_changed = false;
  std::optional<std::string> limit_reached_at;  ///< the first snapshot that shows it so
  int64_t limit_reached_snapshot = 0;
  std::optional<std::string> limit_before_at;  ///< the last one before; empty: none
  std::vector<int64_t> reached_limits;  ///< the soft limits without a free number, as they came
  bool is_full = false;                 ///< no fd is free at the end
  bool is_growth_stopped = false;       ///< by the limit: `growth` is until then
  Growth growth;
  std::optional<std::string> exhaustion_at;    ///< when the limit was or will be reached
  std::optional<std::string> exhaustion_from;  ///< of a forecast: its range
  std::optional<std::string> exhaustion_to;
  std::optional<double> hours_left;      ///< from the last snapshot to exhaustion_from
  std::string forecast_reason;           ///< why there is no forecast
  std::string growth_since;              ///< `growth` is of the time since then; empty: of all
  std::string growth_stopped_at;         ///< it stands still since then; empty: it does not
  std::string pressure;                  ///< as in limit_pressure; empty: the limit is far away
  int64_t pressure_place = kNoPressure;  ///< as there: the less the worse
  std::vector<CountAt> counts;           ///< in the order of time, thinned out for a chart
  std::vector<PartOverTime> kinds_over_time;  ///< most first
  std::vector<PartOverTime> verdicts_over_time;
  std::vector<NamedCount> kinds;     ///< at the end, most first
  std::vector<NamedCount> verdicts;  ///< at the end, most first
  std::vector<NamedCount> told;      ///< of those that no table lists, by the state that the
                                     ///< kernel itself tells of them, most first
  int64_t duplicate_fds = 0;         ///< of ESTABLISHED connections that other fds of it hold too
  int64_t unix_without_peer = 0;     ///< UNIX sockets whose peers have closed
  int64_t silent_connections = 0;    ///< accepted, ESTABLISHED for longer than the grace period,
                                     ///< without a timer and with empty queues all that time;
                                     ///< 0 where they are a few (threshold.few_fds)
  std::vector<NamedCount> unread_netns;   ///< namespaces without a table that was read, by sockets
  std::vector<PeerGroup> peers;           ///< most first
  std::vector<TargetGroup> targets;       ///< of kinds that only grow, most first; the first ones
  int64_t targets_total = 0;              ///< how many there are in all
  std::vector<LastDataBucket> last_data;  ///< of dead sockets, in the order of time
  std::vector<Lifetime> lifetimes;        ///< those that outlived longest
  int64_t lifetimes_total = 0;            ///< how many there are in all
};

struct Finding {
  std::string database;
  std::string id;
  std::string severity;  ///< critical, warning, info
  std::string title;
  std::optional<int64_t> pid;
  std::optional<int64_t> start_ticks;
  std::string explanation;  ///< sentences after "Observed:", "Inferred:", "Not known:"
  std::string advice;
  std::string query;
  ResultTable rows;     ///< not more than a report carries
  size_t all_rows = 0;  ///< how many the query gives
  /// process.id of an older process that holds all of these sockets too, while findings are grouped
  std::optional<int64_t> held_by;
  std::string judgement;      ///< of dead sockets: as in dead_judgement; else empty
  std::string trend;          ///< what their number did, where the title says it; else empty
  std::string to_be_sure;     ///< the part of `advice` that shows whether it is so; may be empty
  bool are_accepted = false;  ///< most of them are at a port on which somebody listened
  int64_t place = 0;          ///< of its rule, as in the table `rule`
  /// Processes of which the same is so, because they hold the same sockets: pid and start_ticks.
  std::vector<std::pair<int64_t, int64_t>> also;
  /// Of these the pids of those that had not ended when they were last looked at: they hold them.
  std::vector<int64_t> holders;
};

/// Connections at a recorded process's port that no recorded fd holds.
struct WithoutFd {
  std::string database;
  ResultTable rows;
  ResultTable waiting;  ///< those in an accept queue, by port and peer
};

/// Something that happened at a time: a line of a log, a note by hand, a restart.
struct MarkReport {
  std::string database;
  std::string at;
  int64_t at_ns = 0;
  std::string kind;  ///< restart, or as the table `mark` says
  std::string source;
  int64_t count = 1;
  std::string text;
  std::string last_at;              ///< of the last of several lines of its kind; else as `at`
  std::optional<int64_t> snapshot;  ///< the last one at or before it
};

/// A sentence of the summary, and how sure it is.
struct Statement {
  enum class Basis { Observed, Inferred, NotKnown, ToDo };
  Basis basis = Basis::Observed;
  std::string text;
};

/// The logs that were read beside a database.
struct Logs {
  std::string database;
  ResultTable logs;
};

struct Report {
  int64_t grace_ms = 30'000;
  std::string from;          ///< the time that --from gives, as it was typed; empty: none
  std::string to;            ///< and of --to
  bool is_salvaged = false;  ///< an archive is damaged, and --salvage took what is whole
  bool is_filtered = false;  ///< only some of the processes were asked for
  std::vector<DatabaseReport> databases;
  std::vector<UnreadDatabase> unread;
  std::vector<std::string> recording_columns;
  std::vector<Coverage> coverage;
  std::vector<ProcessReport> processes;  ///< the worst first, see sortReport()
  std::vector<WithoutFd> without_fd;     ///< of those databases that have any
  std::vector<Finding> findings;         ///< by severity
  std::vector<MarkReport> marks;         ///< in the order of time
  std::vector<std::string> log_notes;    ///< what the logs leave open, one line each
  std::vector<Logs> logs;                ///< of those databases that were given any
};

/// Adds what an archive gives to a report: of the processes that the filter lets through, and of
/// the host. `on_progress` may be empty.
void addToReport(const Analysis& analysis, const ProcessFilter& filter, Report& report,
                 const OnProgress& on_progress = {});

/// Puts findings and processes in the one order in which they are read: processes by the severity
/// of their worst finding, by the pressure on their limit, by the place of that finding's rule,
/// then by their fds; findings by severity, by their process (the host's after those), by place.
void sortReport(Report& report);

}  // namespace fdmortem
