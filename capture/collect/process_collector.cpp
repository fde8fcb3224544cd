#include "capture/collect/process_collector.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include <fmt/core.h>

#include "schema/readers/fd.h"
#include "schema/readers/process.h"

namespace fdmortem {
namespace {

/// The process, or the fd, is not there any more.
bool isGone(int error) {
  return error == ESRCH || error == ENOENT;
}

/// The reads of one process, with its failures under its pid.
class ProcessReader {
 public:
  ProcessReader(int directory, int32_t pid, TextLog& texts, FailureLog& failures)
      : directory_(directory), pid_(pid), texts_(texts), failures_(failures) {}

  /// A file whole; empty if it can't be read, which is a failure unless the process ended. Its text
  /// is in a row.
  std::optional<std::string> read(const char* name) {
    std::string text;
    const int error = ProcSource::read(directory_, name, text);
    return valueOrFailure(error, "read", name, std::move(text));
  }

  /// A file that is only kept as it is. Not every kernel has it.
  void keep(const char* name) {
    if (texts_.keeps()) keepIfRead(name, texts_.readWhole(directory_, name, subject(name)));
  }

  void keepEnviron() {
    constexpr const char* kName = "environ";
    if (!texts_.keeps(TextContent::Environment)) return;
    keepIfRead(kName, texts_.read(directory_, kName, subject(kName)));
  }

  /// The mount table of its mount namespace, once for all processes of it.
  void keepMountinfo() {
    if (!texts_.keeps(TextContent::Paths)) return;
    const auto link = readLink("ns/mnt");
    if (!link || !parseNamespaceLink(*link)) return;
    texts_.keep(subject("ns/mnt"), *link);
    if (!texts_.isNew(*link)) return;
    const auto text = texts_.read(directory_, "mountinfo", *link + "/mountinfo");
    // EINVAL: it is ending, and has no root directory any more.
    if (!text && !isGone(text.error()) && text.error() != EINVAL) {
      failures_.add("read", subject("mountinfo"), pid_, text.error());
    }
  }

  std::optional<std::string> readLink(const char* name) {
    std::string target;
    const int error = ProcSource::readLink(directory_, name, target);
    return valueOrFailure(error, "readlink", name, std::move(target));
  }

  /// A file that is read and understood.
  template <class Record>
  std::optional<Record> parse(const char* name, Parsed<Record> (*reader)(std::string_view)) {
    const auto text = texts_.readWhole(directory_, name, subject(name));
    if (!text) {
      if (!isGone(text.error())) failures_.add("read", subject(name), pid_, text.error());
      return {};
    }
    auto record = reader(*text);
    if (!record) {
      failures_.addUnparsable(subject(name), pid_, record.error());
      return {};
    }
    return std::move(*record);
  }

 private:
  std::string subject(const char* name) const { return fmt::format("{}/{}", pid_, name); }

  void keepIfRead(const char* name, const OrErrno<std::string_view>& text) {
    if (!text && !isGone(text.error())) {
      failures_.add("read", subject(name), pid_, text.error());
    }
  }

  std::optional<std::string> valueOrFailure(int error, const char* operation, const char* name,
                                            std::string value) {
    if (error == 0) return value;
    if (!isGone(error)) failures_.add(operation, subject(name), pid_, error);
    return {};
  }

  int directory_;
  int32_t pid_;
  TextLog& texts_;
  FailureLog& failures_;
};

std::optional<uint64_t> readNetns(ProcessReader& reader, int32_t pid, FailureLog& failures) {
  const auto link = reader.readLink("ns/net");
  if (!link) return {};
  const auto inode = parseNamespaceLink(*link);
  if (!inode) {
    failures.addUnparsable(fmt::format("{}/ns/net", pid), pid, inode.error());
    return {};
  }
  return *inode;
}

void readLimits(ProcessReader& reader, ProcessRecord& process) {
  process.limits = reader.parse("limits", parseLimits);
  if (!process.limits) return;
  std::sort(process.limits->begin(), process.limits->end(),
            [](const Limit& a, const Limit& b) { return a.resource < b.resource; });
}

constexpr int kAttempts = 8;

/// The fds of one process.
class FdReader {
 public:
  FdReader(const KnownMounts& mounts, FileHandle links, OrErrno<FileHandle> infos, int32_t pid,
           TextLog& texts, FailureLog& failures)
      : mounts_(mounts),
        links_(std::move(links)),
        infos_(std::move(infos)),
        pid_(pid),
        texts_(texts),
        failures_(failures) {}

