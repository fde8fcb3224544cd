#include "capture/stop_signals.h"

#include <time.h>

#include <algorithm>
#include <cerrno>

#include "capture/collect/collector.h"

namespace fdmortem {
namespace {

const char* nameOf(int signal) {
  return signal == SIGINT ? "SIGINT" : signal == SIGHUP ? "SIGHUP" : "SIGTERM";
}

}  // namespace

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    // Who started us with a signal ignored, nohup for instance, wants us to outlive it.
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&signals_, number);
  }
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a limit of the size of files is an error of a write
}

const char* StopSignals::waitUntil(int64_t deadline_ns) const {
  while (true) {
    const int64_t left_ns = std::max<int64_t>(deadline_ns - readClocks().boottime_ns, 0);
    // sigtimedwait stands still in suspend, so it must not be asked to wait for long.
    const int64_t slice_ns = std::min<int64_t>(left_ns, 1'000'000'000);
    const timespec slice{.tv_sec = slice_ns / 1'000'000'000, .tv_nsec = slice_ns % 1'000'000'000};
    const int number = sigtimedwait(&signals_, nullptr, &slice);
    if (number > 0) return nameOf(number);
    if (errno == EAGAIN && slice_ns == left_ns) return nullptr;
  }
}

}  // namespace fdmortem
