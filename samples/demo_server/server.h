// The server whose bugs the samples show.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "samples/demo_server/options.h"
#include "samples/demo_server/socket.h"
#include "schema/file_handle.h"

namespace fdmortem::demo {

/// Answers each line with "ok\n". One thread, one epoll instance.
class Server {
 public:
  /// Listens from now on. SIGTERM and SIGINT are blocked: run() takes them.
  explicit Server(const ServeOptions& options);

  SocketAddress address() const { return SocketAddress::localOf(listener_.get()); }

  /// Until SIGTERM or SIGINT (0) or until it fails as it was told to (70).
  int run();

 private:
  using Clock = std::chrono::steady_clock;

  struct Connection {
    FileHandle fd;
    std::string unsent;  // nothing is read before it is sent, so it stays short
  };
  using Connections = std::unordered_map<uint64_t, Connection>;

  void watch(int operation, int fd, uint64_t id, uint32_t events);
  int waitTime() const;
  void acceptSome();
  void pauseListener(int error);
  void resumeListenerWhenDue();
  void addConnection(FileHandle fd);
  void handleConnection(uint64_t id, uint32_t events);
  void readRequests(Connections::iterator connection);
  void sendAnswers(Connections::iterator connection);
  void onEndOfFile(Connections::iterator connection);
  void onError(Connections::iterator connection, int error);
  void closeConnection(Connections::iterator connection);
  void forgetConnection(Connections::iterator connection);

  ServeOptions options_;
  FileHandle epoll_;
  FileHandle signals_;
  FileHandle listener_;
  Connections connections_;
  uint64_t next_id_;
  uint64_t accepted_count_ = 0;
  std::optional<Clock::time_point> listener_resumes_;  // empty: it is not paused
  std::optional<Clock::time_point> last_complaint_;
};

/// The subcommand: listens, tells where, runs.
int serve(const ServeOptions& options);

}  // namespace fdmortem::demo
