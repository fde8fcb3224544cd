#include "capture/messages.h"

#include <poll.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdio>

namespace fdmortem {
namespace {

/// A write that blocks for so long all the same, because others write there too, is broken off.
constexpr int kPatienceUs = 100'000;

/// Interrupts calls that block, again and again, as long as it lives.
class Interrupter {
 public:
  Interrupter() {
    struct sigaction action {};
    action.sa_handler = [](int) {};  // without SA_RESTART: the call fails with EINTR
    sigaction(SIGALRM, &action, &action_before_);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &alarm, &mask_before_);
    arm(kPatienceUs);
  }
  ~Interrupter() {
    arm(0);
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
    sigaction(SIGALRM, &action_before_, nullptr);
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

 private:
  static void arm(suseconds_t us) {
    const timeval time{.tv_sec = 0, .tv_usec = us};
    const itimerval timer{.it_interval = time, .it_value = time};
    setitimer(ITIMER_REAL, &timer, nullptr);
  }

  struct sigaction action_before_ {};
  sigset_t mask_before_{};
};

}  // namespace

bool writeUnlessBlocked(int fd, std::string_view text, int wait_ms) {
  while (!text.empty()) {
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, wait_ms) != 1) return false;
    // A pipe that has room has it for PIPE_BUF bytes.
    const std::string_view piece = text.substr(0, PIPE_BUF);
    const Interrupter interrupter;
    const ssize_t length = ::write(fd, piece.data(), piece.size());
    if (length <= 0) return false;
    text.remove_prefix(static_cast<size_t>(length));
  }
  return true;
}

void Messages::write(std::string_view lines) {
  if (lost_ > 0) {
    char text[100];
    const int length = snprintf(
        text, sizeof(text), "fdcapture: %llu messages were lost: nobody read them, or no memory\n",
        static_cast<unsigned long long>(lost_));
    if (!writeUnlessBlocked(STDERR_FILENO, {text, static_cast<size_t>(std::max(length, 0))})) {
      ++lost_;
      return;
    }
    lost_ = 0;
  }
  if (!writeUnlessBlocked(STDERR_FILENO, lines)) ++lost_;
}

void Messages::tryWrite(std::string_view text) {
  writeUnlessBlocked(STDERR_FILENO, text);
}

}  // namespace fdmortem
