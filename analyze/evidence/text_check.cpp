#include "analyze/evidence/text_check.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/evidence/archive_state.h"
#include "analyze/evidence/net_compare.h"
#include "analyze/evidence/text_path.h"
#include "analyze/evidence/text_reader.h"
#include "analyze/problem_list.h"
#include "schema/evidence/text_bundle.h"
#include "schema/printable.h"
#include "schema/readers/fd.h"
#include "schema/readers/host.h"
#include "schema/readers/process.h"

namespace fdmortem {
namespace {

/// Addresses in socket tables are printed in the byte order of the host.
bool hasOurByteOrder(std::string_view machine) {
  constexpr std::string_view kLittle[] = {"x86_64", "aarch64", "riscv64", "ppc64le", "loongarch64"};
  const bool is_little =
      std::find(std::begin(kLittle), std::end(kLittle), machine) != std::end(kLittle) ||
      (machine.size() == 4 && machine.front() == 'i' && machine.ends_with("86")) ||
      (machine.starts_with("armv") && machine.ends_with('l'));
  return is_little && std::endian::native == std::endian::little;
}

bool isRead(ReadStatus status) {
  return status == ReadStatus::Whole || status == ReadStatus::Incomplete;
}

class TextChecker {
 public:
  TextChecker(SQLite::Database& archive, const OnProgress& on_progress)
      : archive_(archive), on_progress_(on_progress), texts_(archive), state_(archive, 0) {}

  TextResult run() {
    SQLite::Statement machines(archive_, "SELECT id, machine FROM recording");
    while (machines.executeStep()) {
      compares_addresses_[machines.getColumn(0).getInt64()] =
          hasOurByteOrder(machines.getColumn(1).getString());
    }
    const int64_t count = archive_.execAndGet("SELECT count(*) FROM snapshot").getInt64();
    for (int64_t done = 0; state_.next(); ++done) {
      if (on_progress_)
        on_progress_("comparing", static_cast<int>(100 * done / std::max<int64_t>(count, 1)));
      checkSnapshot();
    }
    result_.problems = problems_.lines();
    return std::move(result_);
  }

 private:
  void checkSnapshot() {
    // The first part is needed when the second is compared: so its rows go first.
    SecondReading second;
    if (const auto bundle = read(TextPart::Second)) {
      for (const auto& [path, text] : *bundle) {
        if (const auto net = parseNetPath(path)) second.add(*net, text);
      }
    }
    const auto bundle = read(TextPart::First);
    if (!bundle) return;
    processes_.clear();
    for (const auto& [id, process] : state_.processes())
      processes_[process.identity.pid] = &process;
    for (const auto& [path, text] : *bundle) {
      path_ = path;
      if (const auto process = parseProcessPath(path)) {
        checkProcess(*process, text);
      } else if (const auto net = parseNetPath(path)) {
        checkNet(*net, text, second);
      } else {
        checkHost(text);
      }
    }
    checkFoundAgain(second);
  }

  /// The texts of this snapshot; they are parts of the bundle.
  std::optional<std::vector<BundledText>> read(TextPart part) {
    const int64_t snapshot = state_.snapshot().id;
    if (!texts_.has(snapshot, part)) return {};
    ++result_.bundles;
    const auto where = fmt::format(", snapshot {}, part {}", snapshot, static_cast<int>(part));
    const auto bytes = texts_.read(snapshot, part);
    if (!bytes) {
      problems_.add("verbatim", bytes.error(), where);
      return {};
    }
    auto bundle = parseTextBundle(*bytes);
    if (!bundle) {
      problems_.add("verbatim", bundle.error(), where);
      return {};
    }
    return std::move(*bundle);
  }

  /// A row says something else than the text that is being compared.
  void differs(const char* table, std::string_view what) {
    problems_.add(table, "not as the text has it",
                  fmt::format(", snapshot {} ({}{}{})", state_.snapshot().id, printable(path_),
                              what.empty() ? "" : ", ", printable(what)));
  }

  void checkHost(std::string_view text) {
    const SnapshotFacts& facts = state_.snapshot();
    if (path_ == "sys/fs/file-nr") {
      const auto numbers = parseFileNr(text);
      if (numbers && facts.files_allocated != numbers->allocated) {
        differs("snapshot", "files_allocated");
      }
      if (numbers && facts.files_maximum != numbers->maximum) differs("snapshot", "files_maximum");
    } else if (path_ == "sys/fs/nr_open") {
      checkNumber(parseSingleNumber(text), facts.nr_open, "nr_open");
    } else if (path_ == "sys/fs/file-max") {
      checkNumber(parseSingleNumber(text), facts.file_max, "file_max");
    } else if (path_ == "uptime") {
      checkNumber(parseUptimeMs(text), facts.uptime_ms, "uptime_ms");
    }
  }

  void checkNumber(const Parsed<uint64_t>& number, const std::optional<uint64_t>& row,
                   const char* column) {
    if (number && row != *number) differs("snapshot", column);
  }

