// Processes that end, start and start again while they are recorded.
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/demo.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

Json endReasons(const std::string& database) {
  return valuesOf(query(database, "SELECT end_reason FROM recording"), "end_reason");
}

TEST(ProcessEnd, EndsTheRecordingOfItsPid) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    const std::vector<Socket> sockets = connectTimes(address, 5);
    cue.tell(describeAll(sockets));
    cue.await();
  });
  const Json connections = actor.hear();
  std::vector<Socket> peers = acceptTimes(listener, 5);
  Recording recording(directory.file("f.db"), selectPids({actor.pid()}));
  recording.awaitSnapshots();
  peers[0].reset();
  recording.awaitSnapshots(3);
  actor.dismiss();
  EXPECT_EQ(recording.wait(), 0) << recording.errors();

  EXPECT_EQ(endReasons(recording.file()), Json({"the selected processes have ended"}));
  const Json sockets = analyze({"sockets", recording.file()});
  ASSERT_EQ(sockets.size(), 5U);
  EXPECT_EQ(sockets[0].at("verdict"), "outlived");
  EXPECT_EQ(sockets[0].at("inode"), connections[0].at("inode"));
  EXPECT_EQ(rowsWhere(sockets, "verdict", "connected").size(), 4U);
  // No close() was seen: they went with their process.
  EXPECT_EQ(rowsWhere(sockets, "open_at_end", true).size(), 5U);
  const Json report = analyze({"report", recording.file(), "--grace", "1ms"});
  EXPECT_EQ(processOf(report, actor.pid()).at("has_ended"), true);
  EXPECT_EQ(processOf(report, actor.pid()).at("verdicts"),
            Json({{"connected", 4}, {"outlived", 1}}));
  const Json finding = findingOf(report, "outlived-connections");
  ASSERT_FALSE(finding.is_null()) << "what it leaked is not forgotten with it";
  EXPECT_EQ(finding.at("evidence").at(0).at("rows").size(), 1U);
}

TEST(ProcessEnd, LetsTheRecordingOfOthersGoOn) {
  const TemporaryDirectory directory;
  const Actor::Part wait = [](Cue& cue) { cue.await(); };
  Actor first(wait);
  Actor second(wait);
  Recording recording(directory.file("f.db"), selectPids({first.pid(), second.pid()}));
  recording.awaitSnapshots();
  first.dismiss();
  const int64_t last = recording.awaitSnapshots();
  const std::string at_end = std::to_string(last);
  second.dismiss();
  EXPECT_EQ(recording.wait(), 0) << recording.errors();
  const Json processes = query(recording.file(), "SELECT pid, ended_by <= " + at_end +
                                                     " AS had_ended FROM processes ORDER BY pid");
  EXPECT_EQ(processes, Json({{{"pid", first.pid()}, {"had_ended", 1}},
                             {{"pid", second.pid()}, {"had_ended", 0}}}));
}

// A process lives on in its other threads; /proc/PID/fd of such a one is empty.
TEST(ProcessEnd, IsNotTheEndOfItsMainThread) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    const std::vector<Socket> sockets = connectTimes(address, 3);
    cue.tell("ready");
    cue.await();
    std::thread([&cue] {
      cue.tell("the other thread goes on");
      cue.await();
    }).detach();
    ::syscall(SYS_exit, 0);  // of this thread only
  });
  actor.hear();
  Recording recording(directory.file("f.db"), selectPids({actor.pid()}));
  recording.awaitSnapshots();
  actor.ask();
  const int64_t last = recording.awaitSnapshots();
  actor.kill();
  EXPECT_EQ(recording.wait(), 0) << recording.errors();
  const Json snapshots = analyze({"snapshots", recording.file()});
  for (const Json& row : snapshots) {
    if (row.at("snapshot") <= last) {
      EXPECT_EQ(row.at("fds"), 8) << row;
    }
  }
  EXPECT_EQ(analyze({"sockets", recording.file(), "--verdict", "connected"}).size(), 3U);
}

/// A copy of the demo under a name that no other process has.
class ProcessName : public ::testing::Test {
 protected:
  ProcessName() { std::filesystem::copy_file(FDMORTEM_DEMO_PATH, program()); }

