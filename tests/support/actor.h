// A process that plays a part which the test wrote: what fdcapture looks at.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "schema/file_handle.h"
#include "tests/support/process.h"

namespace fdmortem::test {

using Json = nlohmann::json;

/// The two ends of a conversation in lines of JSON.
class Channel {
 public:
  Channel(FileHandle input, FileHandle output)
      : input_(std::move(input)), output_(std::move(output)) {}

  void say(const Json& message);
  /// Empty: nothing came in time, or there is nobody any more.
  std::optional<Json> hear(std::chrono::milliseconds deadline);

 private:
  FileHandle input_;
  FileHandle output_;
  std::string text_;
};

/// How a part speaks with the test.
class Cue {
 public:
  explicit Cue(Channel& channel) : channel_(channel) {}

  void tell(const Json& message) { channel_.say(message); }
  /// Waits for the test's next cue; ends the process if there will be none.
  Json await();

 private:
  Channel& channel_;
};

/// A child of the test that runs a function. It has /dev/null as its first three fds, two pipes
/// to the test as the next two, and of the test's other fds only those that it is to keep. It is
/// killed when the test's main thread ends. The test must have one thread when it makes one.
class Actor {
 public:
  using Part = std::function<void(Cue&)>;

  /// Starts the part. What it throws, hear() throws in the test.
  explicit Actor(const Part& part, std::vector<int> kept_fds = {});
  Actor(Actor&&) = delete;
  Actor& operator=(Actor&&) = delete;
  ~Actor() { kill(); }

  /// Also once it has ended.
  pid_t pid() const { return pid_; }

  /// What the part tells next. Throws std::runtime_error if that does not come in time.
  Json hear();
  /// Lets the part go on.
  void cue(const Json& message = "go") { channel_->say(message); }
  /// A cue, and the part's answer.
  Json ask(const Json& message = "go") {
    cue(message);
    return hear();
  }
  /// Lets the part find no further cue, and waits for its end.
  void dismiss();
  void kill();

 private:
  pid_t pid_ = -1;
  bool is_reaped_ = false;
  std::optional<Channel> channel_;
};

}  // namespace fdmortem::test
