#include "analyze/evidence/archived_file.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/evidence/archive_state.h"
#include "analyze/evidence/text_path.h"
#include "analyze/evidence/text_reader.h"
#include "schema/evidence/text_bundle.h"
#include "schema/readers/fd.h"

namespace fdmortem {
namespace {

using Result = Parsed<ArchivedFile>;

/// How a recording was made.
struct RecordingFacts {
  bool keeps_texts = false;
  std::string redacted;  ///< names joined by commas
  bool has_environ = false;
};

RecordingFacts factsOf(SQLite::Database& archive, int64_t recording) {
  SQLite::Statement query(
      archive,
      "SELECT keeps_texts, coalesce(redacted, ''), instr(options, '\"--environ\"') > 0"
      " FROM recording WHERE id = ?");
  query.bind(1, recording);
  if (!query.executeStep()) return {};
  return {.keeps_texts = query.getColumn(0).getInt64() != 0,
          .redacted = query.getColumn(1).getString(),
          .has_environ = query.getColumn(2).getInt64() != 0};
}

auto missing(std::string reason) {
  return tl::make_unexpected(std::move(reason));
}

/// What a row of failure tells: "could not be read: readlink: Permission denied".
std::string inWords(SQLite::Statement& failure) {
  std::string text = "could not be read: " + failure.getColumn(0).getString();
  if (!failure.isColumnNull(2)) {
    text += fmt::format(": {}", std::strerror(static_cast<int>(failure.getColumn(2).getInt64())));
  }
  if (!failure.isColumnNull(3)) text += ": " + failure.getColumn(3).getString();
  return text;
}

class Files {
 public:
  Files(SQLite::Database& archive, int64_t snapshot)
      : archive_(archive), texts_(archive), state_(archive, snapshot) {
    while (state_.next() && state_.snapshot().id < snapshot) {
    }
    if (state_.snapshot().id != snapshot) throw std::runtime_error("there is no such snapshot");
    recording_ = factsOf(archive, state_.snapshot().recording);
  }

  Result file(const std::string& path, bool is_second) {
    if (const auto process = parseProcessPath(path)) {
      const ProcessState* state = state_.processOf(process->pid);
      if (state == nullptr) return missing(noProcess(process->pid));
      return ofProcess(*state, path, process->rest, is_second);
    }
    if (const auto net = parseNetPath(path)) return table(net->netns, net->table, is_second);
    return text(path, TextPart::First);
  }

