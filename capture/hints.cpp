#include "capture/hints.h"

#include <linux/capability.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <sstream>
#include <string_view>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "capture/collect/selection.h"

namespace fdmortem {
namespace {

/// Of the first pid namespace (PROC_PID_INIT_INO of include/linux/proc_ns.h).
constexpr std::string_view kFirstPidNamespace = "pid:[4026531836]";
constexpr size_t kMaximumNamed = 3;

/// The processes that have the number `pid` in a pid namespace of their own.
std::vector<std::string> namesakes(const ProcSource& source, int32_t pid) {
  std::vector<std::string> found;
  const auto names = ProcSource::list(source.root(), ".");
  if (!names) return found;
  for (const std::string& name : *names) {
    std::string status;
    if (ProcSource::read(source.root(), (name + "/status").c_str(), status) != 0) continue;
    const auto pids = pidsInNamespaces(status);
    if (pids.size() > 1 && pids.back() == pid) found.push_back(name);
  }
  return found;
}

/// The numbers after a key of /proc/PID/status.
std::vector<int32_t> numbersOf(const std::string& status, std::string_view key) {
  const size_t start = status.find(key);
  if (start == std::string::npos) return {};
  const size_t first = start + key.size();
  std::istringstream line(status.substr(first, status.find('\n', first) - first));
  std::vector<int32_t> numbers;
  for (int32_t number = 0; line >> number;)
    numbers.push_back(number);
  return numbers;
}

bool isInPidNamespace(const ProcSource& source) {
  std::string target;
  return ProcSource::readLink(source.root(), "self/ns/pid", target) == 0 &&
         target != kFirstPidNamespace;
}

}  // namespace

std::string hintOnMissingProcess(const ProcSource& source, int32_t pid) {
  if (isHidden(source, pid)) {
    return "it runs, but this proc file system does not show it (hidepid=, or it is that of "
           "another "
           "pid namespace); run fdcapture as root or with CAP_SYS_PTRACE";
  }
  std::string stat;
  if (ProcSource::read(source.root(), (std::to_string(pid) + "/stat").c_str(), stat) == 0)
    return "it has ended, and its parent has not taken notice yet (a zombie has no fds)";
  auto others = namesakes(source, pid);
  if (!others.empty()) {
    const bool is_cut = others.size() > kMaximumNamed;
    others.resize(std::min(others.size(), kMaximumNamed));
    return fmt::format("in a pid namespace of its own (a container) that is {} here{}",
                       fmt::join(others, " or "), is_cut ? " or another" : "");
  }
  if (isInPidNamespace(source)) {
    return "fdcapture is in a pid namespace of its own (a container): run it on the host, with the "
           "pid there";
  }
  return "it has ended, or never was; '--comm NAME' finds processes by name, later ones too";
}

std::string hintOnThread(const ProcSource& source, int32_t pid) {
  std::string status;
  const std::string name = std::to_string(pid) + "/status";
  if (ProcSource::read(source.root(), name.c_str(), status) != 0) return {};
  const auto process = numbersOf(status, "\nTgid:");
  if (process.empty() || process.front() == pid) return {};
  return fmt::format(
      "{} is a thread of process {}: recorded are the fds of the thread, which are those of the "
      "process unless it has a table of its own (unshare(CLONE_FILES))",
      pid, process.front());
}

std::vector<int32_t> pidsInNamespaces(const std::string& status) {
  return numbersOf(status, "\nNSpid:");
}

bool hidesProcesses(const std::string& mounts) {
  std::istringstream lines(mounts);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string device, place, type, options;
    words >> device >> place >> type >> options;
    if (type != "proc" || place != "/proc") continue;
    options = fmt::format(",{},", options);
    const size_t start = options.find(",hidepid=");
    if (start == std::string::npos) continue;
    const std::string value = options.substr(start + 9, options.find(',', start + 9) - start - 9);
    if (value != "0" && value != "off") return true;
  }
  return false;
}

bool maySeeAll(const std::string& status) {
  constexpr std::string_view kKey = "\nCapEff:\t";
  const size_t start = status.find(kKey);
  if (start == std::string::npos) return false;
  uint64_t mask = 0;
  const char* const first = status.data() + start + kKey.size();
  std::from_chars(first, status.data() + status.size(), mask, 16);
  return (mask >> CAP_SYS_PTRACE & 1) != 0;
}

std::string hintOnHiddenProcesses(const ProcSource& source) {
  std::string mounts, status;
  if (ProcSource::read(source.root(), "self/mounts", mounts) != 0 || !hidesProcesses(mounts)) {
    return {};
  }
  if (ProcSource::read(source.root(), "self/status", status) != 0 || maySeeAll(status)) return {};
  return "/proc is mounted with hidepid=, so processes of others may not be seen; run fdcapture as "
         "root "
         "or with CAP_SYS_PTRACE";
}

std::string hintOnRights(const std::vector<Failure>& failures) {
  const bool is_refused = std::any_of(failures.begin(), failures.end(), [](const Failure& failure) {
    const int error = failure.error_number.value_or(0);
    return error == EACCES || error == EPERM;
  });
  if (!is_refused) return {};
  if (geteuid() == 0) {
    return "what was refused takes CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, and this root lacks "
           "them "
           "there: it is in a container or user namespace, or a security module forbids it; run "
           "fdcapture on the host; see PRIVILEGES in fdcapture(1)";
  }
  return "what was refused takes root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH; see PRIVILEGES "
         "in "
         "fdcapture(1)";
}

}  // namespace fdmortem
