// Which processes are recorded.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "capture/collect/failure_log.h"
#include "capture/collect/proc_source.h"
#include "schema/records.h"

namespace fdmortem {

/// What the user asked for; the parts add up.
struct Selection {
  std::vector<int32_t> pids;
  std::vector<std::string> comms;  ///< against comm (cut to 15 bytes) and the exe's file name
  std::vector<std::string> cgroup_globs;  ///< fnmatch(3) patterns against the cgroup path
  bool all = false;  ///< every process but kernel threads and the recorder itself

  bool scansProcesses() const { return all || !comms.empty() || !cgroup_globs.empty(); }
};

/// A process that is to be read now.
struct SelectedProcess {
  FileHandle directory;  ///< pins it
  ProcessStat stat;
  std::string stat_text;  ///< of which `stat` was made
};

/// Finds the selected processes, snapshot after snapshot. A pid stands for the process that had it
/// when it was first seen; one that starts later under the same number is another. A process that
/// matched once is followed as long as it lives, whatever it calls itself then.
class ProcessSelector {
 public:
  ProcessSelector(const ProcSource& source, Selection selection);

  /// A process as it was opened to see whether it is selected; null: it could not be opened.
  using Take = std::function<void(const ProcessIdentity&, const SelectedProcess*)>;

  /// Gives `take` each that is alive now, or is not known to have ended, once and in no order. What
  /// can't be looked at goes into `failures`; that one of the `pids` has ended is no failure, that
  /// it never was there is one.
  void select(FailureLog& failures, const Take& take);

  /// Nothing is left to record and nothing will come: only pids were asked for and each has ended.
  bool isExhausted() const;

 private:
  struct Pid {
    int32_t pid;
    std::optional<ProcessIdentity> identity;
    bool has_ended = false;
  };

  void selectPids(FailureLog& failures, const Take& take);
  void scan(FailureLog& failures, const Take& take);
  void scanListed(const std::vector<std::string>& names, FailureLog& failures, const Take& take);
  void addAlive(const ProcessIdentity& identity, const OrErrno<SelectedProcess>& process,
                const Take& take);
  bool matches(const SelectedProcess& process) const;
  bool matchesCgroup(int directory) const;

  const ProcSource& source_;
  Selection selection_;
  std::vector<Pid> pids_;
  std::set<ProcessIdentity> followed_;
  std::set<ProcessIdentity> alive_;
};

/// The kernel has a process of this number, and this proc file system does not show it: hidepid= of
/// proc(5), or it is that of another pid namespace. In a tree that was saved nothing is hidden.
bool isHidden(const ProcSource& source, int32_t pid);

/// Opens the process that has `pid` now. ESRCH if there is none or it is dead (a zombie).
OrErrno<SelectedProcess> openProcess(const ProcSource& source, int32_t pid);

/// Opens this very process; ESRCH if it has ended, EACCES if it may live and is not shown any more
/// (isHidden).
OrErrno<SelectedProcess> openProcess(const ProcSource& source, const ProcessIdentity& identity);

}  // namespace fdmortem