  /// Empty if the fd was closed since it was listed.
  std::optional<FdRecord> read(int32_t fd, const FdRecord* previous) {
    const std::string name = std::to_string(fd);
    FdRecord record{.fd = fd};
    int error = 0;
    // The number can be closed and given to another file between the two reads: then both are read
    // again. What still changes after that is caught by the second look, or by the next snapshot.
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      error = readInfo(name, record);
      if (takeLinkOfInfo(record)) break;
      if (!readLink(name, record)) return {};
      const bool may_be_another_file = infos_ && (error != 0 ? isGone(error) : !agree(record));
      if (!may_be_another_file) break;
    }
    if (error != 0) {
      failures_.add("read", infoSubject(name), pid_, error);
    } else {
      keepInfo(name, record);
    }
    keepOrReadStatus(name, previous, record);
    return record;
  }

 private:
  /// Where fdinfo tells the link, that one is of the same file for certain.
  bool takeLinkOfInfo(FdRecord& record) const {
    auto link = record.info ? mounts_.linkOf(*record.info) : std::nullopt;
    if (link) record.link = std::move(*link);
    return link.has_value();
  }

  bool readLink(const std::string& name, FdRecord& record) {
    const int error = ProcSource::readLink(links_.get(), name.c_str(), link_);
    if (isGone(error)) return false;
    if (error != 0) failures_.add("readlink", fmt::format("{}/fd/{}", pid_, name), pid_, error);
    record.link = error == 0 ? parseFdLink(link_) : FdLink{};
    return true;
  }

  std::string infoSubject(const std::string& name) const {
    return fmt::format("{}/fdinfo/{}", pid_, name);
  }

  /// Returns the errno of reading it.
  int readInfo(const std::string& name, FdRecord& record) {
    record.info.reset();
    const int error =
        infos_ ? ProcSource::readWhole(infos_->get(), name.c_str(), text_) : infos_.error();
    if (error != 0) return error;
    if (auto info = parseFdInfo(text_)) {
      record.info = std::move(*info);
    } else {
      failures_.addUnparsable(infoSubject(name), pid_, info.error());
    }
    return 0;
  }

  /// Keeps the text that was read last if it can't be made again of the record.
  void keepInfo(const std::string& name, const FdRecord& record) {
    if (!texts_.keeps(TextContent::Paths)) return;
    made_.clear();
    if (record.info) formatFdInfo(*record.info, made_);
    if (made_ != text_) texts_.keep(infoSubject(name), text_);
  }

  static bool agree(const FdRecord& record) {
    return record.link.type != LinkType::Socket || !record.info || !record.info->inode ||
           *record.info->inode == record.link.number;
  }

  void keepOrReadStatus(const std::string& name, const FdRecord* previous, FdRecord& record) {
    if (previous != nullptr && record.isSameFile(*previous)) {
      record.protocol = previous->protocol;
      record.file_type = previous->file_type;
      record.link_count = previous->link_count;
      record.autopsy = previous->autopsy;
      if (record.link == previous->link) return;
    }
    if (record.link.type != LinkType::Text || !record.link.text.starts_with('/')) return;
    const auto status = ProcSource::fileStatus(links_.get(), name.c_str());
    if (status) {
      record.file_type = status->file_type;
      record.link_count = status->link_count;
    } else if (!isGone(status.error())) {
      failures_.add("statx", fmt::format("{}/fd/{}", pid_, name), pid_, status.error());
    }
  }

