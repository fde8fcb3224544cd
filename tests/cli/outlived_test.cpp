// What the peer did to a connection, and what is said of the fd that is left.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <ostream>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/demo.h"
#include "tests/support/netns.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

int64_t wallNowNs() {
  using std::chrono::nanoseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<nanoseconds>(now).count();
}

/// Opens as many connections as its first cue says, tells their addresses, and then does what each
/// cue says to the first connections that are left: {"reset": N} or {"close": N}.
void playClients(Cue& cue, const Address& server) {
  std::vector<Socket> sockets = connectTimes(server, cue.await().get<size_t>());
  cue.tell(localsOf(sockets));
  while (true) {
    const Json order = cue.await();
    const bool is_reset = order.contains("reset");
    const auto count = order.at(is_reset ? "reset" : "close").get<std::ptrdiff_t>();
    for (auto i = sockets.begin(); i != sockets.begin() + count; ++i)
      is_reset ? i->reset() : i->close();
    sockets.erase(sockets.begin(), sockets.begin() + count);
    cue.tell("done");
  }
}

/// Tells its port, accepts as many connections as its cue says, tells what they are, and on each
/// later cue, the number N, closes the first N that are left.
void playServer(Cue& cue, const std::string& ip) {
  const Socket listener = listenOn(ip);
  cue.tell(listener.local().port());
  std::vector<Socket> sockets = acceptTimes(listener, cue.await().get<size_t>());
  cue.tell(describeAll(sockets));
  while (true) {
    const auto count = cue.await().get<std::ptrdiff_t>();
    sockets.erase(sockets.begin(), sockets.begin() + count);
    cue.tell("done");
  }
}

struct Transport {
  const char* name;
  const char* server_ip;
  const char* client_ip;
  bool has_own_netns;
};

std::ostream& operator<<(std::ostream& out, const Transport& transport) {
  return out << transport.name;
}

/// A server process with connections, and the process at their other ends.
class Scene {
 public:
  Scene(const Transport& transport, size_t count)
      : server_([&](Cue& cue) {
          if (transport.has_own_netns) enterNewNetns();
          playServer(cue, transport.server_ip);
        }),
        port_(server_.hear().get<uint16_t>()),
        clients_([&](Cue& cue) {
          if (transport.has_own_netns) joinNetns(server_.pid());
          playClients(cue, Address(transport.client_ip, port_));
        }) {
    clients_.cue(count);
    server_.cue(count);
    clients_.hear();
    connections_ = server_.hear();
  }

  pid_t pid() const { return server_.pid(); }
  uint16_t port() const { return port_; }
  /// What describe() says of them, in the order in which they were opened.
  const Json& connections() const { return connections_; }

  /// The peers of the oldest connections reset them.
  void reset(size_t count) {
    const size_t before = countInTables(pid(), port_, kEstablished);
    clients_.ask({{"reset", count}});
    await(kEstablished, before - count);
  }
  /// They close them orderly.
  void close(size_t count) {
    const size_t before = countInTables(pid(), port_, kCloseWait);
    clients_.ask({{"close", count}});
    await(kCloseWait, before + count);
  }
  /// The server closes its oldest sockets.
  void closeAtServer(size_t count) { server_.ask(count); }

 private:
  void await(int state, size_t count) const {
    if (!waitFor([&] { return countInTables(pid(), port_, state) == count; })) {
      throw std::runtime_error("the connections do not get there");
    }
  }

  Actor server_;
  uint16_t port_;
  Actor clients_;
  Json connections_;
};

/// Rows with nothing but the keys of describe().
Json described(const Json& rows) {
  Json result = Json::array();
  for (const Json& row : rows) {
    result.push_back({{"fd", row.at("fd")},
                      {"inode", row.at("inode")},
                      {"local", row.at("local")},
                      {"remote", row.at("remote")}});
  }
  return result;
}

Json firstOf(const Json& array, std::ptrdiff_t count) {
  return Json(std::vector<Json>(array.begin(), array.begin() + count));
}

Json restOf(const Json& array, std::ptrdiff_t count) {
  return Json(std::vector<Json>(array.begin() + count, array.end()));
}

/// The transport, and the proof: of the tables alone, or of the kernel's own word.
class PeerResets : public ::testing::TestWithParam<std::tuple<Transport, const char*>> {};

