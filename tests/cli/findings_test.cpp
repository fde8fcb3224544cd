// The rules of schema/findings/ on real processes: where each fires, and beside it a case where it
// must not. Others are in outlived_test, limits_test, relations_test and permissions_test; on the
// recorded samples `restarted` fires in one and not in the others. What takes hours or a whole host
// (`host-files`) is only drawn, in tests/sql.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

using Titles = std::set<std::string>;

/// Snapshots that are taken when the test says so, however busy the machine is: each is a recording
/// of its own in one archive.
class Film {
 public:
  explicit Film(pid_t pid) : pid_(pid) {}

  void take(size_t snapshots = 1) {
    for (size_t i = 0; i < snapshots; ++i) {
      const ProgramResult result =
          runFdcapture({"record", "-o", database(), "-p", std::to_string(pid_), "-n", "1"});
      if (result.status != 0) throw std::runtime_error(result.err);
    }
  }
  std::string database() const { return directory_.file("f.db"); }

  /// Of the findings of a rule.
  Titles titles(const std::string& id, const std::string& grace = "30s") const {
    Titles titles;
    for (const Json& finding : rowsWhere(report(grace).at("findings"), "id", id))
      titles.insert(finding.at("title").get<std::string>());
    return titles;
  }
  std::string explanation(const std::string& id, const std::string& grace) const {
    return findingOf(report(grace), id).at("explanation");
  }
  Json report(const std::string& grace = "30s") const {
    return analyze({"report", database(), "--grace", grace});
  }

 private:
  TemporaryDirectory directory_;
  pid_t pid_;
};

bool fires(const Film& film, const std::string& id) {
  return !film.titles(id).empty();
}

// --- kinds of fds that only grow ---

int checked(int fd) {
  if (fd < 0) throw std::system_error(errno, std::generic_category());
  return fd;
}

using Fds = std::vector<FileHandle>;

void openDeletedFile(const std::string& folder, Fds& fds) {
  std::string name = folder + "/XXXXXX";
  fds.emplace_back(checked(mkostemp(name.data(), O_CLOEXEC)));
  unlink(name.c_str());
}

/// One of each kind.
void openKinds(const std::string& folder, Fds& fds) {
  std::array<int, 2> pipe_fds{};
  checked(pipe2(pipe_fds.data(), O_CLOEXEC));
  sigset_t signals;
  sigemptyset(&signals);
  for (const int fd :
       {pipe_fds[0], pipe_fds[1], eventfd(0, EFD_CLOEXEC), epoll_create1(EPOLL_CLOEXEC),
        timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), signalfd(-1, &signals, SFD_CLOEXEC),
        inotify_init1(IN_CLOEXEC), open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
        open("/proc/version", O_RDONLY | O_CLOEXEC),
        static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)),
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)}) {
    fds.emplace_back(checked(fd));
  }
  openDeletedFile(folder, fds);
  fds.emplace_back(checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  checked(listen(fds.back().get(), 1));
}

constexpr int kSteps = 9;

/// At each step one of each kind more; what was there before is kept or closed.
Titles growthOfKinds(bool keeps) {
  const TemporaryDirectory folder;
  Actor actor([&](Cue& cue) {
    Fds fds;
    for (;;) {
      Fds before;
      if (!keeps) before.swap(fds);
      openKinds(folder.path().string(), fds);
      before.clear();
      cue.tell("done");
      cue.await();
    }
  });
  Film film(actor.pid());
  actor.hear();
  film.take();
  for (int step = 1; step < kSteps; ++step) {
    actor.ask();
    film.take();
  }
  return film.titles("kind-growth");
}

TEST(RealFindings, KindsThatOnlyGrow) {
  const Titles titles = growthOfKinds(true);
  for (const std::string what :
       {"eventfds", "eventpolls", "timerfds", "signalfds", "inotify fds", "open directories",
        "files", "deleted files", "pidfds", "sockets that never were connected",
        "sockets of protocol UDP", "listening TCP sockets"}) {
    EXPECT_TRUE(titles.contains(what + " only grow, from 1 to 9")) << what << Json(titles);
  }
  // The two of the actor's channel are pipes too.
  EXPECT_TRUE(titles.contains("pipe fds only grow, from 4 to 20")) << Json(titles);
  EXPECT_EQ(titles.size(), 13U) << Json(titles);
}

