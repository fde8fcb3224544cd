// A host to measure on, in a network namespace of its own: one process with sockets of which most
// are connected, a part outlived its connections and a part is in CLOSE_WAIT, beside others'
// connections. Or hundreds of ordinary processes.
//
// Says `ready PID ROWS` on stdout. Each line on stdin replaces 1 % of the fds and connections, and
// is answered by `replaced`. Ends with stdin.
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "tests/support/actor.h"
#include "tests/support/netns.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

struct Options {
  size_t fds = 18'000;
  size_t rows = 60'000;  ///< of /proc/net/tcp, about
  size_t processes = 0;  ///< ordinary ones instead of the one with many fds
};

/// What an ordinary process has open, apart from its standard files.
constexpr size_t kOrdinaryFiles = 10;
constexpr size_t kOrdinaryPairs = 2;
/// Connections that are made before they are accepted: less than any backlog.
constexpr size_t kAtOnce = 500;
/// Of one process; the hard limit can be 20,000.
constexpr size_t kMaximumFds = 19'500;

void raiseFdLimit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void awaitEndOf(const Socket& socket) {
  pollfd ended{socket.fd(), POLLRDHUP, 0};
  while (::poll(&ended, 1, -1) < 0 && errno == EINTR) {
  }
}

/// Sockets by what is to become of them, the oldest first.
class Sockets {
 public:
  using Group = std::deque<Socket>;

  /// Does what a cue says: {"do": ..., "what": group, "count": n}.
  void obey(const Json& cue, const Socket& listener, const Address& server) {
    const std::string action = cue.at("do");
    Group& group = groups_[cue.at("what").get<std::string>()];
    const auto count = cue.at("count").get<size_t>();
    const auto newest = group.end() - static_cast<std::ptrdiff_t>(std::min(count, group.size()));
    if (action == "accept") {
      for (size_t i = 0; i < count; ++i)
        group.push_back(listener.accept());
    } else if (action == "connect") {
      for (size_t i = 0; i < count; ++i)
        group.push_back(connectTo(server));
    } else if (action == "drop") {
      for (size_t i = 0; i < count; ++i) {
        group.front().reset();
        group.pop_front();
      }
    } else if (action == "reset newest") {
      std::for_each(newest, group.end(), [](Socket& socket) { socket.reset(); });
      group.erase(newest, group.end());
    } else if (action == "finish newest") {
      std::for_each(newest, group.end(), [](Socket& socket) { ::shutdown(socket.fd(), SHUT_WR); });
    } else if (action == "await newest") {
      std::for_each(newest, group.end(), awaitEndOf);
    }
  }

 private:
  std::map<std::string, Group> groups_;
};

void playServer(Cue& cue) {
  raiseFdLimit();
  enterNewNetns();
  const Socket listener = listenOn("127.0.0.1", 0, 4096);
  Sockets sockets;
  cue.tell(listener.local().port());
  while (true) {
    sockets.obey(cue.await(), listener, {});
    cue.tell("done");
  }
}

void playClients(Cue& cue, pid_t server_pid, const Address& server) {
  raiseFdLimit();
  joinNetns(server_pid);
  Sockets sockets;
  cue.tell("ready");
  while (true) {
    sockets.obey(cue.await(), {}, server);
    cue.tell("done");
  }
}

/// Connections of a process with itself, from port to port on an address of its own.
void playOthers(Cue& cue, pid_t server_pid, const std::string& ip) {
  raiseFdLimit();
  joinNetns(server_pid);
  const Socket listener = listenOn(ip);
  std::deque<Socket> sockets;
  cue.tell("ready");
  while (true) {
    const Json asked = cue.await();
    for (size_t i = 0; i < asked.at("drop"); ++i) {
      for (int end = 0; end < 2; ++end) {
        sockets.front().reset();
        sockets.pop_front();
      }
    }
    for (size_t i = 0; i < asked.at("add"); ++i) {
      sockets.push_back(connectTo(listener.local()));
      sockets.push_back(listener.accept());
    }
    cue.tell("done");
  }
}

