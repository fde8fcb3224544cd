#include "samples/demo_server/end_signals.h"

#include <sys/signalfd.h>

#include <csignal>

#include "samples/demo_server/socket.h"

namespace fdmortem::demo {

FileHandle makeEndSignalFd() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) throwErrno("sigprocmask");
  FileHandle fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) throwErrno("signalfd");
  return fd;
}

}  // namespace fdmortem::demo