TEST(RealFindings, KindsThatComeAndGoDoNotGrow) {
  EXPECT_EQ(growthOfKinds(false), Titles{});
}

// --- connections that only grow ---

/// A client that makes 2 more connections at each step, and keeps or closes those before.
Titles growthOfPool(bool keeps) {
  const Socket listener = listenOn("127.0.0.1");
  const Address address = listener.local();
  Actor client([&](Cue& cue) {
    std::vector<Socket> connections;
    for (;;) {
      if (!keeps) connections.clear();
      for (Socket& socket : connectTimes(address, 2))
        connections.push_back(std::move(socket));
      cue.tell("done");
      cue.await();
    }
  });
  Film film(client.pid());
  std::vector<Socket> accepted;
  for (int step = 0; step < kSteps; ++step) {
    step == 0 ? client.hear() : client.ask();
    for (Socket& socket : acceptTimes(listener, 2))
      accepted.push_back(std::move(socket));
    film.take();
  }
  return film.titles("growing-pool");
}

TEST(RealFindings, APoolThatOnlyGrows) {
  const Titles titles = growthOfPool(true);
  ASSERT_EQ(titles.size(), 1U);
  EXPECT_NE(titles.begin()->find(" only grow, from 2 to 18"), std::string::npos) << Json(titles);
}

TEST(RealFindings, APoolThatIsRenewedDoesNot) {
  EXPECT_EQ(growthOfPool(false), Titles{});
}

