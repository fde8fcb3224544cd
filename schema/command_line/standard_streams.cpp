#include "schema/command_line/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <system_error>

namespace fdmortem {

void occupyStandardStreams() {
  // Unlike /dev/null the root directory is everywhere. What is opened gets the lowest free number.
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO)
    fd = open("/", O_PATH | O_CLOEXEC);
  if (fd >= 0) close(fd);
}

void finishStandardOutput() {
  if (std::fflush(stdout) != 0) {
    throw std::system_error(errno, std::generic_category(), "standard output");
  }
  if (std::ferror(stdout) != 0) {  // before this call: why, nobody knows any more
    throw std::runtime_error("standard output: not all could be written");
  }
}

}  // namespace fdmortem