  /// Not longer than comm.
  std::string name() const { return "demo-" + std::to_string(::getpid()); }
  std::string program() const { return directory.file(name()); }
  ChildProcess start() const { return startAt("0"); }
  /// A server that listens.
  ChildProcess startAt(const std::string& port) const {
    ChildProcess process({program(), "serve", "--behaviour", "healthy", "--port", port});
    EXPECT_TRUE(process.readLine().value_or("").starts_with("listening on "));
    return process;
  }
  Json pids() const {
    return valuesOf(query(database, "SELECT pid FROM processes WHERE comm = '" + name() + "'"),
                    "pid");
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
};

TEST_F(ProcessName, SelectsWhatStartsLater) {
  Recording recording(database, {"--comm", name()});
  const int64_t none = recording.awaitSnapshots(1);
  const ChildProcess first = start();
  recording.awaitSnapshots();
  const ChildProcess second = start();
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  std::vector<pid_t> expected = {first.pid(), second.pid()};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(pids(), Json(expected));
  const Json snapshots = analyze({"snapshots", database});
  EXPECT_EQ(rowsWhere(snapshots, "snapshot", none)[0].at("processes"), 0);
  EXPECT_EQ(snapshots.back().at("processes"), 2);
  EXPECT_TRUE(findingOf(analyze({"report", database}), "restarted").is_null());
}

TEST_F(ProcessName, FollowsARestart) {
  Recording recording(database, {"--comm", name()});
  recording.awaitSnapshots(1);
  std::optional<ChildProcess> first = start();
  recording.awaitSnapshots();
  const pid_t first_pid = first->pid();
  first.reset();
  recording.awaitSnapshots();
  const ChildProcess second = start();
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  std::vector<pid_t> expected = {first_pid, second.pid()};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(pids(), Json(expected));
  const Json finding = findingOf(analyze({"report", database}), "restarted");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding.at("pid"), first_pid);
  const std::string title = finding.at("title");
  EXPECT_TRUE(title.starts_with(name() + " ended with ")) << title;
  EXPECT_NE(
      title.find(" fds and was started again as pid " + std::to_string(second.pid()) + " with "),
      std::string::npos)
      << title;
  EXPECT_EQ(analyze({"outlived", database}), Json::array());
}

pid_t pidIn(const std::string& path) {
  std::ifstream file(path);
  pid_t pid = 0;
  file >> pid;
  return pid;
}

// The supervisor has the same program as the servers.
TEST_F(ProcessName, FollowsARestartBySupervisor) {
  Recording recording(database, {"--comm", name()});
  recording.awaitSnapshots(1);
  ChildProcess supervisor({program(), "supervise", "--pid-file", directory.file("pid"), "--",
                           "serve", "--behaviour", "healthy", "--ready-file",
                           directory.file("ready")});
  ASSERT_TRUE(supervisor.readLine().has_value());
  const pid_t first = pidIn(directory.file("pid"));
  recording.awaitSnapshots();
  ::kill(first, SIGKILL);
  ASSERT_TRUE(supervisor.readLine().has_value());
  const pid_t second = pidIn(directory.file("pid"));
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  const Json report = analyze({"report", database});
  EXPECT_EQ(processOf(report, first).at("has_ended"), true);
  EXPECT_EQ(processOf(report, second).at("has_ended"), false);
  const Json finding = findingOf(report, "restarted");
  ASSERT_FALSE(finding.is_null());
  EXPECT_EQ(finding.at("pid"), first);
}

// comm is 15 bytes at most, and a process can change it.
TEST(ProcessSelection, MatchesCommOrProgramName) {
  const TemporaryDirectory directory;
  const std::string long_name = "fdmortem-long-" + std::to_string(::getpid());
  std::filesystem::copy_file(FDMORTEM_DEMO_PATH, directory.file(long_name));
  ChildProcess by_program({directory.file(long_name), "serve", "--behaviour", "healthy"});
  ASSERT_TRUE(by_program.readLine().has_value());
  const std::string own_name = "own-" + std::to_string(::getpid());
  Actor by_comm([&](Cue& cue) {
    ::prctl(PR_SET_NAME, own_name.c_str());
    cue.tell("renamed");
    cue.await();
  });
  by_comm.hear();
  const std::string database = directory.file("f.db");
  const ProgramResult result =
      runFdcapture({"record", "-o", database, "-c", long_name, "-c", own_name, "-n", "1"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json pids = valuesOf(query(database, "SELECT pid FROM processes"), "pid");
  EXPECT_TRUE(std::find(pids.begin(), pids.end(), by_program.pid()) != pids.end()) << pids;
  EXPECT_TRUE(std::find(pids.begin(), pids.end(), by_comm.pid()) != pids.end()) << pids;
  EXPECT_EQ(query(database, "SELECT pid FROM processes WHERE exe LIKE '%" + long_name + "'").size(),
            1U);
}

}  // namespace
}  // namespace fdmortem::test