/// A server that accepts 2 connections at each step, with keepalive or without.
Titles growthOfIdle(bool has_keepalive) {
  Actor server([&](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    cue.tell(listener.local().port());
    std::vector<Socket> connections;
    for (;;) {
      cue.await();
      for (Socket& socket : acceptTimes(listener, 2)) {
        const int on = has_keepalive ? 1 : 0;
        checked(setsockopt(socket.fd(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on));
        connections.push_back(std::move(socket));
      }
      cue.tell("done");
    }
  });
  const Address address("127.0.0.1", server.hear().get<uint16_t>());
  Film film(server.pid());
  std::vector<Socket> clients;
  for (int step = 0; step < kSteps; ++step) {
    for (Socket& socket : connectTimes(address, 2))
      clients.push_back(std::move(socket));
    server.ask();
    film.take();
  }
  return film.titles("idle-connections");
}

TEST(RealFindings, IdleConnectionsWithoutKeepalive) {
  const Titles titles = growthOfIdle(false);
  ASSERT_EQ(titles.size(), 1U);
  EXPECT_TRUE(titles.begin()->starts_with("connections without keepalive at port "))
      << Json(titles);
}

TEST(RealFindings, ConnectionsWithKeepaliveAreNotIdle) {
  EXPECT_EQ(growthOfIdle(true), Titles{});
}

// --- the shape of the growth ---

/// So many eventfds more in each snapshot.
void growBy(const std::vector<int>& steps, const std::function<void(const Film&)>& look) {
  Actor actor([](Cue& cue) {
    Fds fds;
    for (;;) {
      const int count = cue.await().get<int>();
      for (int i = 0; i < count; ++i)
        fds.emplace_back(checked(eventfd(0, EFD_CLOEXEC)));
      cue.tell("done");
    }
  });
  Film film(actor.pid());
  for (const int step : steps) {
    actor.ask(step);
    film.take();
  }
  look(film);
}

TEST(RealFindings, SteadyGrowth) {
  growBy(std::vector<int>(14, 3), [](const Film& film) {
    EXPECT_TRUE(fires(film, "steady-growth"));
    EXPECT_FALSE(fires(film, "step-growth"));
    EXPECT_FALSE(fires(film, "plateau"));
  });
}

TEST(RealFindings, GrowthInSteps) {
  std::vector<int> steps(27, 0);
  steps[4] = steps[13] = steps[22] = 10;
  growBy(steps, [](const Film& film) {
    EXPECT_EQ(film.titles("step-growth"),
              Titles{"fds grow in 3 steps of about 10 and do not fall again"});
    EXPECT_FALSE(fires(film, "steady-growth"));
    EXPECT_FALSE(fires(film, "plateau"));
  });
}

TEST(RealFindings, APlateau) {
  std::vector<int> steps(16, 0);
  for (size_t i = 1; i < 6; ++i)
    steps[i] = 6;
  growBy(steps, [](const Film& film) {
    const Titles titles = film.titles("plateau");
    ASSERT_EQ(titles.size(), 1U);
    // It has a time in it.
    EXPECT_TRUE(titles.begin()->starts_with("fds grew from 5 to 35 until 20")) << *titles.begin();
    EXPECT_TRUE(
        titles.begin()->ends_with("Z and stand still since: saturation, not a growing leak"))
        << *titles.begin();
    EXPECT_FALSE(fires(film, "steady-growth"));
    EXPECT_FALSE(fires(film, "step-growth"));
    EXPECT_FALSE(fires(film, "kind-growth"));
  });
}

// --- CLOSE_WAIT ---

TEST(RealFindings, CloseWaitWithAndWithoutUnreadBytes) {
  Actor server([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    cue.tell(listener.local().port());
    std::vector<Socket> connections = acceptTimes(listener, 2);
    cue.await();
    for (char byte = 0; recv(connections[0].fd(), &byte, 1, 0) == 1;) {
    }
    cue.tell("read one to its end");
    cue.await();
    connections.clear();
    cue.tell("closed");
    cue.await();
  });
  const auto port = server.hear().get<uint16_t>();
  std::vector<Socket> clients = connectTimes(Address("127.0.0.1", port), 2);
  for (const Socket& client : clients)
    client.send("hello");
  clients.clear();
  ASSERT_TRUE(waitFor([&] { return countInTables(server.pid(), port, kCloseWait) == 2; }));
  server.ask();
  Film film(server.pid());
  film.take(2);
  EXPECT_EQ(film.titles("close-wait", "1ms"),
            Titles{"2 connections stay in CLOSE_WAIT: the peer has ended its side, the program has "
                   "not closed"});
  EXPECT_NE(film.explanation("close-wait", "1ms")
                .find("1 of them has something left to read, up to 6 bytes (the end of the stream "
                      "counts as one), 1 has not."),
            std::string::npos)
      << film.explanation("close-wait", "1ms");
  EXPECT_EQ(film.titles("close-wait"), Titles{}) << "not for longer than 30 s";
  server.ask();
  film.take();
  EXPECT_EQ(film.titles("close-wait", "1ms"), Titles{});
}

// --- connections that the program does not read, or has only shut down ---

/// A server of 8 connections on which something came, that does so with them on a cue, which
/// brings them into this state.
template <class Act>
void serveEight(const Act& act, int state, const std::function<void(const Film&)>& look) {
  constexpr size_t kConnections = 8;
  Actor server([&](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    cue.tell(listener.local().port());
    std::vector<Socket> connections = acceptTimes(listener, kConnections);
    cue.tell("accepted");
    cue.await();
    for (Socket& connection : connections)
      act(connection);
    cue.tell("done");
    cue.await();
  });
  const auto port = server.hear().get<uint16_t>();
  const std::vector<Socket> clients = connectTimes(Address("127.0.0.1", port), kConnections);
  server.hear();
  for (const Socket& client : clients)
    client.send("hello");
  Film film(server.pid());
  film.take(2);
  EXPECT_EQ(film.titles("half-closed", "1ms"), Titles{});
  EXPECT_EQ(film.titles("unread-data", "1ms"),
            Titles{"8 ESTABLISHED connections have data that the program has not read for longer "
                   "than 1 ms"});
  EXPECT_EQ(film.titles("unread-data"), Titles{}) << "not for longer than 30 s";
  server.ask();
  ASSERT_TRUE(waitFor([&] { return countInTables(server.pid(), port, state) == kConnections; }));
  film.take(2);
  look(film);
}

TEST(RealFindings, DataThatTheProgramDoesNotRead) {
  serveEight(
      [](const Socket& connection) {
        std::array<char, 5> bytes{};
        recv(connection.fd(), bytes.data(), bytes.size(), MSG_WAITALL);
      },
      kEstablished,
      [](const Film& film) {
        EXPECT_EQ(film.titles("unread-data", "1ms"), Titles{});
        EXPECT_EQ(film.titles("half-closed", "1ms"), Titles{});
      });
}

TEST(RealFindings, ConnectionsThatAreShutDownAndNotClosed) {
  serveEight(
      [](const Socket& connection) { shutdown(connection.fd(), SHUT_WR); }, kFinWait2,
      [](const Film& film) {
        EXPECT_EQ(film.titles("half-closed", "1ms"),
                  Titles{"8 connections stay in FIN_WAIT2: the program has shut them down "
                         "and not closed them"});
        EXPECT_EQ(film.titles("unread-data", "1ms"), Titles{});
        const Json summary = film.report("1ms").at("summary");
        EXPECT_NE(summary.dump().find("8 connections the program has shut down"), std::string::npos)
            << summary.dump();
        EXPECT_EQ(summary.dump().find("alive"), std::string::npos) << summary.dump();
      });
}

// --- limits ---

TEST(RealFindings, LimitsThatAreNearLowAndChanged) {
  Actor actor([](Cue& cue) { cue.await(); });  // with 5 fds
  const auto limit = [&](rlim_t soft, rlim_t hard) {
    const rlimit limits{soft, hard};
    ASSERT_EQ(prlimit(actor.pid(), RLIMIT_NOFILE, &limits, nullptr), 0);
  };
  limit(7, 7);
  Film roomy(actor.pid());
  roomy.take(2);
  for (const char* id : {"limit-reached", "limit-low", "limit-changed"})
    EXPECT_EQ(roomy.titles(id), Titles{}) << id;

  Film film(actor.pid());
  film.take();
  limit(6, 7);
  film.take();
  ASSERT_EQ(film.titles("limit-reached").size(), 1U);
  EXPECT_TRUE(
      film.titles("limit-reached").begin()->starts_with("5 of 6 allowed open files in use"));
  ASSERT_EQ(film.titles("limit-changed").size(), 1U);
  EXPECT_TRUE(film.titles("limit-changed")
                  .begin()
                  ->starts_with("the soft limit of open files was changed from 7 to 6 at "));
  EXPECT_EQ(film.titles("limit-low"), Titles{});
}

TEST(RealFindings, FdsAboveALoweredLimitLeaveItFree) {
  Actor actor([](Cue& cue) {
    Fds fds;
    for (int i = 0; i < 20; ++i)
      fds.emplace_back(checked(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 100)));
    const rlimit limits{12, 200};
    checked(setrlimit(RLIMIT_NOFILE, &limits));
    cue.tell("lowered");
    cue.await();
    for (int fd = 0; fd >= 0; fd = dup(STDIN_FILENO)) {
    }
    cue.tell("full");
    cue.await();
  });
  actor.hear();
  Film film(actor.pid());
  film.take(2);
  EXPECT_EQ(film.titles("limit-reached"), Titles{}) << "25 fds, and 7 of 12 numbers are free";
  actor.ask();
  film.take();
  ASSERT_EQ(film.titles("limit-reached").size(), 1U);
  EXPECT_TRUE(
      film.titles("limit-reached").begin()->starts_with("the limit of 12 open files was reached "));
}