/// The server, its clients, and others' connections.
class BusyServer {
 public:
  explicit BusyServer(const Options& options) : options_(options), server_(playServer) {
    const Address address("127.0.0.1", server_.hear().get<uint16_t>());
    const pid_t pid = server_.pid();
    clients_.emplace([pid, address](Cue& cue) { playClients(cue, pid, address); });
    clients_->hear();
    // The actor itself has three standard files, two pipes and the listener.
    constexpr size_t kOwn = 6;
    const size_t connections = options.fds - std::min(kOwn, options.fds);
    counts_ = {{"dead", connections * 5 / 18}, {"close-wait", connections * 2 / 18}};
    counts_["live"] = connections - counts_["dead"] - counts_["close-wait"];
    for (const auto& [what, count] : counts_)
      add(what, count);
    const size_t listed = 1 + 2 * (counts_["live"] + counts_["close-wait"]);
    addOthers(options.rows > listed ? (options.rows - listed) / 2 : 0);
  }

  pid_t pid() const { return server_.pid(); }

  void replace() {
    for (const auto& [what, count] : counts_) {
      const size_t part = count / 100;
      server_.ask({{"do", "drop"}, {"what", what}, {"count", part}});
      if (what != "dead") clients_->ask({{"do", "drop"}, {"what", what}, {"count", part}});
      add(what, part);
    }
    for (Other& other : others_)
      other.actor.ask({{"drop", other.pairs / 100}, {"add", other.pairs / 100}});
  }

 private:
  struct Other {
    Other(const Actor::Part& part, size_t count) : actor(part), pairs(count) {}
    Actor actor;
    size_t pairs;
  };

  void add(const std::string& what, size_t count) {
    while (count > 0) {
      const size_t now = std::min(count, kAtOnce);
      count -= now;
      const auto order = [&](const char* action) {
        return Json{{"do", action}, {"what", what}, {"count", now}};
      };
      clients_->ask(order("connect"));
      server_.ask(order("accept"));
      if (what == "live") continue;
      clients_->ask(order(what == "dead" ? "reset newest" : "finish newest"));
      server_.ask(order("await newest"));
    }
  }

  void addOthers(size_t pairs) {
    constexpr size_t kMostPairs = kMaximumFds / 2 - 10;
    for (int host = 2; pairs > 0; ++host) {
      const size_t now = std::min(pairs, kMostPairs);
      pairs -= now;
      const std::string ip = fmt::format("127.0.0.{}", host);
      const pid_t server = pid();
      others_.emplace_back([server, ip](Cue& cue) { playOthers(cue, server, ip); }, now);
      others_.back().actor.hear();
      others_.back().actor.ask({{"drop", 0}, {"add", now}});
    }
  }

  const Options& options_;
  Actor server_;
  std::optional<Actor> clients_;
  std::map<std::string, size_t> counts_;
  std::list<Other> others_;
};

/// Some files and a few connections with itself.
void playOrdinary(Cue& cue) {
  std::vector<FileHandle> files;
  for (size_t i = 0; i < kOrdinaryFiles; ++i)
    files.emplace_back(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const Socket listener = listenOn("127.0.0.1");
  std::vector<Socket> sockets;
  for (size_t i = 0; i < kOrdinaryPairs; ++i) {
    sockets.push_back(connectTo(listener.local()));
    sockets.push_back(listener.accept());
  }
  cue.tell("ready");
  cue.await();
}

template <class OnLine>
void serve(pid_t pid, const OnLine& on_line) {
  std::cout << "ready " << pid << std::endl;
  std::string line;
  while (std::getline(std::cin, line)) {
    on_line();
    std::cout << "replaced" << std::endl;
  }
}

void run(const Options& options) {
  if (options.processes > 0) {
    enterNewNetns();
    std::list<Actor> actors;
    for (size_t i = 0; i < options.processes; ++i) {
      actors.emplace_back(playOrdinary);
      actors.back().hear();
    }
    serve(actors.front().pid(), [] {});
    return;
  }
  BusyServer server(options);
  serve(server.pid(), [&] { server.replace(); });
}

}  // namespace
}  // namespace fdmortem::test

int main(int argc, char** argv) {
  fdmortem::test::Options options;
  CLI::App app("A host to measure on.");
  app.add_option("--fds", options.fds, "of the process")->check(CLI::Range(20, 19'000));
  app.add_option("--rows", options.rows, "of /proc/net/tcp, about");
  app.add_option("--processes", options.processes, "so many ordinary processes instead");
  CLI11_PARSE(app, argc, argv);
  try {
    fdmortem::test::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_scene: {}\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
