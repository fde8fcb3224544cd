// An application's log: the lines that tell of missing file descriptors, as marks on the time line.
#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fdmortem {

enum class MarkKind {
  Emfile,       ///< the process's limit: "too many open files"
  Enfile,       ///< the host's: "too many open files in system"
  AcceptError,  ///< a connection could not be accepted, and the line does not say why
  Other,        ///< what somebody put there by hand
};

/// `EMFILE`, `ENFILE`, `accept-error`, `other`.
std::string_view markKindName(MarkKind kind);

/// A point in time of which a log tells something.
struct Mark {
  int64_t time_ns = 0;  ///< since 1970, UTC
  int64_t last_ns = 0;  ///< of the last of several lines of the kind; else the same
  MarkKind kind = MarkKind::Other;
  int64_t count = 1;  ///< lines
  std::string text;   ///< of the first of them, cut, bytes as they are
};

/// What a line's time is taken for where it does not say it all.
struct LogContext {
  int offset_s = 0;  ///< east of UTC, of times without a zone
  /// When it was recorded: of times without a year the one that is nearest to that. Empty: lines
  /// without a year have no time.
  std::optional<std::pair<int64_t, int64_t>> recorded_ns;
};

/// What a log holds.
struct LogMarks {
  std::vector<Mark> marks;   ///< in the order of time
  int64_t lines = 0;         ///< all
  int64_t matched = 0;       ///< that tell of it
  int64_t without_time = 0;  ///< of these: no time was found, so they are in no mark
  int64_t without_zone = 0;  ///< of these: the offset of LogContext was taken
  int64_t without_year = 0;  ///< of these: the year was taken from the recording
};

/// Reads a log line by line. Known are ISO 8601 and its relatives, the Go log package, logfmt and
/// slog, JSON lines, glog, syslog, nginx, Apache and Tomcat, Java's (a stack trace, or
/// the message of java.util.logging, has the time of the line above it), and what journalctl -o
/// short, short-iso, short-unix, export and json give. Lines of the same second and kind become one
/// mark; of the same minute, hour or day if there are very many. So the memory that it takes is
/// bounded, whatever the log holds.
class LogScanner {
 public:
  explicit LogScanner(const LogContext& context) : context_(context) {}

  /// The next line, without its newline.
  void line(std::string_view text);
  /// What was found in the lines so far.
  LogMarks take();

 private:
  struct Time {
    int64_t ns;
    bool has_zone;
    bool has_year;
  };

  std::optional<Time> timeOf(std::string_view line) const;
  std::optional<Time> timeOfEntry(std::string_view line) const;
  void exportField(std::string_view line);
  void add(const Time& time, MarkKind kind, std::string_view text);
  void widen();

  LogContext context_;
  LogMarks result_;
  std::map<std::pair<int64_t, MarkKind>, Mark> marks_;  ///< by time / width
  int64_t width_ns_ = 1'000'000'000;
  std::string entry_;                      ///< the beginning of the last line that began an entry
  std::optional<int64_t> export_time_ns_;  ///< of an entry of journalctl -o export
};

/// Gives all lines of `log` to `scanner`. A line is cut at 64 KiB. False: reading failed.
bool scanLog(std::istream& log, LogScanner& scanner);

/// `TIME text`, of a mark that is put by hand. Empty if it does not begin with a time (see
/// parseTime; with a time of day) or has no text.
std::optional<Mark> parseMark(std::string_view text);

/// `UTC`, `Z`, `+01:00`, `-0500`, `+01` as seconds east of UTC.
std::optional<int> parseZone(std::string_view text);

}  // namespace fdmortem