TEST(RealFindings, ASoftLimitFarBelowTheHardOne) {
  Actor actor([](Cue& cue) {
    const rlimit limits{9, 36};
    checked(setrlimit(RLIMIT_NOFILE, &limits));
    cue.tell("done");
    cue.await();
  });
  actor.hear();
  Film film(actor.pid());
  film.take();
  EXPECT_EQ(film.titles("limit-low"),
            Titles{"the soft limit of 9 open files is far below the hard one of 36, and 55 % of it "
                   "is used"});
  EXPECT_EQ(film.titles("limit-reached"), Titles{});
}

// --- listeners and tables ---

/// A listener on which 3 connections wait, and 2 that were accepted.
void listenAt(const std::string& ip, const std::function<void(const Film&)>& look) {
  Actor server([&](Cue& cue) {
    const Socket listener = listenOn(ip);
    cue.tell(listener.local().port());
    const std::vector<Socket> connections = acceptTimes(listener, 2);
    cue.tell("accepted");
    cue.await();
  });
  const auto port = server.hear().get<uint16_t>();
  const std::vector<Socket> clients = connectTimes(Address("127.0.0.1", port), 5);
  server.hear();
  ASSERT_TRUE(waitFor([&] { return acceptQueueLength(server.pid(), port) == 3; }));
  Film film(server.pid());
  film.take();
  look(film);
}

