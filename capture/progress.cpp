#include "capture/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include <fmt/core.h>

#include "capture/hints.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

/// So many different failures are named on stderr; all are in the archive.
constexpr size_t kMaximumNamedFailures = 20;
/// Parts of the limit whose passing is news, in percent.
constexpr std::array kLevels = {50, 80, 90, 100};
constexpr int kHysteresis = 5;
/// The rate is one over the last so many snapshots.
constexpr size_t kSnapshotsOfRate = 60;

std::string describe(const Failure& failure) {
  std::string reason = failure.detail;
  if (failure.error_number) reason = strerror(*failure.error_number);
  return fmt::format("{}: {}: {}", printable(failure.subject), failure.operation,
                     printable(reason));
}

/// Its sockets that the kernel calls closed and once connected.
uint64_t outlivedCount(const ProcessRecord& process) {
  return static_cast<uint64_t>(
      std::count_if(process.fds.begin(), process.fds.end(),
                    [](const FdRecord& fd) { return fd.autopsy && fd.autopsy->isDead(); }));
}

uint64_t powerOfTenBelow(uint64_t number) {
  if (number == 0) return 0;
  uint64_t power = 1;
  while (number / power >= 10)
    power *= 10;
  return power;
}

std::optional<int> levelOf(const ProcessRecord& process) {
  const auto limit = process.softFdLimit();
  if (!limit || *limit == 0) return {};
  int level = 0;
  for (const int part : kLevels) {
    if (process.fds.size() * 100 >= *limit * static_cast<uint64_t>(part)) level = part;
  }
  return level;
}

