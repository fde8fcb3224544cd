// A library to be preloaded: allocations of the program fail as if memory had run out.
//
// FDMORTEM_FAIL_ALLOCATIONS=FIRST:COUNT (from 1). At its end the program writes how many
// allocations there were into the file that FDMORTEM_ALLOCATIONS names.
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" {
// The C library's own, under the names that it keeps for this.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);
}

namespace {

std::atomic<uint64_t> allocations{0};
uint64_t first_failing = 0, failing_count = 0;

__attribute__((constructor)) void readEnvironment() {
  const char* text = std::getenv("FDMORTEM_FAIL_ALLOCATIONS");
  unsigned long long first = 0, count = 0;
  if (text == nullptr || std::sscanf(text, "%llu:%llu", &first, &count) != 2) return;
  first_failing = first;
  failing_count = count;
}

__attribute__((destructor)) void writeCount() {
  const char* path = std::getenv("FDMORTEM_ALLOCATIONS");
  std::FILE* file = path != nullptr ? std::fopen(path, "we") : nullptr;
  if (file == nullptr) return;
  std::fprintf(file, "%llu\n", static_cast<unsigned long long>(allocations));
  std::fclose(file);
}

bool fails() {
  const uint64_t number = ++allocations;
  if (first_failing == 0 || number < first_failing || number - first_failing >= failing_count) {
    return false;
  }
  errno = ENOMEM;
  return true;
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  return fails() ? nullptr : __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  return fails() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  return fails() ? nullptr : __libc_realloc(old, size);
}
}
