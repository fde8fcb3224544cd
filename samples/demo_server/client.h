// The connections of a load.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "samples/demo_server/socket.h"
#include "schema/file_handle.h"

namespace fdmortem::demo {

/// What becomes of a connection.
enum class Ending {
  Stay,       ///< none: it stays open
  Close,      ///< close()
  Reset,      ///< close() with a RST
  HalfClose,  ///< shutdown(SHUT_WR), then close()
};

/// Connections, each counted at most once in each.
struct Counters {
  uint64_t opened = 0;    ///< connect() succeeded
  uint64_t answered = 0;  ///< all requests were answered
  uint64_t failed = 0;    ///< could not be opened, had no answer in time, or the server ended it
};

/// A request and how its answer is known.
struct Exchange {
  std::string request;
  std::string answer_start;
  std::string answer_end;
};

/// "ping" and "ok".
Exchange lineExchange();
/// Puts a metric to `path` of a Pushgateway, on a connection that stays.
Exchange httpPush(const std::string& path);

/// What each connection of a client does.
struct ClientOptions {
  SocketAddress server;
  std::optional<SocketAddress> source;
  Exchange exchange = lineExchange();
  uint32_t requests = 1;
  std::chrono::milliseconds timeout{5'000};
  Ending ending = Ending::Stay;       ///< to what it comes when its requests are answered
  std::chrono::milliseconds hold{0};  ///< and how long after that
};

/// Many connections to one server, driven by one thread that calls handleEvents().
class Client {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Client(ClientOptions options);

  /// Starts one more connection. What goes wrong is counted, not thrown.
  void open();
  /// Takes what has happened, does not wait. pollFd() is readable when there is something.
  void handleEvents();
  /// Gives up connections that wait for longer than the timeout.
  void giveUpLate();
  /// Ends connections that were held for long enough.
  void endHeld();
  /// Makes connections ask again that have had no request for some time.
  void askAgain();
  /// Ends the `count` oldest.
  void endOldest(size_t count, Ending ending);

  int pollFd() const { return epoll_.get(); }
  const Counters& counters() const { return counters_; }
  size_t openCount() const { return connections_.size(); }
  /// Connections that wait for an answer. Closed now, they would return it with a RST.
  size_t busyCount() const { return busy_count_; }

 private:
  enum class State {
    Connecting,
    Waiting,  // for one of its first answers
    Idle,
    Asking,  // a connection that stays waits for one more answer
  };

  struct Connection {
    FileHandle fd;
    State state = State::Connecting;
    uint32_t requests_left = 0;
    std::string answer;       // what has come of it
    Clock::time_point since;  // of the state
  };
  using Connections = std::map<uint64_t, Connection>;  // oldest first

  void handleConnection(Connections::iterator connection);
  void finishConnecting(Connections::iterator connection);
  void takeAnswer(Connections::iterator connection);
  void request(Connections::iterator connection, State state);
  void fail(Connections::iterator connection);
  void end(Connections::iterator connection, Ending ending);
  void watch(int operation, const Connection& connection, uint64_t id, uint32_t events) const;

  ClientOptions options_;
  FileHandle epoll_;
  Connections connections_;
  Counters counters_;
  size_t busy_count_ = 0;
  uint64_t next_id_ = 0;
};

}  // namespace fdmortem::demo
