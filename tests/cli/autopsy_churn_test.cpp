// Autopsies of a process whose sockets change while they are asked: none of them may say of a live
// socket that it is dead, nor of a failed connect that it was a connection.
//
// The test is short, and worth to be run long: FDMORTEM_AUTOPSIES=500000 goes on until so many
// autopsies are in the archives (CONTRIBUTING.md, Long tests).
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/netns.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

constexpr int kThreads = 4;
constexpr size_t kAtOnce = 6;  // sockets of a kind that a thread has at a time

struct Churned {
  std::atomic<int64_t> connections{0};
  std::atomic<int64_t> failed_connects{0};
};

void receiveByte(const Socket& socket) {
  char byte = 0;
  if (recv(socket.fd(), &byte, 1, MSG_WAITALL) != 1) {
    throw std::system_error(errno, std::generic_category(), "recv");
  }
}

/// Opens, uses and closes connections, and has connects refused, as fast as it can. Closes every
/// socket before its connection is gone, so that none is ever an fd that outlived its connection.
void churn(const Address& nobody, Churned& churned) {
  const Socket listener = listenOn("127.0.0.1");
  const Address server = listener.local();
  for (;;) {
    std::vector<Socket> clients(kAtOnce);
    for (Socket& client : clients)
      client = Socket(AF_INET, SOCK_STREAM);
    std::vector<Socket> idle;
    for (size_t i = 0; i < kAtOnce; ++i) {
      idle.emplace_back(AF_INET, SOCK_STREAM);
      const Socket& refused = idle.emplace_back(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
      (void)connect(refused.fd(), nobody.get(), nobody.size());
      ++churned.failed_connects;
    }
    // These have been asked while they were new, and now become connections.
    for (const Socket& client : clients)
      client.connect(server);
    std::vector<Socket> accepted = acceptTimes(listener, kAtOnce);
    for (const Socket& client : clients)
      client.send("x");
    for (Socket& socket : accepted) {
      receiveByte(socket);
      socket.close();
    }
    // After the FIN of the other end, and so that no TIME_WAIT is left.
    for (Socket& client : clients)
      client.reset();
    churned.connections += static_cast<int64_t>(kAtOnce);
  }
}

/// The one dead socket among all these: what a recording must not miss either.
void die(const Socket& listener, Socket& dead) {
  Socket peer = connectTo(listener.local());
  dead = listener.accept();
  peer.send("x");
  receiveByte(dead);
  peer.reset();
  char byte = 0;
  if (recv(dead.fd(), &byte, 1, 0) >= 0) throw std::runtime_error("the connection does not end");
}

/// Tells the fd of the dead socket; then, whenever asked, how much was churned.
void playChurner(Cue& cue) {
  const Socket listener = listenOn("127.0.0.1");
  Socket dead;
  die(listener, dead);
  const Socket nobody(AF_INET, SOCK_STREAM);  // bound: nobody else can listen there meanwhile
  nobody.bind(Address("127.0.0.1", 0));
  Churned churned;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back(churn, nobody.local(), std::ref(churned));
  cue.tell(dead.fd());
  for (;;) {
    cue.await();  // ends the process, threads and all, when there will be no other cue
    cue.tell({{"connections", churned.connections.load()},
              {"failed connects", churned.failed_connects.load()}});
  }
}

int64_t wantedAutopsies() {
  const char* text = std::getenv("FDMORTEM_AUTOPSIES");
  return text != nullptr ? std::strtoll(text, nullptr, 10) : 0;
}

/// Which fds ever were called outlived, and what the autopsies of an archive say, by kind. A
/// keyframe repeats them: each counts once.
Json countsOf(const std::string& database) {
  return query(database,
               "SELECT (SELECT json_group_array(DISTINCT fd) FROM verdict_span JOIN fd_span USING "
               "(id)"
               "  WHERE verdict = 'outlived') AS outlived, count(*) AS autopsies, sum(state <> 7) "
               "AS alive,"
               " sum(state = 7 AND remote IS NULL) AS never_connected,"
               " sum(state = 7 AND remote IS NOT NULL AND delivered = 0) AS connect_failed,"
               " sum(state = 7 AND delivered > 0) AS dead"
               " FROM (SELECT DISTINCT inode, asked_at_ns, state, remote, delivered FROM autopsy)")
      .at(0);
}

TEST(Autopsy, CallsNoLiveSocketDead) {
  const int64_t wanted = wantedAutopsies();
  const std::string snapshots = wanted > 0 ? "500" : "50";
  const bool can_have_netns = !whyNoNetns();
  Actor actor([&](Cue& cue) {
    if (can_have_netns) enterSmallNetns();
    playChurner(cue);
  });
  const int dead_fd = actor.hear().get<int>();
  Json sums = Json::object();
  do {
    const TemporaryDirectory directory;
    const std::string database = directory.file("f.db");
    const ProgramResult result =
        runProgram({FDCAPTURE_PATH, "record", "-q", "-o", database, "-p",
                    std::to_string(actor.pid()), "-n", snapshots, "-i", "1ms"},
                   {}, std::chrono::minutes(10));
    ASSERT_EQ(result.status, 0) << result.err;
    kill(actor.pid(), SIGSTOP);  // the analysis is not what is tested
    const Json counts = countsOf(database);
    kill(actor.pid(), SIGCONT);
    ASSERT_EQ(counts.at("outlived"), Json::array({dead_fd}).dump()) << counts;
    ASSERT_EQ(counts.at("dead"), 1);
    for (const auto& [name, count] : counts.items()) {
      if (count.is_number()) sums[name] = sums.value(name, int64_t{0}) + count.get<int64_t>();
    }
    if (wanted > 0) std::cout << sums.dump() << ' ' << actor.ask().dump() << std::endl;
  } while (sums.at("autopsies").get<int64_t>() < wanted);
  EXPECT_GT(sums.at("never_connected"), 0);
  EXPECT_GT(sums.at("connect_failed"), 0);
}

}  // namespace
}  // namespace fdmortem::test
