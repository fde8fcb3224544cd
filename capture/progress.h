// What fdcapture record says on stderr while it runs.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capture/messages.h"
#include "capture/options.h"
#include "capture/snapshot.h"

namespace fdmortem {

/// A line for each thing that changes: a process appears or ends, its fds pass a part of their
/// limit, sockets outlive their connections, something can't be read or stored. On a terminal also
/// one line that is always up to date. That nobody reads it, a closed terminal or a full pipe for
/// instance, neither ends nor stops a recording: what can't be written at once is counted and told
/// later.
class Progress {
 public:
  explicit Progress(const RecordOptions& options);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Unless --quiet.
  void announce(const std::string& text);
  /// Also with --quiet.
  void warn(const std::string& text);
  /// Takes the status line away: what follows are the last words.
  void endStatus();
  /// A whole line, as it is; takes no memory.
  void warnWithoutMemory(std::string_view line) { messages_.write(line); }
  /// Only with --verbose.
  void detail(const std::string& text);
  /// There was no memory for something that was to be said.
  void addLost() { messages_.addLost(); }

  /// Names what can't be read, each thing once and not without end.
  void failures(const std::vector<Failure>& failures);
  bool hadFailures() const { return !named_.empty(); }

  void stored(int64_t id, const Snapshot& snapshot, uint64_t archive_bytes);

 private:
  struct ProcessState {
    std::string name;
    std::optional<uint64_t> soft_limit;
    int level = 0;  ///< 0, or the last of the parts of the limit that were passed, in percent
    uint64_t outlived = 0;  ///< the power of ten that was told last
  };

  void processes(const Snapshot& snapshot);
  void process(const ProcessRecord& process, ProcessState& state);
  void rename(const ProcessRecord& process, ProcessState& state);
  void drawStatus();
  void say(const std::string& text);
  std::string statusOf(const Snapshot& snapshot, uint64_t archive_bytes);

  const RecordOptions& options_;
  Messages messages_;
  bool has_status_line_;
  std::string status_;
  uint64_t snapshots_ = 0;
  std::map<ProcessIdentity, ProcessState> processes_;
  std::deque<std::pair<int64_t, uint64_t>> counts_;  ///< CLOCK_BOOTTIME, fds of all processes
  bool has_hinted_ = false;                          ///< which rights are wanting
  std::set<std::string> named_;
};

}  // namespace fdmortem
