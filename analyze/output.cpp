#include "analyze/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <system_error>

#include "analyze/temporary.h"

namespace fdmortem {
namespace {

[[noreturn]] void fail(int error, const std::string& path) {
  throw std::system_error(error == 0 ? EIO : error, std::generic_category(), path);
}

/// 0, or the errno.
int write(const std::string& path, std::string_view bytes) {
  errno = 0;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (file) return 0;
  return errno == 0 ? EIO : errno;
}

/// The rights of the file that it takes the place of. A new one is for its owner alone, as an
/// archive is: it holds command lines and addresses of the host.
mode_t modeFor(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0600;
}

/// A device, a pipe or a link is written to and not replaced.
bool isReplaceable(const std::string& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) return errno == ENOENT;
  return S_ISREG(status.st_mode) && status.st_nlink == 1;
}

}  // namespace

void writeToStdout(std::string_view bytes) {
  errno = 0;
  const bool is_written = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
                          std::fflush(stdout) == 0;
  if (!is_written) fail(errno, "stdout");
}

void writeToFile(const std::string& path, std::string_view bytes) {
  std::string partial = path + ".partial-XXXXXX";
  std::optional<Temporary> temporary;
  int fd = -1;
  if (isReplaceable(path)) {
    const SignalsHeld held;
    fd = mkostemp(partial.data(), O_CLOEXEC);
    if (fd >= 0) temporary.emplace(partial);
  }
  if (fd < 0) {
    // Who may not make files there may still write to this one.
    if (const int error = write(path, bytes)) fail(error, path);
    return;
  }
  fchmod(fd, modeFor(path));
  close(fd);
  int error = write(partial, bytes);
  if (error == 0 && rename(partial.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) fail(error, path);
}

}  // namespace fdmortem
