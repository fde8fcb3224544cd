#include "tests/support/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

#include <net/if.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"

namespace fdmortem::test {

namespace {

void check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

void enterNewNetns() {
  check(::unshare(CLONE_NEWNET), "unshare");
  const FileHandle socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  check(socket.get(), "socket");
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  check(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
}

void enterSmallNetns() {
  enterNewNetns();
  std::ofstream("/proc/sys/net/ipv4/tcp_child_ehash_entries") << 1024;
  enterNewNetns();
}

void joinNetns(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  const FileHandle netns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  check(netns.get(), path.c_str());
  check(::setns(netns.get(), CLONE_NEWNET), "setns");
}

std::optional<std::string> whyNoNetns() {
  Actor actor([](Cue& cue) {
    enterNewNetns();
    cue.tell("done");
  });
  try {
    actor.hear();
    return {};
  } catch (const std::exception& error) {
    return std::string("no network namespace can be made: ") + error.what();
  }
}

}  // namespace fdmortem::test