TEST_P(PeerResets, LeavesExactlyTheseFdsOutlived) {
  const auto& [transport, proof] = GetParam();
  if (const auto reason = whyNoNetns(); transport.has_own_netns && reason) GTEST_SKIP() << *reason;
  const TemporaryDirectory directory;
  Scene scene(transport, 40);
  auto arguments = selectPids({scene.pid()});
  if (proof == std::string("history")) arguments.emplace_back("--no-autopsy");
  Recording recording(directory.file("f.db"), arguments);
  recording.awaitSnapshots();
  const int64_t reset_begin_ns = wallNowNs();
  scene.reset(25);
  const int64_t reset_end_ns = wallNowNs();
  recording.awaitSnapshots(3);  // the first may have begun before all were reset
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  // However long the machine takes.
  const Json outlived = analyze({"outlived", recording.file(), "--grace", "1d"});
  EXPECT_EQ(described(outlived), firstOf(scene.connections(), 25));
  for (const Json& row : outlived) {
    EXPECT_EQ(row.at("pid"), scene.pid());
    EXPECT_EQ(row.at("verdict"), "outlived");
    EXPECT_EQ(row.at("proof"), proof);
    EXPECT_EQ(row.at("last_state"), "ESTABLISHED");
    EXPECT_EQ(row.at("open_at_end"), true);
    EXPECT_EQ(row.at("leak"), false) << "younger than the grace period";
    EXPECT_GT(row.at("outlived_seconds"), 0);
    EXPECT_LT(row.at("connection_last_seen"), row.at("outlived_since"));
    EXPECT_LE(row.at("connection_first_seen"), row.at("connection_last_seen"));
    EXPECT_LT(row.at("outlived_since"), row.at("fd_last_seen"));
  }
  // The snapshot that lists the connections began before the reset was over, and the first without
  // them ended after it had begun.
  const Json bounds =
      query(recording.file(),
            "SELECT DISTINCT a.wall_ns AS last_with, b.wall_ns + 1000 * (b.processes_us + b.fds_us"
            " + b.tables_us + b.second_look_us) AS first_without FROM outlived o"
            " JOIN snapshot a ON a.taken_at = o.connection_last_seen"
            " JOIN snapshot b ON b.taken_at = o.outlived_since");
  EXPECT_FALSE(bounds.empty());
  for (const Json& bound : bounds) {
    EXPECT_LE(bound.at("last_with"), reset_end_ns);
    EXPECT_GE(bound.at("first_without"), reset_begin_ns);
  }

  const Json connected = analyze({"sockets", recording.file(), "--verdict", "connected"});
  EXPECT_EQ(described(connected), restOf(scene.connections(), 25));
  const Json leaks = analyze({"outlived", recording.file(), "--grace", "1ms"});
  EXPECT_EQ(rowsWhere(leaks, "leak", true).size(), 25U);

  const Json report = analyze({"report", recording.file(), "--grace", "1ms"});
  EXPECT_EQ(processOf(report, scene.pid()).at("verdicts"),
            Json({{"connected", 15}, {"listening", 1}, {"outlived", 25}}));
  const Json finding = findingOf(report, "outlived-connections");
  ASSERT_FALSE(finding.is_null());
  EXPECT_TRUE(finding.at("title").get<std::string>().starts_with("25 fds outlived their connect"));
  EXPECT_EQ(finding.at("severity"), "warning") << "the limit is far away";
  EXPECT_EQ(finding.at("evidence").at(0).at("rows").size(), 25U);
}

INSTANTIATE_TEST_SUITE_P(
    Transports, PeerResets,
    ::testing::Combine(::testing::Values(Transport{"Ipv4", "127.0.0.1", "127.0.0.1", false},
                                         Transport{"Ipv6", "::1", "::1", false},
                                         Transport{"V4Mapped", "::", "127.0.0.1", false},
                                         Transport{"Ipv4InNetns", "127.0.0.1", "127.0.0.1", true},
                                         Transport{"Ipv6InNetns", "::1", "::1", true},
                                         Transport{"V4MappedInNetns", "::", "127.0.0.1", true}),
                       ::testing::Values("history", "autopsy")),
    [](const auto& tested) {
      return std::string(std::get<0>(tested.param).name) + "_" + std::get<1>(tested.param);
    });

constexpr Transport kIpv4{"Ipv4", "127.0.0.1", "127.0.0.1", false};