TEST(RealFindings, AnAcceptQueueWithFreeFdsIsTraffic) {
  listenAt("127.0.0.1", [](const Film& film) {
    EXPECT_EQ(film.report().at("findings"), Json::array());
    EXPECT_EQ(film.report().at("waiting_connections").at(0).at("waiting"), 3);
  });
}

TEST(RealFindings, ClientsInTheAcceptQueueThatHaveGivenUp) {
  Actor server([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    for (int fd = 0; fd < 19; fd = checked(dup(STDIN_FILENO))) {
    }
    cue.tell(listener.local().port());
    cue.await();
  });
  const auto port = server.hear().get<uint16_t>();
  // From outside: a sanitizer in the actor needs fds of its own to go on.
  const rlimit limits{20, 20};
  ASSERT_EQ(prlimit(server.pid(), RLIMIT_NOFILE, &limits, nullptr), 0);
  std::vector<Socket> clients = connectTimes(Address("127.0.0.1", port), 4);
  clients[0].close();
  clients[1].close();
  clients[2].reset();
  ASSERT_TRUE(waitFor([&] { return acceptQueueLength(server.pid(), port) == 4; }));
  Film film(server.pid());
  film.take();
  const std::string explanation = film.explanation("accept-queue", "30s");
  EXPECT_NE(explanation.find("Of 4 the table lists 1 in ESTABLISHED and 2 in CLOSE_WAIT"),
            std::string::npos)
      << explanation;
  EXPECT_NE(explanation.find("The 1 that no table lists was reset"), std::string::npos)
      << explanation;
  EXPECT_EQ(film.report().at("waiting_connections").at(0).at("waiting"), 3);
}

TEST(RealFindings, ConnectionsOfADualStackListenerAreInTcp6Only) {
  listenAt("::", [](const Film& film) {
    EXPECT_EQ(film.titles("tcp6-only"),
              Titles{"2 connections are listed in tcp6 and none in tcp: a grep of /proc/net/tcp "
                     "finds nothing"});
  });
}

// --- sockets of several fds ---

TEST(RealFindings, ALiveSocketThatTwoFdsHoldIsNoFinding) {
  const Socket listener = listenOn("127.0.0.1");
  const Address address = listener.local();
  Actor actor([&](Cue& cue) {
    const Socket socket = connectTo(address);
    const FileHandle copy(fcntl(socket.fd(), F_DUPFD_CLOEXEC, 100));
    cue.tell("done");
    cue.await();
  });
  actor.hear();
  const Socket accepted = listener.accept();
  Film film(actor.pid());
  film.take();
  EXPECT_EQ(queryValue(film.database(), "SELECT count(*) FROM socket_holder"), 2);
  EXPECT_EQ(film.report().at("findings"), Json::array());
}

// --- the recorder ---

TEST(RealFindings, TimeBetweenRecordingsIsAGap) {
  Actor actor([](Cue& cue) { cue.await(); });
  Film film(actor.pid());
  film.take();
  EXPECT_EQ(film.titles("recording-gaps"), Titles{});
  film.take();
  EXPECT_EQ(film.titles("recording-gaps"),
            Titles{"the recording has gaps: 1 pause between recordings"});
}

}  // namespace
}  // namespace fdmortem::test