  std::vector<ArchivedPath> paths() {
    std::vector<ArchivedPath> paths;
    for (const auto part : {TextPart::First, TextPart::Second}) {
      const auto bundle = read(part);
      if (!bundle) throw std::runtime_error(bundle.error());
      for (const auto& [path, bytes] : *bundle)
        paths.push_back({std::string(path), bytes.size(), part == TextPart::Second});
    }
    for (const auto& [id, process] : state_.processes()) {
      for (const char* name : {"cmdline", "comm", "exe", "fd", "ns/net"}) {
        const std::string path = fmt::format("{}/{}", process.identity.pid, name);
        const auto file = ofProcess(process, path, name, false);
        if (file) paths.push_back({path, file->bytes.size(), false});
      }
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

 private:
  Result ofProcess(const ProcessState& process, const std::string& path, std::string_view rest,
                   bool is_second) {
    if (rest == "fd") return fdList(process, path);
    if (rest.starts_with("fd/")) return fdLink(process, path, rest.substr(3));
    if (rest.starts_with("fdinfo/")) return fdInfo(process, path, rest.substr(7));
    if (rest == "cmdline") return value(process, path, process.cmdline, "cmdline");
    if (rest == "exe") return value(process, path, process.exe, "paths");
    if (rest == "comm") {
      return process.comm ? value(process, path, *process.comm + "\n", "")
                          : value(process, path, {}, "");
    }
    if (rest == "ns/net") {
      if (!process.netns) return missing(unread(process, path));
      return value(process, path, fmt::format("net:[{}]", *process.netns), "");
    }
    if (rest == "cgroup") return cgroup(process, path);
    if (rest.starts_with("net/")) return netOf(process, path, rest.substr(4), is_second);
    if (rest == "mountinfo") return mountInfo(path);
    return text(path, TextPart::First);
  }

  // ---- from the rows

  Result fdList(const ProcessState& process, const std::string& path) {
    if (process.fd_list_status == ReadStatus::Failed) return missing(unread(process, path));
    ArchivedFile file;
    for (const auto& [number, fd] : process.fds) {
      file.bytes += fmt::format("{} -> {}\n", number,
                                fd.link.type == LinkType::Unreadable ? "?" : formatFdLink(fd.link));
    }
    if (process.fd_list_status == ReadStatus::Incomplete) {
      file.notes.emplace_back("the list could not be read whole");
    }
    noteFailures(process, path + "/", "readlink", file);
    noteRedaction("paths", file);
    return file;
  }

  const FdState* findFd(const ProcessState& process, std::string_view name) const {
    const auto number = parseFdNumber(name);
    const auto fd = number ? process.fds.find(*number) : process.fds.end();
    return fd == process.fds.end() ? nullptr : &fd->second;
  }

  std::string noFd(const ProcessState& process, const std::string& path) const {
    if (process.fd_list_status != ReadStatus::Whole) return unread(process, path);
    return fmt::format("process {} had no such fd then", process.identity.pid);
  }

  Result fdLink(const ProcessState& process, const std::string& path, std::string_view name) {
    const FdState* fd = findFd(process, name);
    if (fd == nullptr || process.fd_list_status == ReadStatus::Failed) {
      return missing(noFd(process, path));
    }
    if (fd->link.type == LinkType::Unreadable) return missing(unread(process, path));
    ArchivedFile file{.bytes = formatFdLink(fd->link), .notes = {}};
    noteFailures(process, fmt::format("{}/fd/", process.identity.pid), "readlink", file);
    if (fd->link.type == LinkType::Text) noteRedaction("paths", file);
    return file;
  }

  Result fdInfo(const ProcessState& process, const std::string& path, std::string_view name) {
    const FdState* fd = findFd(process, name);
    if (fd == nullptr || process.fd_list_status == ReadStatus::Failed) {
      return missing(noFd(process, path));
    }
    if (auto found = find(path, TextPart::First)) return *found;
    if (!fd->hasInfo()) return missing(unread(process, path));
    // Without the texts an epoll's list of watches is in the rows, but not in the kernel's order.
    if (!fd->watches.empty()) return missing(noText(path));
    ArchivedFile file;
    formatFdInfo(fd->info, file.bytes);
    noteFailures(process, fmt::format("{}/fdinfo/", process.identity.pid), "read", file);
    noteFailures(process, fmt::format("{}/fdinfo/", process.identity.pid), "parse", file);
    if (!recording_.keeps_texts) {
      file.notes.emplace_back(
          "put together from the rows, and without the texts nothing tells whether it had more");
    }
    noteRedaction("paths", file);
    return file;
  }

  Result value(const ProcessState& process, const std::string& path,
               const std::optional<std::string>& bytes, std::string_view redaction) {
    if (!bytes) return missing(unread(process, path));
    ArchivedFile file{.bytes = *bytes, .notes = {}};
    if (const auto reason = failureOf(path)) file.notes.push_back("the last known: " + *reason);
    noteRedaction(redaction, file);
    return file;
  }

  Result cgroup(const ProcessState& process, const std::string& path) {
    if (auto found = find(path, TextPart::First)) return *found;
    if (!process.cgroup) return missing(unread(process, path));
    auto file = value(process, path, *process.cgroup + "\n", "paths");
    if (file) file->notes.emplace_back("not the file: of its lines only the path is archived");
    return file;
  }

  // ---- from the texts

  Result netOf(const ProcessState& process, const std::string& path, std::string_view name,
               bool is_second) {
    const auto net_table = netTableOf(name);
    if (!net_table) return text(path, TextPart::First);
    if (!process.netns) return missing("its network namespace is not known");
    return table(*process.netns, *net_table, is_second);
  }

  Result table(uint64_t netns, NetTable net_table, bool is_second) {
    const std::string path = netPath(netns, net_table);
    if (is_second) {
      if (auto found = find(path, TextPart::Second)) return *found;
      return missing("it was not read again then");
    }
    if (auto found = find(path, TextPart::First)) return *found;
    const NetnsState* state = state_.namespaceOf(netns);
    const auto status = state != nullptr ? state->status.at(static_cast<size_t>(net_table) - 1)
                                         : ReadStatus::NotTried;
    if (status == ReadStatus::NotTried) {
      return missing("nobody was left through whom it could be read");
    }
    if (status == ReadStatus::Absent) return missing("this kernel or namespace has no such file");
    if (recording_.redacted.find(net_table == NetTable::Unix ? "paths" : "addresses") !=
            std::string::npos &&
        (isInetTable(net_table) || net_table == NetTable::Unix)) {
      return missing(fmt::format("redacted: {}", recording_.redacted));
    }
    if (status == ReadStatus::Failed) {
      const auto reason = failureEndingWith(fmt::format("/net/{}", netTableName(net_table)));
      return missing(reason.value_or("could not be read"));
    }
    return missing(noText(path));
  }

  Result mountInfo(const std::string& path) {
    const std::string link_path = path.substr(0, path.find('/')) + "/ns/mnt";
    const auto link = find(link_path, TextPart::First);
    if (!link) return missing(noText(path));
    if (!*link) return *link;
    return text((*link)->bytes + "/mountinfo", TextPart::First);
  }

  Result text(const std::string& path, TextPart part) {
    if (auto found = find(path, part)) return *found;
    return missing(noText(path));
  }

  Parsed<std::vector<BundledText>> read(TextPart part) {
    const int64_t snapshot = state_.snapshot().id;
    if (!texts_.has(snapshot, part)) return std::vector<BundledText>();
    const auto bytes = texts_.read(snapshot, part);
    if (!bytes) return missing("the texts of the snapshot are damaged: " + bytes.error());
    return parseTextBundle(*bytes);
  }

  /// Empty if the bundle has no such text; an error if it can't be read.
  std::optional<Result> find(std::string_view path, TextPart part) {
    const auto bundle = read(part);
    if (!bundle) return Result(missing(bundle.error()));
    const auto found = findText(*bundle, path);
    if (!found) return {};
    return Result(ArchivedFile{.bytes = std::string(*found), .notes = {}});
  }

  // ---- why not

  std::string noProcess(int32_t pid) const {
    SQLite::Statement query(
        archive_,
        "SELECT min(c.snapshot), max(c.snapshot) FROM process_change c JOIN process p"
        " ON p.id = c.process WHERE p.pid = ?");
    query.bind(1, pid);
    query.executeStep();
    const std::string reason =
        fmt::format("there is no process {} in snapshot {}", pid, state_.snapshot().id);
    if (query.isColumnNull(0)) return reason + ", nor in any other";
    return reason + fmt::format("; rows of snapshots {} to {} speak of one",
                                query.getColumn(0).getInt64(), query.getColumn(1).getInt64());
  }

  /// Of a value that no row has.
  std::string unread(const ProcessState& process, const std::string& path) const {
    if (const auto reason = failureOf(path)) return *reason;
    if (const auto reason = failureOf(std::to_string(process.identity.pid))) return *reason;
    if (const auto reason = failureAmong(process.identity.pid)) return *reason;
    return "there was none, or it could not be read";
  }

  std::string noText(std::string_view path) const {
    if (!recording_.keeps_texts) return "recorded with --no-verbatim: there are no texts";
    if (const auto reason = failureOf(std::string(path))) return *reason;
    const bool is_environ = path.ends_with("/environ");
    if (is_environ && !recording_.has_environ) return "recorded without --environ";
    const bool is_path = path.ends_with("/cgroup") || path.ends_with("/mountinfo") ||
                         path.find("/fdinfo/") != std::string_view::npos;
    const bool names_paths = recording_.redacted.find("paths") != std::string::npos;
    if ((is_path && names_paths) || (is_environ && !recording_.redacted.empty())) {
      return fmt::format("redacted: {}", recording_.redacted);
    }
    if (const auto process = parseProcessPath(path)) {
      if (const auto reason = failureAmong(process->pid)) return *reason;
    }
    if (!texts_.has(state_.snapshot().id, TextPart::First)) {
      return "the snapshot has no texts";
    }
    return "no such file is archived, or it was not there; without a path 'show' lists what there "
           "is";
  }

  SQLite::Statement failures(const std::string& condition) const {
    SQLite::Statement query(
        archive_,
        "SELECT operation, subject, errno, detail, count FROM failure WHERE snapshot = ?1"
        " AND " +
            condition);
    query.bind(1, state_.snapshot().id);
    return query;
  }

  std::optional<std::string> failureOf(const std::string& path) const {
    SQLite::Statement query = failures("subject = ?2");
    query.bind(2, path);
    return query.executeStep() ? std::optional(inWords(query)) : std::nullopt;
  }

  std::optional<std::string> failureEndingWith(const std::string& end) const {
    SQLite::Statement query = failures("substr(subject, -length(?2)) = ?2");
    query.bind(2, end);
    return query.executeStep() ? std::optional(inWords(query)) : std::nullopt;
  }

  /// Failures that are alike are one row, which names the first: any may be the one.
  std::optional<std::string> failureAmong(int32_t pid) const {
    SQLite::Statement query = failures("pid = ?2 AND count > 1");
    query.bind(2, pid);
    if (!query.executeStep()) return {};
    return fmt::format("it may be one of {} of this process that failed alike, {} among them: {}",
                       query.getColumn(4).getInt64(), query.getColumn(1).getString(),
                       inWords(query));
  }

  /// Of a value that may be an older one, because such a read failed.
  void noteFailures(const ProcessState& process, const std::string& prefix,
                    const std::string& operation, ArchivedFile& file) const {
    SQLite::Statement query = failures(
        "pid = ?2 AND operation = ?3"
        " AND (count > 1 OR substr(subject, 1, length(?4)) = ?4)");
    query.bind(2, process.identity.pid);
    query.bind(3, operation);
    query.bind(4, prefix);
    while (query.executeStep()) {
      file.notes.push_back(fmt::format("it may be an older one: {} {}, {} time{}",
                                       query.getColumn(1).getString(), inWords(query),
                                       query.getColumn(4).getInt64(),
                                       query.getColumn(4).getInt64() == 1 ? "" : "s"));
    }
  }

  void noteRedaction(std::string_view name, ArchivedFile& file) const {
    if (name.empty() || recording_.redacted.find(name) == std::string::npos) return;
    file.notes.push_back(fmt::format("not as it was: {} are pseudonyms", recording_.redacted));
  }

  SQLite::Database& archive_;
  TextReader texts_;
  ArchiveState state_;
  RecordingFacts recording_;
};

}  // namespace

Parsed<ArchivedFile> archivedFile(SQLite::Database& archive, int64_t snapshot,
                                  const std::string& path, bool is_second) {
  return Files(archive, snapshot).file(path, is_second);
}

std::vector<ArchivedPath> archivedPaths(SQLite::Database& archive, int64_t snapshot) {
  return Files(archive, snapshot).paths();
}

}  // namespace fdmortem