  const KnownMounts& mounts_;
  FileHandle links_;
  OrErrno<FileHandle> infos_;
  int32_t pid_;
  TextLog& texts_;
  FailureLog& failures_;
  std::string text_;  ///< of the fdinfo that was read last
  std::string link_;
  std::string made_;
};

bool hasEnded(const ProcSource& source, const ProcessIdentity& identity) {
  const auto process = openProcess(source, identity);
  return !process && process.error() == ESRCH;
}

/// The thread is exiting, or has gone.
bool isExiting(int directory) {
  std::string text;
  if (const int error = ProcSource::readWhole(directory, "stat", text)) return isGone(error);
  const auto stat = parseProcessStat(text);
  return stat && stat->isExiting();
}

ProcessRecord readOpened(const SelectedProcess& process, TextLog& texts, FailureLog& failures) {
  const int32_t pid = process.stat.identity.pid;
  ProcessRecord record{.identity = process.stat.identity};
  ProcessReader reader(process.directory.get(), pid, texts, failures);
  // What is kept is what the record was made of.
  texts.keep(fmt::format("{}/stat", pid), process.stat_text);
  record.parent_pid = process.stat.parent_pid;
  record.comm = process.stat.comm;
  record.status = reader.parse("status", parseProcessStatus);
  record.exe = process.stat.isKernelThread() ? std::nullopt : reader.readLink("exe");
  record.cmdline = reader.read("cmdline");
  record.cgroup = reader.parse("cgroup", parseCgroup);
  readLimits(reader, record);
  const FileHandle files = filesDirectory(process);
  ProcessReader files_reader(files.get(), pid, texts, failures);
  record.netns = readNetns(files_reader, pid, failures);
  for (const char* name : {"io", "wchan", "syscall"})
    reader.keep(name);
  reader.keepEnviron();
  reader.keepMountinfo();
  return record;
}

/// The folders fd and fdinfo, and what they list.
struct FdFolders {
  OrErrno<FileHandle> links, infos;
  OrErrno<std::vector<std::string>> names;
};

/// fd and fdinfo list the same. The kernel makes a cache entry of each name that it lists, and
/// where the links need not be read those of fd would be of no use.
FdFolders openFolders(const KnownMounts& mounts, int directory) {
  FdFolders folders{.links = ProcSource::openToList(directory, "fd"),
                    .infos = ProcSource::openToList(directory, "fdinfo"),
                    .names = tl::unexpected(ENOENT)};
  if (!folders.links) {
    folders.names = tl::unexpected(folders.links.error());
    return folders;
  }
  // Who may not list the one may list the other in some kernels.
  if (mounts.any() && folders.infos) folders.names = ProcSource::namesIn(*folders.infos);
  if (!folders.names) folders.names = ProcSource::namesIn(*folders.links);
  if (!folders.infos) folders.infos = ProcSource::openDirectory(directory, "fdinfo");
  return folders;
}

/// The numbers in a listing; `status` tells whether all of it was understood.
std::vector<int32_t> fdNumbers(const std::vector<std::string>& names, int32_t pid,
                               FailureLog& failures, ReadStatus& status) {
  status = ReadStatus::Whole;
  std::vector<int32_t> fds;
  fds.reserve(names.size());
  for (const std::string& name : names) {
    if (const auto fd = parseFdNumber(name)) {
      fds.push_back(*fd);
    } else {
      failures.addUnparsable(fmt::format("{}/fd", pid), pid, fd.error());
      status = ReadStatus::Incomplete;
    }
  }
  std::sort(fds.begin(), fds.end());
  return fds;
}

}  // namespace

