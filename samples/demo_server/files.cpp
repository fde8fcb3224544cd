#include "samples/demo_server/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>

#include <fmt/format.h>

#include "samples/demo_server/socket.h"
#include "schema/file_handle.h"

namespace fdmortem::demo {

void writeFileAtomically(const std::string& path, std::string_view text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  FileHandle fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (fd.get() < 0) throwErrno(temporary);
  const ssize_t written = ::write(fd.get(), text.data(), text.size());
  if (written < 0) throwErrno(temporary);
  if (static_cast<size_t>(written) != text.size()) {
    errno = ENOSPC;  // the only reason for a part of so few bytes
    throwErrno(temporary);
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) throwErrno(path);
}

std::string readFirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace fdmortem::demo
