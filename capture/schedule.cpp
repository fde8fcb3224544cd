#include "capture/schedule.h"

#include <algorithm>
#include <numeric>

namespace fdmortem {
namespace {

constexpr int64_t kUnremarkableNs = 100'000'000;

}  // namespace

void Schedule::advance(int64_t now_ns, int64_t earliest_ns) {
  const int64_t next = std::max(slot_ + 1, slotAt(now_ns));
  if (next > slot_ + 1) add(delay_reason::kSlow, next - slot_ - 1);
  slot_ = std::max(next, slotAt(earliest_ns));
  if (slot_ > next) add(delay_reason::kCpuBudget, slot_ - next);
}

void Schedule::wake(int64_t now_ns, const char* reason) {
  const int64_t late_ns = now_ns - dueNs();
  const int64_t missed = std::max<int64_t>(late_ns / interval_ns_, 0);
  slot_ += missed;
  if (missed > 0 || late_ns > std::max(interval_ns_ / 10, kUnremarkableNs)) add(reason, missed);
}

void Schedule::end(int64_t end_ns) {
  const int64_t after = slotAt(end_ns);
  if (end_ns - dueNs() > std::max(interval_ns_ / 10, kUnremarkableNs)) {
    add(delay_reason::kStopped, after - slot_);
  }
  for (Delay& delay : delays_) {
    if (delay.reason != delay_reason::kCpuBudget || slot_ <= after) continue;
    delay.missed -= std::min(delay.missed, slot_ - after);
  }
  slot_ = after;
}

int64_t Schedule::missed() const {
  return std::accumulate(delays_.begin(), delays_.end(), int64_t{0},
                         [](int64_t sum, const Delay& delay) { return sum + delay.missed; });
}

void Schedule::add(const char* reason, int64_t missed) {
  const auto same = std::find_if(delays_.begin(), delays_.end(),
                                 [&](const Delay& delay) { return delay.reason == reason; });
  if (same != delays_.end()) {
    same->missed += missed;
  } else {
    delays_.push_back({.reason = reason, .missed = missed});
  }
}

}  // namespace fdmortem