bool FdRecord::isSameFile(const FdRecord& other) const {
  if (link.type == LinkType::Unreadable || other.link.type == LinkType::Unreadable) {
    if (!info || !other.info || !info->inode || !other.info->inode) return true;
    return std::tie(info->inode, info->mount_id, info->flags) ==
           std::tie(other.info->inode, other.info->mount_id, other.info->flags);
  }
  if (link.type != other.link.type || link.number != other.link.number) return false;
  if (link.type != LinkType::Text) return true;
  const bool has_inodes = info && other.info && info->inode && other.info->inode;
  if (!has_inodes) return link.text == other.link.text;
  // A file that is renamed or deleted while it is open has another text and the same inode.
  if (info->inode != other.info->inode || info->mount_id != other.info->mount_id) return false;
  return link.text == other.link.text ||
         (link.text.starts_with('/') && info->flags == other.info->flags);
}

FileHandle filesDirectory(const SelectedProcess& process) {
  const int own = process.directory.get();
  if (process.stat.isExiting()) {
    if (const auto threads = ProcSource::list(own, "task")) {
      for (const std::string& thread : *threads) {
        if (thread == std::to_string(process.stat.identity.pid)) continue;
        auto directory = ProcSource::openDirectory(own, ("task/" + thread).c_str());
        if (directory) return std::move(*directory);
      }
    }
  }
  // To open "." would fail once the process has ended; through a duplicate each read says so
  // itself.
  return FileHandle(fcntl(own, F_DUPFD_CLOEXEC, 0));
}

std::optional<ProcessRecord> readProcess(const ProcSource& source, const ProcessIdentity& identity,
                                         const SelectedProcess* opened, TextLog& texts,
                                         FailureLog& failures) {
  if (opened != nullptr) return readOpened(*opened, texts, failures);
  const auto process = openProcess(source, identity);
  if (process) return readOpened(*process, texts, failures);
  if (process.error() == ESRCH) return {};
  failures.add("open", std::to_string(identity.pid), identity.pid, process.error());
  return ProcessRecord{.identity = identity, .fd_list_status = ReadStatus::Failed};
}

bool readFds(const ProcSource& source, const KnownMounts& mounts, const ProcessRecord* previous,
             ProcessRecord& process, TextLog& texts, FailureLog& failures) {
  const int32_t pid = process.identity.pid;
  process.fd_list_status = ReadStatus::Failed;
  const auto selected = openProcess(source, process.identity);
  if (!selected) {
    if (selected.error() == ESRCH) return false;
    failures.add("open", std::to_string(pid), pid, selected.error());
    return true;
  }
  const FileHandle files = filesDirectory(*selected);
  auto [links, infos, names] = openFolders(mounts, files.get());
  if (!names) {
    if (hasEnded(source, process.identity)) return false;
    failures.add("list", fmt::format("{}/fd", pid), pid, names.error());
    return true;
  }

  const size_t texts_before = texts.mark();
  FdReader reader(mounts, std::move(*links), std::move(infos), pid, texts, failures);
  process.fds.reserve(names->size());
  static const std::vector<FdRecord> kNone;
  const auto& known = previous != nullptr ? previous->fds : kNone;
  auto before = known.begin();
  ReadStatus status = ReadStatus::Whole;
  for (const int32_t fd : fdNumbers(*names, pid, failures, status)) {
    while (before != known.end() && before->fd < fd)
      ++before;
    const bool has_before = before != known.end() && before->fd == fd;
    if (auto record = reader.read(fd, has_before ? &*before : nullptr)) {
      process.fds.push_back(std::move(*record));
    }
  }
  // Asked in this order, so that a process whose exit begins in between is one that ended.
  const bool is_exiting = isExiting(files.get());
  const bool has_ended = is_exiting && hasEnded(source, process.identity);
  if (is_exiting) texts.dropAfter(texts_before);
  if (has_ended) return false;
  if (is_exiting) {
    // The last thread that holds the fds closes them while it still can be listed.
    failures.add(Failure{.operation = "list",
                         .subject = fmt::format("{}/fd", pid),
                         .pid = pid,
                         .error_number = {},
                         .detail = "the thread that was read is exiting"});
    process.fds.clear();
    return true;
  }
  process.fd_list_status = status;
  return true;
}

}  // namespace fdmortem
