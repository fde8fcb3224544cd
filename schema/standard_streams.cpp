#include "schema/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

namespace fdmortem {

void occupyStandardStreams() {
  // Unlike /dev/null the root directory is everywhere. What is opened gets the lowest free number.
  int fd = 0;
  while (fd >= 0 && fd <= STDERR_FILENO)
    fd = open("/", O_PATH | O_CLOEXEC);
  if (fd >= 0) close(fd);
}

}  // namespace fdmortem
