#include "capture/collect/selection.h"

#include <fnmatch.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "schema/readers/process.h"

namespace fdmortem {
namespace {

constexpr size_t kCommLength = 15;  // TASK_COMM_LEN - 1

std::optional<int32_t> parsePid(const std::string& name) {
  int32_t pid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || end != name.data() + name.size() || pid <= 0) return {};
  return pid;
}

std::string fileName(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  // The kernel appends this once the program's file was replaced, by an upgrade for instance.
  if (name.ends_with(" (deleted)")) name.resize(name.size() - 10);
  return name;
}

/// Whether the numbers that this proc file system shows are those of our own pid namespace.
bool hasOwnNumbers(const ProcSource& source) {
  std::string self;
  return ProcSource::readLink(source.root(), "self", self) == 0 && parsePid(self) == getpid();
}

}  // namespace

bool isHidden(const ProcSource& source, int32_t pid) {
  struct statfs status {};
  if (fstatfs(source.root(), &status) != 0 || status.f_type != PROC_SUPER_MAGIC) return false;
  // The folder of a hidden process can be opened, and is as if it were empty.
  std::string stat;
  if (ProcSource::read(source.root(), (std::to_string(pid) + "/stat").c_str(), stat) == 0)
    return false;
  return bool(FileHandle(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))));
}

OrErrno<SelectedProcess> openProcess(const ProcSource& source, int32_t pid) {
  auto directory = source.openDirectory(std::to_string(pid));
  if (!directory) return tl::unexpected(directory.error() == ENOENT ? ESRCH : directory.error());
  std::string text;
  if (const int error = ProcSource::readWhole(directory->get(), "stat", text)) {
    return tl::unexpected(error == ENOENT ? ESRCH : error);
  }
  auto stat = parseProcessStat(text);
  if (!stat) return tl::unexpected(EBADMSG);
  if (stat->hasEnded()) return tl::unexpected(ESRCH);
  return SelectedProcess{
      .directory = std::move(*directory), .stat = std::move(*stat), .stat_text = std::move(text)};
}

OrErrno<SelectedProcess> openProcess(const ProcSource& source, const ProcessIdentity& identity) {
  auto process = openProcess(source, identity.pid);
  if (process && process->stat.identity != identity) return tl::unexpected(ESRCH);
  // It was seen, and now it is not: with hidepid= that happens to a process that lives, too.
  if (!process && process.error() == ESRCH && hasOwnNumbers(source) &&
      isHidden(source, identity.pid))
    return tl::unexpected(EACCES);
  return process;
}

ProcessSelector::ProcessSelector(const ProcSource& source, Selection selection)
    : source_(source), selection_(std::move(selection)) {
  for (const int32_t pid : selection_.pids)
    pids_.push_back({.pid = pid, .identity = {}});
}

void ProcessSelector::select(FailureLog& failures, const Take& take) {
  alive_.clear();
  selectPids(failures, take);
  if (selection_.scansProcesses()) scan(failures, take);
  followed_ = alive_;
}

void ProcessSelector::addAlive(const ProcessIdentity& identity,
                               const OrErrno<SelectedProcess>& process, const Take& take) {
  if (alive_.insert(identity).second) take(identity, process ? &*process : nullptr);
}

bool ProcessSelector::isExhausted() const {
  return !selection_.scansProcesses() &&
         std::all_of(pids_.begin(), pids_.end(), [](const Pid& pid) { return pid.has_ended; });
}

void ProcessSelector::selectPids(FailureLog& failures, const Take& take) {
  for (Pid& wanted : pids_) {
    if (wanted.has_ended) continue;
    const auto process =
        wanted.identity ? openProcess(source_, *wanted.identity) : openProcess(source_, wanted.pid);
    if (process) {
      wanted.identity = process->stat.identity;
      addAlive(*wanted.identity, process, take);
      continue;
    }
    if (process.error() != ESRCH || !wanted.identity) {
      failures.add("open", std::to_string(wanted.pid), wanted.pid, process.error());
    }
    wanted.has_ended = process.error() == ESRCH;
    if (!wanted.has_ended && wanted.identity) addAlive(*wanted.identity, process, take);
  }
}

void ProcessSelector::scan(FailureLog& failures, const Take& take) {
  const auto names = ProcSource::list(source_.root(), ".");
  if (!names) {
    failures.add("list", ".", {}, names.error());
    // What was followed is looked for one by one, so that a failed listing ends nothing.
    for (const auto& identity : followed_) {
      const auto process = openProcess(source_, identity);
      if (process || process.error() != ESRCH) addAlive(identity, process, take);
    }
    return;
  }
  scanListed(*names, failures, take);
  // What is not listed any more has ended, or is not shown.
  for (const auto& identity : followed_) {
    if (alive_.contains(identity)) continue;
    const auto process = openProcess(source_, identity);
    if (!process && process.error() == ESRCH) continue;
    addAlive(identity, process, take);
    if (!process) failures.add("open", std::to_string(identity.pid), identity.pid, process.error());
  }
}

void ProcessSelector::scanListed(const std::vector<std::string>& names, FailureLog& failures,
                                 const Take& take) {
  for (const std::string& name : names) {
    const auto pid = parsePid(name);
    if (!pid) continue;
    const auto process = openProcess(source_, *pid);
    if (!process) {
      if (process.error() == ESRCH) continue;
      failures.add("open", name, pid, process.error());
      // That it could not be opened now does not mean that it ended.
      for (const ProcessIdentity& known : followed_) {
        if (known.pid == *pid) addAlive(known, process, take);
      }
      continue;
    }
    if (followed_.contains(process->stat.identity) || matches(*process)) {
      addAlive(process->stat.identity, process, take);
    }
  }
}

bool ProcessSelector::matches(const SelectedProcess& process) const {
  if (process.stat.isKernelThread() || process.stat.identity.pid == getpid()) return false;
  if (selection_.all) return true;
  std::string exe;
  if (!selection_.comms.empty()) {
    std::string target;
    // Without the right to read the link there still is comm.
    if (ProcSource::readLink(process.directory.get(), "exe", target) == 0) exe = fileName(target);
  }
  for (const std::string& wanted : selection_.comms) {
    if (wanted == exe || wanted.substr(0, kCommLength) == process.stat.comm) return true;
  }
  return !selection_.cgroup_globs.empty() && matchesCgroup(process.directory.get());
}

bool ProcessSelector::matchesCgroup(int directory) const {
  std::string text;
  if (ProcSource::readWhole(directory, "cgroup", text) != 0) return false;
  const auto path = parseCgroup(text);
  if (!path) return false;
  return std::any_of(
      selection_.cgroup_globs.begin(), selection_.cgroup_globs.end(),
      [&](const std::string& glob) { return fnmatch(glob.c_str(), path->c_str(), 0) == 0; });
}

}  // namespace fdmortem
