// The command line of fdmortem-demo.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace fdmortem::demo {

/// Never more connections of one load than this, whatever is asked for.
inline constexpr uint32_t kMostConnections = 15'000;

enum class Behaviour {
  Healthy,        ///< closes what the peer closed or reset
  LeakReset,      ///< never closes what the peer reset
  LeakCloseWait,  ///< never closes what the peer closed orderly
};

struct ServeOptions {
  Behaviour behaviour = Behaviour::Healthy;
  std::string bind = "127.0.0.1";
  uint16_t port = 0;       ///< 0: the kernel chooses
  std::string ready_file;  ///< empty: none
  std::optional<uint32_t> max_fds;
  std::optional<uint64_t> fail_after;
};

struct SuperviseOptions {
  std::string pid_file;
  std::string program;                       ///< of the server; empty: the own
  std::vector<std::string> serve_arguments;  ///< from the word "serve" on
  ServeOptions serve;                        ///< what they mean
};

enum class Mode { Churn, Keep, Reset, HalfClose };

struct LoadOptions {
  std::string connect;
  std::optional<std::string> source;     ///< address to connect from
  std::optional<std::string> http_push;  ///< path to PUT a metric to; empty: says lines
  Mode mode = Mode::Keep;
  std::optional<uint32_t> connections;  ///< of Mode::Keep at once, of the others in all
  double rate = 0;                      ///< new connections a second; 0: as fast as it can
  std::chrono::milliseconds duration{10'000};
  std::chrono::milliseconds timeout{5'000};
  std::chrono::milliseconds hold{0};  ///< from a connection's last answer to its end
  uint32_t requests = 1;
  bool step = false;
};

/// What to do; an int: nothing, end with this status (help was printed or the command line is
/// wrong).
using Command = std::variant<int, ServeOptions, SuperviseOptions, LoadOptions>;

/// `arguments` without the program's name.
Command parseCommandLine(const std::vector<std::string>& arguments);

}  // namespace fdmortem::demo
