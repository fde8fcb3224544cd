// What the kernel still says of a socket whose connection is gone.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <ostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schema/time_text.h"
#include "tests/support/actor.h"
#include "tests/support/netns.h"
#include "tests/support/pair.h"
#include "tests/support/recording.h"
#include "tests/support/scene.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

int64_t wallNowNs() {
  using std::chrono::nanoseconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<nanoseconds>(now).count();
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

/// Tells what three dead sockets were: {"quiet", "talked", "fins"}. Then, at a cue, what the
/// program itself is told by its next calls on them.
void playDeadSockets(Cue& cue, const Transport& transport) {
  if (transport.has_own_netns) enterNewNetns();
  const Socket listener = listenOn(transport.server_ip);
  Pair quiet = makePair(listener, transport.client_ip);
  Pair talked = makePair(listener, transport.client_ip);
  Pair fins = makePair(listener, transport.client_ip);
  talked.peer.send(std::string(1000, 'x'));
  receiveAll(talked.subject, 1000);
  talked.subject.send(std::string(500, 'y'));
  receiveAll(talked.peer, 500);
  const int64_t talked_at_ns = wallNowNs();
  Json message = {{"quiet", endByReset(quiet)},
                  {"talked", endByReset(talked)},
                  {"fins", endByFins(fins)},
                  {"talked_at_ns", talked_at_ns}};
  cue.tell(message);
  cue.await();
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(quiet.subject.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
  char byte = 0;
  const ssize_t received = recv(talked.subject.fd(), &byte, 1, 0);
  cue.tell({{"quiet SO_ERROR", error}, {"talked recv", received}, {"talked errno", errno}});
  cue.await();
}

class DeadSockets : public ::testing::TestWithParam<Transport> {};

// The recording begins when all is over: no table ever lists the connections.
TEST_P(DeadSockets, TellWhatTheyWere) {
  if (const auto reason = whyNoNetns(); GetParam().has_own_netns && reason) GTEST_SKIP() << *reason;
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor([](Cue& cue) { playDeadSockets(cue, GetParam()); });
  const Json dead = actor.hear();
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "3",
                          "-i", "20ms"})
                .status,
            0);

  const Json rows = analyze({"outlived", database});
  EXPECT_EQ(rows.size(), 3U);
  for (const char* name : {"quiet", "talked", "fins"}) {
    const Json& was = dead.at(name);
    const Json row = socketRow(rows, actor.pid(), was.at("fd").get<int>());
    EXPECT_EQ(row.at("proof"), "autopsy") << name;
    EXPECT_EQ(row.at("inode"), was.at("inode")) << name;
    EXPECT_EQ(row.at("local"), was.at("local")) << name;
    EXPECT_EQ(row.at("remote"), was.at("remote")) << name;
    EXPECT_EQ(row.at("last_state"), nullptr) << name;
    EXPECT_EQ(row.at("connection_last_seen"), nullptr) << name;
    EXPECT_EQ(row.at("open_at_end"), true) << name;
  }
  const auto row_of = [&](const char* name) {
    return socketRow(rows, actor.pid(), dead.at(name).at("fd").get<int>());
  };
  EXPECT_EQ(row_of("quiet").at("bytes_received"), 0);
  EXPECT_EQ(row_of("quiet").at("bytes_acked"), 0);
  EXPECT_EQ(row_of("quiet").at("last_data_at"), nullptr);
  EXPECT_EQ(row_of("talked").at("bytes_received"), 1000);
  EXPECT_EQ(row_of("talked").at("bytes_acked"), 500);
  const auto last_data = parseTime(row_of("talked").at("last_data_at").get<std::string>());
  ASSERT_TRUE(last_data);
  EXPECT_NEAR(static_cast<double>(*last_data), dead.at("talked_at_ns").get<double>(), kSecondNs);
  // A FIN counts as a byte.
  EXPECT_EQ(row_of("fins").at("bytes_received"), 1);
  EXPECT_EQ(row_of("fins").at("bytes_acked"), 1);
  EXPECT_EQ(row_of("fins").at("last_data_at"), nullptr);

  // Asked once each, in three snapshots.
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM autopsy"), 3);
  // And the program is told of its errors as if nobody had asked.
  const Json errors = actor.ask();
  EXPECT_EQ(errors.at("quiet SO_ERROR"), ECONNRESET);
  EXPECT_EQ(errors.at("talked recv"), -1);
  EXPECT_EQ(errors.at("talked errno"), ECONNRESET);
}

TEST_P(DeadSockets, TellNothingWhenNotAsked) {
  if (const auto reason = whyNoNetns(); GetParam().has_own_netns && reason) GTEST_SKIP() << *reason;
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor([](Cue& cue) { playDeadSockets(cue, GetParam()); });
  actor.hear();
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "1",
                          "--no-autopsy"})
                .status,
            0);
  EXPECT_EQ(analyze({"outlived", database}), Json::array());
  EXPECT_EQ(analyze({"sockets", database, "--verdict", "unlisted"}).size(), 3U);
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM autopsy"), 0);
}

INSTANTIATE_TEST_SUITE_P(Transports, DeadSockets,
                         ::testing::Values(Transport{"Ipv4", "127.0.0.1", "127.0.0.1", false},
                                           Transport{"Ipv6", "::1", "::1", false},
                                           Transport{"V4Mapped", "::", "127.0.0.1", false},
                                           Transport{"Ipv4InNetns", "127.0.0.1", "127.0.0.1", true},
                                           Transport{"V4MappedInNetns", "::", "127.0.0.1", true}),
                         [](const auto& tested) { return tested.param.name; });

