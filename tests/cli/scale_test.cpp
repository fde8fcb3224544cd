// As many fds and connections as a busy server has.
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/pair.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

constexpr size_t kServed = 12'500;  // connections of the process that is recorded
constexpr size_t kOthers = 5'494;   // its other fds; with the listener and the actor's five 18,000
constexpr size_t kReset = 5'000;
constexpr rlim_t kFdLimit = 19'900;

void raiseFdLimit() {
  const rlimit limit{kFdLimit, kFdLimit};
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) throw std::runtime_error("setrlimit");
}

/// Connections of a process with itself.
std::vector<Socket> connectPairs(const std::string& ip, size_t count) {
  const Socket listener = listenOn(ip);
  std::vector<Socket> sockets;
  for (size_t i = 0; i < count; ++i) {
    sockets.push_back(connectTo(listener.local()));
    sockets.push_back(listener.accept());
  }
  return sockets;
}

void playServer(Cue& cue) {
  raiseFdLimit();
  const Socket listener = listenOn("127.0.0.1");
  std::vector<FileHandle> others;
  for (size_t i = 0; i < kOthers; ++i)
    others.emplace_back(::eventfd(0, EFD_CLOEXEC));
  cue.tell(listener.local().port());
  const std::vector<Socket> sockets = acceptTimes(listener, kServed);
  cue.tell("accepted");
  cue.await();
}

void playClients(Cue& cue, const Address& server) {
  raiseFdLimit();
  std::vector<Socket> sockets = connectTimes(server, kServed);
  const std::vector<Socket> pairs = connectPairs("127.0.0.2", 3'500);
  cue.tell("connected");
  cue.await();
  for (size_t i = 0; i < kReset; ++i)
    sockets[i].reset();
  cue.tell("reset");
  cue.await();
}

void playOthers(Cue& cue) {
  raiseFdLimit();
  const std::vector<Socket> pairs = connectPairs("127.0.0.3", 9'500);
  cue.tell("connected");
  cue.await();
}

double secondsOf(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST(Scale, OneProcessOf18000FdsBeside50000TcpRows) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < kFdLimit) GTEST_SKIP() << "a process may open too few files here";
  const TemporaryDirectory directory;
  Actor server(playServer);
  const Address address("127.0.0.1", server.hear().get<uint16_t>());
  Actor clients([address](Cue& cue) { playClients(cue, address); });
  Actor others(playOthers);
  server.hear();
  clients.hear();
  others.hear();

  Recording recording(directory.file("f.db"), selectPids({server.pid()}), "1s");
  recording.awaitSnapshots(1);
  clients.ask();
  recording.awaitSnapshots(3);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  const std::string& database = recording.file();

  const Json snapshots =
      query(database,
            "SELECT id, processes_us, fds_us, tables_us, second_look_us, store_us,"
            " (SELECT count(*) FROM inet_span i WHERE net_table = 1 AND"
            "  s.id BETWEEN i.first_snapshot AND i.last_snapshot) AS rows FROM snapshot s");
  for (const Json& row : snapshots)
    std::cout << row.dump() << '\n';
  EXPECT_GE(snapshots.front().at("rows"), 50'000);

  Json report;
  const double report_seconds = secondsOf([&] { report = analyze({"report", database}); });
  std::cout << "archive " << contentOf(database).size() << " bytes, report " << report_seconds
            << " s\n";
  EXPECT_EQ(processOf(report, server.pid()).at("verdicts"),
            Json({{"connected", kServed - kReset}, {"listening", 1}, {"outlived", kReset}}));
  EXPECT_EQ(processOf(report, server.pid()).at("fds").at("first"), 18'000);
  EXPECT_EQ(processOf(report, server.pid()).at("fds").at("last"), 18'000);
  EXPECT_EQ(processOf(report, server.pid()).at("kinds").at("eventfd"), kOthers);
}

constexpr int64_t kDead = 10'000;

void playDead(Cue& cue) {
  raiseFdLimit();
  const Socket listener = listenOn("127.0.0.1");
  std::vector<Socket> dead;
  for (int64_t i = 0; i < kDead; ++i) {
    Pair pair = makePair(listener, "127.0.0.1");
    endByReset(pair);
    dead.push_back(std::move(pair.subject));
  }
  cue.tell("ready");
  cue.await();
}

TEST(Scale, TenThousandDeadSocketsAreAskedOnce) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < kFdLimit) GTEST_SKIP() << "a process may open too few files here";
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor(playDead);
  actor.hear();
  const std::vector<std::string> record = {
      "record", "-o", database, "-p", std::to_string(actor.pid()), "-i", "50ms", "-n"};
  const auto with = [&](const char* count) {
    std::vector<std::string> arguments = record;
    arguments.emplace_back(count);
    return arguments;
  };
  ASSERT_EQ(runFdcapture(with("1")).status, 0);
  EXPECT_EQ(query(database, "SELECT verdict, proof, count(*) AS count FROM sockets GROUP BY 1, 2"),
            Json({{{"verdict", "listening"}, {"proof", nullptr}, {"count", 1}},
                  {{"verdict", "outlived"}, {"proof", "autopsy"}, {"count", kDead}}}));
  // Another recording: in its first snapshot all are asked, in the second none.
  ASSERT_EQ(runFdcapture(with("2")).status, 0);
  EXPECT_EQ(query(database, "SELECT snapshot, count(*) AS count FROM autopsy GROUP BY 1"),
            Json({{{"snapshot", 1}, {"count", kDead}}, {{"snapshot", 2}, {"count", kDead}}}));
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM snapshot"), 3);
}

}  // namespace
}  // namespace fdmortem::test
