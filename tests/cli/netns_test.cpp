// Network namespaces: whose tables tell of a socket is not always where its process lives.
#include "tests/support/netns.h"

#include <sys/socket.h>

#include <array>
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

class NetworkNamespaces : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = whyNoNetns()) GTEST_SKIP() << *reason;
  }

  /// Nothing outlived anything, at no time.
  void expectNothingOutlived() const {
    EXPECT_EQ(query(database, "SELECT * FROM verdict_span WHERE verdict = 'outlived'"),
              Json::array());
    EXPECT_EQ(analyze({"outlived", database}), Json::array());
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
};

/// Connects, and moves to another namespace on a cue.
void playMover(Cue& cue, const Address& address) {
  const std::vector<Socket> sockets = connectTimes(address, 3);
  cue.tell(describeAll(sockets));
  cue.await();
  enterNewNetns();
  cue.tell("moved");
  cue.await();
}

TEST_F(NetworkNamespaces, AMovedProcessKeepsItsConnections) {
  const Socket listener = listenOn("127.0.0.1");
  Actor mover([address = listener.local()](Cue& cue) { playMover(cue, address); });
  const Json connections = mover.hear();
  Recording recording(database, selectPids({mover.pid()}));
  const int64_t before = recording.awaitSnapshots();
  mover.ask();
  const int64_t after = recording.awaitSnapshots(4);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  expectNothingOutlived();
  const auto verdict_at = [&](int64_t snapshot) {
    return valuesOf(
        query(database, "SELECT verdict FROM verdict_span WHERE " + std::to_string(snapshot) +
                            " BETWEEN first_snapshot AND last_snapshot"),
        "verdict");
  };
  EXPECT_EQ(verdict_at(before), Json({"connected", "connected", "connected"}));
  EXPECT_EQ(verdict_at(after), Json({"unlisted", "unlisted", "unlisted"}));
  EXPECT_EQ(query(database, "SELECT DISTINCT inode FROM netns").size(), 2U);
  const Json sockets = analyze({"sockets", database});
  EXPECT_EQ(valuesOf(sockets, "local"), valuesOf(connections, "local"));
  EXPECT_EQ(valuesOf(sockets, "last_state"), Json({"ESTABLISHED", "ESTABLISHED", "ESTABLISHED"}));
  const Json told = findingOf(analyze({"report", database}), "unread-netns");
  ASSERT_FALSE(told.is_null());
  EXPECT_EQ(told.at("severity"), "info");
  EXPECT_EQ(told.at("title"),
            "3 connections that no table lists; the kernel says of their sockets: 3 ESTABLISHED");
}

TEST_F(NetworkNamespaces, AMovedProcessIsSeenThroughANeighbour) {
  const Socket listener = listenOn("127.0.0.1");
  Actor mover([address = listener.local()](Cue& cue) { playMover(cue, address); });
  mover.hear();
  Actor neighbour([](Cue& cue) { cue.await(); });
  std::vector<Socket> peers = acceptTimes(listener, 3);
  Recording recording(database, selectPids({mover.pid(), neighbour.pid()}));
  recording.awaitSnapshots();
  mover.ask();
  recording.awaitSnapshots(3);
  const Json still = [&] {
    const std::string copy = directory.file("copy.db");
    EXPECT_EQ(runFdcapture({"copy", database, copy}).status, 0);
    return analyze({"sockets", copy});
  }();
  EXPECT_EQ(valuesOf(still, "verdict"), Json({"connected", "connected", "connected"}));
  // Its old namespace is still looked at, so the end of a connection is seen there.
  peers[0].reset();
  recording.awaitSnapshots(3);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  const Json sockets = analyze({"sockets", database});
  EXPECT_EQ(valuesOf(sockets, "verdict"), Json({"connected", "connected", "outlived"}));
}

/// Takes a socket and keeps it.
void playTaker(Cue& cue, int unix_socket) {
  enterNewNetns();
  cue.tell("ready");
  const Socket taken(takeFd(unix_socket));
  cue.tell(describe(taken));
  cue.await();
}

/// A process in a namespace of its own, with a socket of the test's namespace.
class PassedSocket : public NetworkNamespaces {
 protected:
  void SetUp() override {
    NetworkNamespaces::SetUp();
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
      throw std::runtime_error("socketpair");
    }
    near = FileHandle(pair[0]);
    far = FileHandle(pair[1]);
  }

  FileHandle near;
  FileHandle far;
};

TEST_F(PassedSocket, IsNeverOutlived) {
  const Socket listener = listenOn("127.0.0.1");
  const Socket client = connectTo(listener.local());
  Socket passed = listener.accept();
  Actor taker([&](Cue& cue) { playTaker(cue, far.get()); }, {far.get()});
  taker.hear();
  Recording recording(database, selectPids({taker.pid()}));
  recording.awaitSnapshots();
  passFd(near.get(), passed.fd());
  passed.close();
  const Json taken = taker.hear();
  recording.awaitSnapshots(3);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  expectNothingOutlived();
  const Json row =
      socketRow(analyze({"sockets", database}), taker.pid(), taken.at("fd").get<int>());
  EXPECT_EQ(row.at("verdict"), "unlisted");
  EXPECT_EQ(row.at("last_state"), nullptr);
}

// Its own namespace is looked at through another process, and then that process ends.
TEST_F(PassedSocket, IsNeverOutlivedThroughANeighboursEnd) {
  const Socket listener = listenOn("127.0.0.1");
  const Socket client = connectTo(listener.local());
  Socket passed = listener.accept();
  Actor neighbour([](Cue& cue) { cue.await(); });
  Actor taker([&](Cue& cue) { playTaker(cue, far.get()); }, {far.get()});
  taker.hear();
  passFd(near.get(), passed.fd());
  passed.close();
  const Json taken = taker.hear();
  Recording recording(database, selectPids({taker.pid(), neighbour.pid()}));
  const int64_t both = recording.awaitSnapshots();
  neighbour.dismiss();
  recording.awaitSnapshots(4);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  expectNothingOutlived();
  EXPECT_EQ(queryValue(database,
                       "SELECT verdict FROM verdict_span v JOIN fd_span f USING (id)"
                       " WHERE socket_inode = " +
                           taken.at("inode").dump() + " AND " + std::to_string(both) +
                           " BETWEEN v.first_snapshot AND v.last_snapshot"),
            "connected");
  const Json row =
      socketRow(analyze({"sockets", database}), taker.pid(), taken.at("fd").get<int>());
  EXPECT_EQ(row.at("verdict"), "unlisted");
  EXPECT_EQ(row.at("last_state"), "ESTABLISHED");
}

}  // namespace
}  // namespace fdmortem::test