TEST(Autopsy, TellsARefusedConnectFromAConnection) {
  const Scene scene([](Cue& cue) {
    const Socket nobody(AF_INET, SOCK_STREAM);  // bound: nobody else can listen there meanwhile
    nobody.bind(Address("127.0.0.1", 0));
    const Socket refused(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    (void)connect(refused.fd(), nobody.local().get(), nobody.local().size());
    awaitEnd(refused);
    cue.tell({{"fd", refused.fd()}, {"remote", nobody.local().text()}});
    cue.await();
  });
  const Json row = socketRow(analyze({"sockets", scene.database()}), scene.pid(),
                             scene.told().at("fd").get<int>());
  EXPECT_EQ(row.at("verdict"), "connect-failed");
  EXPECT_EQ(row.at("remote"), scene.told().at("remote"));
  EXPECT_EQ(row.at("proof"), nullptr);
  EXPECT_EQ(analyze({"outlived", scene.database()}), Json::array());
}

TEST(Autopsy, LeavesOthersThanTcpAlone) {
  const Scene scene([](Cue& cue) {
    const Socket udp(AF_INET, SOCK_DGRAM);
    const Socket unix_socket(AF_UNIX, SOCK_STREAM);
    const Socket listener = listenOn("127.0.0.1");
    const Pair alive = makePair(listener, "127.0.0.1");
    cue.tell("ready");
    cue.await();
  });
  EXPECT_EQ(queryValue(scene.database(), "SELECT count(*) FROM autopsy"), 0);
}

TEST(Autopsy, OneSnapshotTellsTheLeaksHistory) {
  const Scene scene([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    std::vector<Socket> dead;
    for (int i = 0; i < 5; ++i) {
      Pair pair = makePair(listener, "127.0.0.1");
      pair.peer.send("hello");
      receiveAll(pair.subject, 5);
      endByReset(pair);
      dead.push_back(std::move(pair.subject));
    }
    cue.tell(listener.local().port());
    cue.await();
  });
  const Json report = scene.report();
  const Json process = processOf(report, scene.pid());
  EXPECT_EQ(process.at("verdicts").at("outlived"), 5);
  int64_t count = 0;
  for (const Json& bucket : process.at("last_data"))
    count += bucket.at("count").get<int64_t>();
  EXPECT_EQ(count, 5);
  ASSERT_EQ(process.at("peers").size(), 1U);
  EXPECT_EQ(process.at("peers")[0].at("peer"), "127.0.0.1");
  EXPECT_EQ(process.at("peers")[0].at("local_port"), scene.told());
  EXPECT_NE(process.at("peers")[0].at("last_data"), nullptr);
  EXPECT_FALSE(findingOf(report, "outlived-connections").is_null());
}

/// A fork, or whoever is passed the socket, has it when the kernel has long been asked.
TEST(Autopsy, CountsForAnFdThatComesLater) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    Pair pair = makePair(listener, "127.0.0.1");
    endByReset(pair);
    cue.tell(pair.subject.fd());
    cue.await();
    const FileHandle copy(fcntl(pair.subject.fd(), F_DUPFD_CLOEXEC, 100));
    cue.tell(copy.get());
    cue.await();
  });
  const int first = actor.hear().get<int>();
  Recording recording(directory.file("f.db"), {"-p", std::to_string(actor.pid())}, "20ms");
  recording.awaitSnapshots(2);
  const int later = actor.ask().get<int>();
  recording.awaitSnapshots(3);
  EXPECT_EQ(recording.stop(), 0) << recording.errors();
  const Json rows = analyze({"outlived", recording.file()});
  for (const int fd : {first, later})
    EXPECT_EQ(socketRow(rows, actor.pid(), fd).at("proof"), "autopsy") << rows;
  EXPECT_EQ(queryValue(recording.file(), "SELECT count(*) FROM autopsy"), 2);
}

TEST(Autopsy, TellsForgottenFromIgnored) {
  const Scene scene([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    Pair forgotten = makePair(listener, "127.0.0.1");
    Pair ignored = makePair(listener, "127.0.0.1");
    const FileHandle epoll(epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{.events = EPOLLIN, .data = {.fd = ignored.subject.fd()}};
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, ignored.subject.fd(), &event);
    endByReset(forgotten);
    endByReset(ignored);
    cue.tell({{"forgotten", forgotten.subject.fd()},
              {"ignored", ignored.subject.fd()},
              {"epoll", epoll.get()}});
    cue.await();
  });
  const Json rows = analyze({"outlived", scene.database()});
  const auto watched_by = [&](const char* name) {
    return socketRow(rows, scene.pid(), scene.told().at(name).get<int>()).at("watched_by");
  };
  EXPECT_EQ(watched_by("forgotten"), Json::array());
  EXPECT_EQ(watched_by("ignored"), Json::array({scene.told().at("epoll")}));
  const Json finding = findingOf(scene.report(), "outlived-connections");
  EXPECT_NE(finding.at("explanation")
                .get<std::string>()
                .find("1 is watched by no epoll (forgotten), 1 still is (ignored)"),
            std::string::npos)
      << finding;
}

}  // namespace
}  // namespace fdmortem::test
