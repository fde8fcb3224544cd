#include "analyze/temporary.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace fdmortem {
namespace {

/// Another thread can make files in a folder while it is removed.
constexpr int kAttempts = 3;
constexpr int kMaximumDepth = 8;
constexpr std::array kSignals = {SIGHUP, SIGINT, SIGPIPE, SIGTERM};

// Only calls that signal-safety(7) allows, and getdents64(2), which is none but a system call. Not
// readdir(3), which allocates.

void removeTree(int parent, const char* name, int depth);

void removeBelow(int folder, int depth) {
  alignas(dirent64) std::array<char, 4096> buffer;
  long bytes = 0;
  while ((bytes = syscall(SYS_getdents64, folder, buffer.data(), buffer.size())) > 0) {
    for (long place = 0; place < bytes;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + place);
      place += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0)
        removeTree(folder, entry->d_name, depth);
    }
  }
}

void removeTree(int parent, const char* name, int depth) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT || depth > kMaximumDepth) return;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return;
    removeBelow(folder, depth + 1);
    close(folder);
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno != ENOTEMPTY) return;
  }
}

}  // namespace

std::atomic<Temporary::Entry*> Temporary::entries{nullptr};

Temporary::Temporary(std::string path) : entry_(new Entry{std::move(path)}) {
  entry_->next = entries;
  while (!entries.compare_exchange_weak(entry_->next, entry_)) {
  }
}

Temporary::~Temporary() {
  removeTree(AT_FDCWD, entry_->path.c_str(), 0);
  entry_->is_there = false;
}

void Temporary::removeAll() {
  for (const Entry* entry = entries; entry != nullptr; entry = entry->next) {
    if (entry->is_there) removeTree(AT_FDCWD, entry->path.c_str(), 0);
  }
}

void Temporary::removeAtSignal(int signal) {
  const int error = errno;
  removeAll();
  // What it does by default is in force again: it comes once this function has returned.
  raise(signal);
  errno = error;
}

SignalsHeld::SignalsHeld() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : kSignals)
    sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

SignalsHeld::~SignalsHeld() {
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void removeTemporariesAtSignals() {
  for (const int number : kSignals) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_DFL) continue;
    action.sa_handler = &Temporary::removeAtSignal;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(number, &action, nullptr);
  }
}

}  // namespace fdmortem