  void checkProcess(const ProcessPath& path, std::string_view text) {
    const auto found = processes_.find(path.pid);
    // One that ended while it was read is not in the snapshot.
    if (found == processes_.end()) return;
    const ProcessState& process = *found->second;
    if (path.rest == "stat") {
      checkStat(process, text);
    } else if (path.rest == "status") {
      const auto status = parseProcessStatus(text);
      if (!status) return;
      if (process.real_uid != status->real_uid) differs("process_change", "real_uid");
      if (process.effective_uid != status->effective_uid) {
        differs("process_change", "effective_uid");
      }
    } else if (path.rest == "limits") {
      checkLimits(process, text);
    } else if (path.rest == "cgroup") {
      const auto cgroup = parseCgroup(text);
      if (cgroup && process.cgroup != *cgroup) differs("process_change", "cgroup");
    } else if (path.rest.starts_with("fdinfo/")) {
      checkFdInfo(process, path.rest.substr(7), text);
    }
  }

  void checkStat(const ProcessState& process, std::string_view text) {
    const auto stat = parseProcessStat(text);
    if (!stat) return;
    if (stat->identity != process.identity) differs("process", "start_ticks");
    if (process.comm != stat->comm) differs("process_change", "comm");
    if (process.parent_pid != stat->parent_pid) differs("process_change", "parent_pid");
  }

  void checkLimits(const ProcessState& process, std::string_view text) {
    const auto limits = parseLimits(text);
    if (!limits) return;
    std::map<std::string, Limit> by_resource;
    for (const Limit& limit : *limits)
      by_resource[limit.resource] = limit;
    for (const auto& [resource, limit] : by_resource) {
      const auto row = process.limits.find(resource);
      if (row == process.limits.end() || row->second != limit) differs("limit_change", resource);
    }
    for (const auto& [resource, limit] : process.limits) {
      if (!by_resource.contains(resource)) differs("limit_change", resource);
    }
  }

  void checkFdInfo(const ProcessState& process, std::string_view name, std::string_view text) {
    // The rows of a list that could not be read are older than the text.
    if (!isRead(process.fd_list_status)) return;
    const auto number = parseFdNumber(name);
    const auto info = parseFdInfo(text);
    if (!number || !info) return;
    const auto found = process.fds.find(*number);
    if (found == process.fds.end()) return differs("fd_change", "no such fd");
    const FdState& fd = found->second;
    if (std::tie(fd.info.flags, fd.info.mount_id, fd.info.inode, fd.info.detail) !=
        std::tie(info->flags, info->mount_id, info->inode, info->detail)) {
      differs("fd_change", "");
    }
    if (info->position && fd.info.position != info->position) differs("fd_position_change", "");
    checkWatches(fd, *info);
  }

  void checkWatches(const FdState& fd, const FdInfo& info) {
    // The kernel can list a file twice that was closed and opened again under its number.
    std::map<std::tuple<int32_t, std::optional<uint64_t>, std::optional<uint64_t>>, bool> known;
    for (const EpollWatch& watch : info.watches) {
      const auto key = std::tuple(watch.watched_fd, watch.inode, watch.device);
      const auto row = fd.watches.find(key);
      known[key] |= row != fd.watches.end() && row->second == watch;
    }
    const bool is_same =
        std::all_of(known.begin(), known.end(), [](auto& one) { return one.second; });
    if (!is_same || known.size() != fd.watches.size()) differs("epoll_watch_change", "");
  }

  void checkNet(const NetPath& path, std::string_view text, const SecondReading& second) {
    const NetnsState* netns = state_.namespaceOf(path.netns);
    if (netns == nullptr) return;
    if (isInetTable(path.table) && !compares_addresses_[state_.snapshot().recording]) return;
    compareNetTable(*netns, path.table, text, second,
                    [&](const char* table, std::string_view what) { differs(table, what); });
  }

  /// What the second reading found again has not gone.
  void checkFoundAgain(const SecondReading& second) {
    for (const auto& [netns, inode] : state_.goneFromTcp()) {
      if (!second.lists(netns, inode) || isListed(inode) || !isHeld(inode)) continue;
      const std::string path = netPath(netns, NetTable::Tcp);
      path_ = path;
      differs("inet_change", fmt::format("inode {}, found when it was read again", inode));
    }
  }

  bool isListed(uint64_t inode) const {
    return std::any_of(
        state_.namespaces().begin(), state_.namespaces().end(), [&](const auto& entry) {
          return std::any_of(entry.second.inet.begin(), entry.second.inet.end(), [&](auto& table) {
            const auto row = table.lower_bound({.inode = inode, .local = {}, .remote = {}});
            return row != table.end() && row->first.inode == inode;
          });
        });
  }

  bool isHeld(uint64_t inode) const {
    return std::any_of(
        state_.processes().begin(), state_.processes().end(), [&](const auto& process) {
          return isRead(process.second.fd_list_status) &&
                 std::any_of(process.second.fds.begin(), process.second.fds.end(), [&](auto& fd) {
                   return fd.second.link.type == LinkType::Socket && fd.second.link.number == inode;
                 });
        });
  }

  SQLite::Database& archive_;
  const OnProgress& on_progress_;
  TextReader texts_;
  ArchiveState state_;
  std::map<int64_t, bool> compares_addresses_;  ///< by recording
  std::unordered_map<int32_t, const ProcessState*> processes_;
  std::string_view path_;  ///< of the text that is being compared
  ProblemList problems_;
  TextResult result_;
};

}  // namespace

TextResult checkTexts(SQLite::Database& archive, const OnProgress& on_progress) {
  return TextChecker(archive, on_progress).run();
}

}  // namespace fdmortem
