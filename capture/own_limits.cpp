#include "capture/own_limits.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>

#include <utility>

namespace fdmortem {
namespace {

constexpr size_t kSpareDescriptors = 16;
constexpr int kLargeBlockBytes = 128 << 10;

// The sanitizers' own memory is far more than any limit of use.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCanLimitMemory = false;
#else
constexpr bool kCanLimitMemory = true;
#endif

}  // namespace

bool limitOwnMemory(uint64_t bytes) {
  rlimit limit{};
  if (!kCanLimitMemory || getrlimit(RLIMIT_DATA, &limit) != 0) return false;
  // Large blocks go back when they are freed. Else glibc keeps them in its heap, in pieces that the
  // next snapshot may not fit into (mallopt(3), dynamic threshold).
  mallopt(M_MMAP_THRESHOLD, kLargeBlockBytes);
  if (limit.rlim_cur <= bytes) return true;
  limit.rlim_cur = bytes;
  return setrlimit(RLIMIT_DATA, &limit) == 0;
}

void giveBackFreeMemory() {
  malloc_trim(0);
}

int64_t ownCpuUs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return int64_t{time.tv_sec} * 1'000'000 + time.tv_usec;
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

SpareDescriptors::SpareDescriptors() {
  spares_.reserve(kSpareDescriptors);  // taking them needs no memory then
}

void SpareDescriptors::take() {
  while (spares_.size() < kSpareDescriptors) {
    FileHandle spare(open("/", O_PATH | O_CLOEXEC));
    if (!spare) return;
    spares_.push_back(std::move(spare));
  }
}

}  // namespace fdmortem