std::string plural(uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string nameOf(const ProcessRecord& process) {
  return fmt::format("process {} ({})", process.identity.pid,
                     printable(process.comm.value_or("?")));
}

std::string fdsOf(const ProcessRecord& process) {
  const auto limit = process.softFdLimit();
  if (!limit) return plural(process.fds.size(), "fd", "fds");
  // "121 of 120" looks like an error.
  if (process.fds.size() > *limit) {
    return fmt::format(
        "{} fds, more than its limit of {} allows to open (lowered since, or they "
        "were inherited)",
        process.fds.size(), *limit);
  }
  return fmt::format("{} fds of {}", process.fds.size(), *limit);
}

/// The process that is nearest to its limit.
const ProcessRecord* fullest(const Snapshot& snapshot) {
  const auto part = [](const ProcessRecord& process) {
    const auto limit = process.softFdLimit();
    return limit && *limit > 0
               ? static_cast<double>(process.fds.size()) / static_cast<double>(*limit)
               : 0.0;
  };
  const auto found = std::max_element(
      snapshot.processes.begin(), snapshot.processes.end(),
      [&](const ProcessRecord& a, const ProcessRecord& b) { return part(a) < part(b); });
  return found == snapshot.processes.end() ? nullptr : &*found;
}

std::string sizeText(uint64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{} kB", bytes / 1000);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

Progress::Progress(const RecordOptions& options)
    : options_(options),
      has_status_line_(!options.quiet && !options.verbose &&
                       (options.progress == ProgressMode::Always ||
                        (options.progress == ProgressMode::Auto && isatty(STDERR_FILENO) == 1))) {}

Progress::~Progress() {
  if (has_status_line_ && !status_.empty()) Messages::tryWrite("\n");
  messages_.write("");  // what was lost last would not be told otherwise
}

void Progress::endStatus() {
  if (has_status_line_ && !status_.empty()) Messages::tryWrite("\r\x1b[K");
  status_.clear();
}

void Progress::announce(const std::string& text) {
  if (!options_.quiet) say(text);
}
void Progress::warn(const std::string& text) {
  say(text);
}
void Progress::detail(const std::string& text) {
  if (options_.verbose) say(text);
}

void Progress::say(const std::string& text) {
  // In one piece: others may write to the same terminal or journal.
  const char* clear = has_status_line_ && !status_.empty() ? "\r\x1b[K" : "";
  messages_.write(fmt::format("{}fdcapture: {}\n", clear, text));
  drawStatus();
}

void Progress::drawStatus() {
  if (!has_status_line_ || status_.empty()) return;
  winsize window{};
  size_t columns = 80;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1) columns = window.ws_col;
  // A line that wraps could not be taken back.
  Messages::tryWrite(fmt::format("\r\x1b[K{}", status_.substr(0, columns - 1)));
}

void Progress::failures(const std::vector<Failure>& failures) {
  for (const Failure& failure : failures) {
    if (!named_.insert(describe(failure)).second) continue;
    if (named_.size() <= kMaximumNamedFailures) {
      say(describe(failure));
    } else if (named_.size() == kMaximumNamedFailures + 1) {
      say("more could not be read; the archive has all of it");
    }
    // What was said is remembered to say it once, but not without end.
    if (named_.size() > 100 * kMaximumNamedFailures) named_.erase(std::prev(named_.end()));
  }
  if (has_hinted_) return;
  const std::string hint = hintOnRights(failures);
  has_hinted_ = !hint.empty();
  if (has_hinted_) announce(hint);
}

void Progress::stored(int64_t id, const Snapshot& snapshot, uint64_t archive_bytes) {
  ++snapshots_;
  if (options_.verbose) {
    size_t fd_count = 0;
    for (const ProcessRecord& process : snapshot.processes)
      fd_count += process.fds.size();
    const PhaseTimes& times = snapshot.times;
    say(fmt::format(
        "snapshot {}: {}, {}, {}, read in {} ms", id,
        plural(snapshot.processes.size(), "process", "processes"), plural(fd_count, "fd", "fds"),
        plural(snapshot.failures.size(), "failure", "failures"),
        (times.processes_us + times.fds_us + times.tables_us + times.second_look_us) / 1000));
  }
  if (options_.quiet) return;
  processes(snapshot);
  status_ = statusOf(snapshot, archive_bytes);
  drawStatus();
}

void Progress::processes(const Snapshot& snapshot) {
  std::map<ProcessIdentity, ProcessState> before = std::exchange(processes_, {});
  // Of hundreds, that each of them is there is no news.
  const bool tells_each = options_.selection.all ? false : snapshots_ > 1;
  for (const ProcessRecord& record : snapshot.processes) {
    const auto known = before.find(record.identity);
    ProcessState state;
    if (known != before.end()) {
      state = std::move(known->second);
      before.erase(known);
      rename(record, state);
    } else {
      state.name = nameOf(record);
      state.soft_limit = record.softFdLimit();
      if (tells_each) say(fmt::format("{} is recorded: {}", state.name, fdsOf(record)));
    }
    process(record, state);
    processes_.emplace(record.identity, std::move(state));
  }
  if (options_.selection.all) return;
  for (const auto& [identity, state] : before)
    say(fmt::format("{} has ended", state.name));
}

/// What a shell starts has the shell's name first.
void Progress::rename(const ProcessRecord& process, ProcessState& state) {
  std::string name = nameOf(process);
  if (!process.comm || name == state.name) return;
  if (!options_.selection.all) {
    say(fmt::format("{} is called {} now", state.name, printable(*process.comm)));
  }
  state.name = std::move(name);
}

void Progress::process(const ProcessRecord& process, ProcessState& state) {
  if (process.fd_list_status != ReadStatus::Whole) return;
  const auto limit = process.softFdLimit();
  int level = levelOf(process).value_or(0);
  if (limit && limit != state.soft_limit) {
    // The part of it that is used changed, and not the number of fds.
    if (state.soft_limit || level > 0) {
      say(fmt::format("the soft limit of {} is {} now; it has {}", state.name, *limit,
                      plural(process.fds.size(), "fd", "fds")));
    }
    state.soft_limit = limit;
    state.level = level;
  }
  // Who only hovers about one of them is not told each time.
  if (level < state.level && limit &&
      process.fds.size() * 100 > *limit * static_cast<uint64_t>(state.level - kHysteresis)) {
    level = state.level;
  }
  if (level > state.level) {
    say(fmt::format("{} has {}", state.name, fdsOf(process)));
  } else if (level < state.level) {
    say(fmt::format("{} is down to {}", state.name, fdsOf(process)));
  }
  state.level = level;
  const uint64_t outlived = outlivedCount(process);
  if (powerOfTenBelow(outlived) > state.outlived) {
    say(fmt::format("{} has {} that outlived {}", state.name,
                    outlived == 1 ? "1 socket" : fmt::format("{} sockets", outlived),
                    outlived == 1 ? "its connection" : "their connections"));
  }
  state.outlived = std::max(state.outlived, powerOfTenBelow(outlived));
}

std::string Progress::statusOf(const Snapshot& snapshot, uint64_t archive_bytes) {
  uint64_t fds = 0, outlived = 0;
  for (const ProcessRecord& process : snapshot.processes) {
    fds += process.fds.size();
    outlived += outlivedCount(process);
  }
  counts_.emplace_back(snapshot.clocks.boottime_ns, fds);
  if (counts_.size() > kSnapshotsOfRate) counts_.pop_front();
  std::string text = plural(snapshots_, "snapshot", "snapshots");
  if (const ProcessRecord* process = fullest(snapshot)) {
    text += fmt::format(", pid {}: {}", process->identity.pid, fdsOf(*process));
    if (snapshot.processes.size() > 1) {
      text += fmt::format(" ({} in {} processes)", fds, snapshot.processes.size());
    }
  }
  const double minutes = static_cast<double>(counts_.back().first - counts_.front().first) / 60e9;
  if (minutes > 0) {
    const double change =
        static_cast<double>(counts_.back().second) - static_cast<double>(counts_.front().second);
    text += fmt::format(", {:+.1f}/min", change / minutes);
  }
  return text + fmt::format(", {} outlived, {}", outlived, sizeText(archive_bytes));
}

}  // namespace fdmortem
