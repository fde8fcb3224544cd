#include "capture/collect/known_mounts.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include <fmt/core.h>

#include "schema/file_handle.h"
#include "schema/readers/fd.h"

namespace fdmortem {
namespace {

/// The mount of our own descriptor, if its link is `type` and the inode number of its fdinfo.
std::optional<int32_t> mountOf(const ProcSource& source, int fd, LinkType type) {
  std::string text;
  if (ProcSource::readLink(source.root(), fmt::format("self/fd/{}", fd).c_str(), text) != 0) {
    return {};
  }
  const FdLink link = parseFdLink(text);
  if (ProcSource::readWhole(source.root(), fmt::format("self/fdinfo/{}", fd).c_str(), text) != 0) {
    return {};
  }
  const auto info = parseFdInfo(text);
  if (!info || link.type != type || info->inode != link.number) return {};
  return info->mount_id;
}

/// Where making a socket is forbidden, as to the service, standard error mostly is one.
std::optional<int32_t> mountOfSockets(const ProcSource& source) {
  for (const int fd : {STDERR_FILENO, STDOUT_FILENO, STDIN_FILENO}) {
    struct stat status {};
    if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode)) continue;
    if (const auto mount = mountOf(source, fd, LinkType::Socket)) return mount;
  }
  const FileHandle socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket ? mountOf(source, socket.get(), LinkType::Socket) : std::nullopt;
}

std::optional<int32_t> mountOfPipes(const ProcSource& source) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const FileHandle reader(ends[0]), writer(ends[1]);
  return mountOf(source, reader.get(), LinkType::Pipe);
}

}  // namespace

KnownMounts::KnownMounts(const ProcSource& source) {
  // A tree that was saved can say anything.
  if (!source.isProcFileSystem()) return;
  sockets_ = mountOfSockets(source);
  pipes_ = mountOfPipes(source);
}

std::optional<FdLink> KnownMounts::linkOf(const FdInfo& info) const {
  if (!info.mount_id || !info.inode) return {};
  if (info.mount_id == sockets_) return FdLink{LinkType::Socket, *info.inode, {}};
  if (info.mount_id == pipes_) return FdLink{LinkType::Pipe, *info.inode, {}};
  return {};
}

}  // namespace fdmortem
