// Real processes for tests.
//
// Nothing here sleeps in order to be right: everything waits for a condition, until a deadline.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/file_handle.h"

namespace fdmortem::test {

/// Long enough for a busy machine and a build with sanitizers: who waits for so long has failed.
inline constexpr std::chrono::milliseconds kDeadline{120'000};

/// Asks `condition` again and again, at last once more at the deadline. False: it did not come
/// true.
bool waitFor(const std::function<bool()>& condition,
             std::chrono::milliseconds deadline = kDeadline);

struct SpawnOptions {
  /// Set besides (or instead of) what the test's own environment has.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string directory;  ///< to start in; empty: the test's own
};

/// A process with pipes at stdin, stdout and stderr.
///
/// It has no signals blocked or ignored, no other descriptors than the three, and is killed when
/// the thread that started it ends. Not to be used by two threads at once. A process that writes
/// more than a pipe holds (1 MiB at best) goes on only while the test is in one of write(),
/// readLine(), readErrorLine(), awaitErrorLine() and wait().
class ChildProcess {
 public:
  /// Starts argv[0], looked up in PATH if it has no slash. Throws std::system_error when that
  /// fails. Ignores SIGPIPE in the test from now on.
  explicit ChildProcess(std::vector<std::string> argv, const SpawnOptions& options = {});
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  /// Kills it with SIGKILL if it still runs, and reaps it.
  ~ChildProcess();

  /// Names this process until wait() has returned its status.
  pid_t pid() const { return pid_; }

  /// Writes all of `text` to its stdin. False: it does not read any more, or not in time.
  bool write(std::string_view text, std::chrono::milliseconds deadline = kDeadline);
  /// Lets it find the end of its stdin.
  void closeInput();

  /// The next line of stdout (stderr) without its newline. Empty: none came in time, or there will
  /// be none: a last line without newline is given as it is.
  std::optional<std::string> readLine(std::chrono::milliseconds deadline = kDeadline);
  std::optional<std::string> readErrorLine(std::chrono::milliseconds deadline = kDeadline);
  /// Reads lines of stderr up to the first that holds `text`. False: none came in time, or there
  /// will be none.
  bool awaitErrorLine(std::string_view text, std::chrono::milliseconds deadline = kDeadline);

  /// Sends a signal; nothing happens once it was reaped.
  void signal(int number) const;
  /// Its exit status, or -N when signal N ended it. Empty: it did not end in time.
  std::optional<int> wait(std::chrono::milliseconds deadline = kDeadline);

  /// What it has written so far and was not read by lines. After wait(): all the rest.
  std::string takeOutput() { return output_.take(); }
  std::string takeErrors() { return errors_.take(); }

 private:
  using Clock = std::chrono::steady_clock;

  struct Pipe {
    FileHandle reader;
    FileHandle writer;
  };

  /// What comes out of the process.
  struct Stream {
    FileHandle fd;
    std::string text;

    void drain();
    std::string take() {
      drain();
      return std::exchange(text, {});
    }
  };

  static Pipe makePipe();
  void killAndReap() noexcept;
  void pump(Clock::time_point deadline, int other_fd, short events);
  std::optional<std::string> nextLine(Stream& stream, std::chrono::milliseconds deadline);
  bool hasEnded();

  pid_t pid_ = -1;
  std::optional<int> status_;
  FileHandle process_;  // a pidfd: readable when the process has ended
  FileHandle input_;
  Stream output_;
  Stream errors_;
};

struct ProgramResult {
  int status = 0;  ///< exit status, or -N when signal N ended it
  std::string out;
  std::string err;
};

/// Runs a program to its end with `input` at stdin. Throws std::runtime_error when it does not end
/// in time; it is killed then.
ProgramResult runProgram(std::vector<std::string> argv, std::string_view input = {},
                         std::chrono::milliseconds deadline = kDeadline,
                         const SpawnOptions& options = {});

}  // namespace fdmortem::test