// A handler that is at work for a while does not see the reset, and closes then.
TEST(OneSnapshot, DoesNotTellALeakFromASlowServer) {
  const TemporaryDirectory directory;
  Scene scene(kIpv4, 20);
  scene.reset(15);
  const std::string database = directory.file("f.db");
  ASSERT_EQ(
      runFdcapture({"record", "-o", database, "-p", std::to_string(scene.pid()), "-n", "1"}).status,
      0);
  // Younger than that they are on the slowest machine.
  const Json report = analyze({"report", database, "--grace", "1d"});
  const Json finding = findingOf(report, "outlived-connections");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding.at("severity"), "info");
  EXPECT_EQ(
      finding.at("title"),
      "15 fds outlived their connections, none known for longer than 1 d: a leak, or handlers "
      "that are slow to close");
  EXPECT_TRUE(finding.at("advice").get<std::string>().find("--duration 2d") != std::string::npos)
      << finding.at("advice");
  EXPECT_TRUE(report.at("summary").at("verdict").get<std::string>().ends_with(
      "a leak, or handlers that are slow to close; one snapshot can't tell which"))
      << report.at("summary");
}

TEST(PeerCloses, LeavesCloseWaitUntilTheServerCloses) {
  const TemporaryDirectory directory;
  Scene scene(kIpv4, 12);
  Recording recording(directory.file("f.db"), selectPids({scene.pid()}));
  recording.awaitSnapshots();
  scene.close(8);
  const int64_t closed_by_peers = recording.awaitSnapshots();
  scene.closeAtServer(5);
  const int64_t closed = recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  const Json sockets = analyze({"sockets", recording.file()});
  EXPECT_EQ(analyze({"outlived", recording.file()}), Json::array());
  const Json peer_closed = rowsWhere(sockets, "verdict", "peer-closed");
  const Json still_open = rowsWhere(peer_closed, "open_at_end", true);
  EXPECT_EQ(described(still_open), restOf(firstOf(scene.connections(), 8), 5));
  for (const Json& row : still_open) {
    EXPECT_EQ(row.at("last_state"), "CLOSE_WAIT");
    EXPECT_EQ(row.at("outlived_seconds"), nullptr);
    EXPECT_LT(row.at("connection_first_seen"), row.at("connection_last_seen"));
  }
  EXPECT_EQ(described(rowsWhere(sockets, "verdict", "connected")), restOf(scene.connections(), 8));
  // While all eight were open.
  const Json then = query(recording.file(),
                          "SELECT verdict, count(*) AS count FROM verdict_span WHERE " +
                              std::to_string(closed_by_peers) +
                              " BETWEEN first_snapshot AND last_snapshot GROUP BY 1 ORDER BY 1");
  EXPECT_EQ(then, Json::parse(R"([{"verdict": "connected", "count": 4},
      {"verdict": "listening", "count": 1}, {"verdict": "peer-closed", "count": 8}])"));
  const Json diff =
      analyze({"diff", recording.file(), std::to_string(closed_by_peers), std::to_string(closed)});
  EXPECT_EQ(valuesOf(diff, "fd"), valuesOf(firstOf(scene.connections(), 5), "fd"));
  EXPECT_EQ(rowsWhere(diff, "change", "closed").size(), 5U);
  EXPECT_EQ(rowsWhere(diff, "after", nullptr).size(), 5U);
}

TEST(PeerCloses, IsFoundAfterTheGracePeriod) {
  const TemporaryDirectory directory;
  Scene scene(kIpv4, 4);
  Recording recording(directory.file("f.db"), selectPids({scene.pid()}));
  recording.awaitSnapshots();
  scene.close(3);
  recording.awaitSnapshots(3);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  const Json finding =
      findingOf(analyze({"report", recording.file(), "--grace", "50ms"}), "close-wait");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding.at("pid"), scene.pid());
  EXPECT_EQ(finding.at("evidence").at(0).at("rows").size(), 3U);
  EXPECT_TRUE(findingOf(analyze({"report", recording.file()}), "close-wait").is_null());
}

