// What this program makes for a time only.
#pragma once

#include <signal.h>

#include <atomic>
#include <string>

namespace fdmortem {

/// A file, or a folder with all below it, that goes with this object, or when a signal ends the
/// program: see removeTemporariesAtSignals().
class Temporary {
 public:
  /// Of what is there, or will be. Where it is made before, SignalsHeld keeps signals from coming
  /// in between.
  explicit Temporary(std::string path);
  ~Temporary();
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  const std::string& path() const { return entry_->path; }

 private:
  struct Entry {
    std::string path;
    std::atomic<bool> is_there{true};
    Entry* next = nullptr;
  };
  friend void removeTemporariesAtSignals();
  static void removeAll();
  static void removeAtSignal(int signal);

  /// All that ever were. A signal can come at any time, so none is ever freed.
  static std::atomic<Entry*> entries;

  Entry* entry_;
};

/// While it is there, none of the signals of removeTemporariesAtSignals() comes to this thread:
/// they come afterwards.
class SignalsHeld {
 public:
  SignalsHeld();
  ~SignalsHeld();
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_{};
};

/// From now on SIGHUP, SIGINT, SIGPIPE and SIGTERM, those that are not ignored, remove what there
/// is of Temporary before they end the program as they do. What SIGKILL ends leaves it behind.
void removeTemporariesAtSignals();

}  // namespace fdmortem
