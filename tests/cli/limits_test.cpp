// Limits of open files: changed, and reached.
#include <sys/resource.h>

#include <filesystem>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/demo.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

TEST(Limits, AreFollowed) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) { cue.await(); });
  const auto limit = [&](rlim_t soft, rlim_t hard) {
    const rlimit limits{soft, hard};
    ASSERT_EQ(::prlimit(actor.pid(), RLIMIT_NOFILE, &limits, nullptr), 0);
  };
  limit(256, 512);
  Recording recording(directory.file("f.db"), selectPids({actor.pid()}));
  const int64_t before = recording.awaitSnapshots();
  limit(5, 400);  // as many as it has
  recording.awaitSnapshots();
  limit(100, 400);
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  const Json fds = processOf(analyze({"report", recording.file()}), actor.pid()).at("fds");
  EXPECT_EQ(fds.at("soft_limit"), 100);
  EXPECT_EQ(fds.at("hard_limit"), 400);
  EXPECT_EQ(fds.at("last"), 5);
  EXPECT_EQ(fds.at("peak"), 5);
  const Json spans = query(recording.file(),
                           "SELECT soft, hard, first_snapshot FROM limit_span WHERE resource = "
                           "'Max open files' ORDER BY first_snapshot");
  ASSERT_EQ(spans.size(), 3U) << spans;
  EXPECT_EQ(spans[0].at("soft"), 256);
  EXPECT_EQ(spans[0].at("hard"), 512);
  EXPECT_EQ(spans[1].at("soft"), 5);
  EXPECT_GT(spans[1].at("first_snapshot"), before);
  EXPECT_EQ(spans[2].at("soft"), 100);
  EXPECT_EQ(queryValue(recording.file(), "SELECT limit_changed FROM process_fds"), 1);
  const ProgramResult text = runFdanalyze({"report", recording.file()});
  EXPECT_NE(text.out.find("it was changed while recorded"), std::string::npos) << text.out;
  // It was at its limit for a time.
  const Json finding = findingOf(analyze({"report", recording.file()}), "limit-reached");
  ASSERT_FALSE(finding.is_null());
  EXPECT_TRUE(
      finding.at("title").get<std::string>().starts_with("the limit of 5 open files was reached"));
}

TEST(Limits, StayUnmentionedWhereTheyAreFarAway) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) { cue.await(); });
  const std::string database = directory.file("f.db");
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "2",
                          "-i", "20ms"})
                .status,
            0);
  const Json report = analyze({"report", database});
  // On a busy machine snapshots are missed, which is a finding on the recording.
  for (const Json& finding : report.at("findings")) {
    EXPECT_EQ(finding.at("id"), "recording-gaps") << finding;
  }
  EXPECT_EQ(processOf(report, actor.pid()).at("fds").at("limit_reached_at"), nullptr);
  EXPECT_EQ(queryValue(database, "SELECT limit_changed FROM process_fds"), 0);
}

TEST(Limits, ReachedByConnectionsThatNobodyCanAccept) {
  const TemporaryDirectory directory;
  DemoServer server({"--behaviour", "healthy", "--max-fds", "32"});
  const std::filesystem::directory_iterator open("/proc/" + std::to_string(server.pid()) + "/fd");
  const auto free_count = static_cast<size_t>(32 - std::distance(begin(open), end(open)));
  const size_t waiting_count = 60 - free_count;
  DemoClients clients(server.address());
  clients.begin("open 60");
  ASSERT_TRUE(
      waitFor([&] { return acceptQueueLength(server.pid(), server.port()) == waiting_count; }));
  const std::string database = directory.file("f.db");
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(server.pid()), "-n", "3",
                          "-i", "50ms"})
                .status,
            0);

  const Json report = analyze({"report", database});
  const Json fds = processOf(report, server.pid()).at("fds");
  EXPECT_EQ(fds.at("last"), 32);
  EXPECT_EQ(fds.at("soft_limit"), 32);
  const Json snapshots = analyze({"snapshots", database});
  EXPECT_EQ(fds.at("limit_reached_at"), snapshots.front().at("taken_at"));
  EXPECT_EQ(processOf(report, server.pid()).at("verdicts"),
            Json({{"connected", free_count}, {"listening", 1}}));
  const Json limit = findingOf(report, "limit-reached");
  ASSERT_FALSE(limit.is_null());
  EXPECT_EQ(limit.at("severity"), "critical");
  EXPECT_TRUE(
      limit.at("title").get<std::string>().starts_with("the limit of 32 open files was reached"));
  const Json queue = findingOf(report, "accept-queue");
  ASSERT_FALSE(queue.is_null());
  EXPECT_EQ(queue.at("severity"), "critical");
  EXPECT_EQ(queue.at("title"), std::to_string(waiting_count) +
                                   " connections wait in the accept queue of " + server.address() +
                                   ", and no fd is free");
  // Nobody owns what waits: it must not be taken for anybody's connection.
  EXPECT_EQ(analyze({"sockets", database, "--verdict", "connected"}).size(), free_count);
  EXPECT_EQ(analyze({"outlived", database}), Json::array());
}

}  // namespace
}  // namespace fdmortem::test