TEST(SharedSockets, OutliveInEachProcessThatHoldsThem) {
  const TemporaryDirectory directory;
  std::unique_ptr<Actor> child;
  const Socket listener = listenOn("127.0.0.1");
  std::vector<Socket> clients = connectTimes(listener.local(), 3);
  std::vector<Socket> accepted = acceptTimes(listener, 3);
  const Json connections = describeAll(accepted);
  const std::vector<int> fds = {accepted[0].fd(), accepted[1].fd(), accepted[2].fd()};
  Actor parent([](Cue& cue) { cue.await(); }, fds);
  child = std::make_unique<Actor>([](Cue& cue) { cue.await(); }, fds);
  accepted.clear();

  auto arguments = selectPids({parent.pid(), child->pid()});
  arguments.emplace_back("--no-autopsy");
  Recording recording(directory.file("f.db"), arguments);
  recording.awaitSnapshots();
  for (size_t i : {0U, 1U})
    clients[i].reset();
  recording.awaitSnapshots();
  parent.dismiss();
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  const Json outlived = analyze({"outlived", recording.file()});
  const Json of_parent = rowsWhere(outlived, "pid", parent.pid());
  const Json of_child = rowsWhere(outlived, "pid", child->pid());
  EXPECT_EQ(outlived.size(), 4U);
  EXPECT_EQ(described(of_child), firstOf(connections, 2));
  EXPECT_EQ(valuesOf(of_child, "proof"), Json({"history", "history"}));
  EXPECT_EQ(valuesOf(of_child, "open_at_end"), Json({true, true}));
  const Json connected = analyze({"sockets", recording.file(), "--verdict", "connected"});
  EXPECT_EQ(described(rowsWhere(connected, "pid", child->pid())), restOf(connections, 2));
}

// The processes share more than an inode: after fork() the fd is open once, in both.
TEST(SharedSockets, AreNotLostWithTheParent) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Socket client = connectTo(listener.local());
  std::optional<Socket> accepted = listener.accept();
  const int fd = accepted->fd();
  Actor parent([](Cue& cue) { cue.await(); }, {fd});
  Actor child([](Cue& cue) { cue.await(); }, {fd});
  accepted.reset();
  Recording recording(directory.file("f.db"), selectPids({parent.pid(), child.pid()}));
  recording.awaitSnapshots();
  parent.dismiss();
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  EXPECT_EQ(analyze({"outlived", recording.file()}), Json::array());
  const Json row =
      socketRow(analyze({"sockets", recording.file(), "--pid", std::to_string(child.pid())}),
                child.pid(), fd);
  EXPECT_EQ(row.at("verdict"), "connected");
  EXPECT_EQ(row.at("open_at_end"), true);
}

TEST(ProperServer, HasNoLeakHoweverFastItIs) {
  const TemporaryDirectory directory;
  DemoServer server({"--behaviour", "healthy"});
  ChildProcess load({FDMORTEM_DEMO_PATH, "load", "--connect", server.address(), "--mode", "churn",
                     "--duration", "10m"});
  // The connections that it closed stay in the tables for a minute, so the snapshots get longer.
  Recording recording(directory.file("f.db"), selectPids({server.pid()}), "20ms");
  recording.awaitSnapshots(50);
  load.signal(SIGTERM);
  ASSERT_EQ(load.wait(), 0);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  // That an fd is seen between the end of its connection and its close() is no leak.
  const Json outlived = analyze({"outlived", directory.file("f.db")});
  EXPECT_EQ(rowsWhere(outlived, "leak", true), Json::array());
  const Json snapshots = analyze({"snapshots", directory.file("f.db")});
  EXPECT_GE(snapshots.size(), 50U);
  EXPECT_GT(query(directory.file("f.db"),
                  "SELECT DISTINCT inode FROM sockets WHERE verdict <> 'listening'")
                .size(),
            50U)
      << "the load did nothing";
}

TEST(ProperServer, HasNoFdLeftOnceTheLoadIsOver) {
  const TemporaryDirectory directory;
  DemoServer server({"--behaviour", "healthy"});
  Recording recording(directory.file("f.db"), selectPids({server.pid()}), "20ms");
  recording.awaitSnapshots();
  const ProgramResult load = runProgram({FDMORTEM_DEMO_PATH, "load", "--connect", server.address(),
                                         "--mode", "churn", "--connections", "2000"});
  ASSERT_EQ(load.status, 0);
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  const Json sockets = analyze({"sockets", recording.file()});
  EXPECT_EQ(valuesOf(rowsWhere(sockets, "open_at_end", true), "verdict"), Json({"listening"}));
  EXPECT_TRUE(
      findingOf(analyze({"report", recording.file(), "--grace", "100ms"}), "outlived-connections")
          .is_null());
}

}  // namespace
}  // namespace fdmortem::test
