// Autopsies without the right to them, of processes that end or are traced meanwhile, and of
// sockets that live in another network namespace than their process.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/netns.h"
#include "tests/support/pair.h"
#include "tests/support/recording.h"
#include "tests/support/scene.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

void check(long result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

/// A dead socket, and one that is connected.
struct Sockets {
  Socket listener = listenOn("127.0.0.1");
  Pair dead = makePair(listener, "127.0.0.1");
  Pair alive = makePair(listener, "127.0.0.1");

  Sockets() { endByReset(dead); }
  Json fds() const { return {{"dead", dead.subject.fd()}, {"alive", alive.subject.fd()}}; }
};

void playSockets(Cue& cue) {
  const Sockets sockets;
  for (Json answer = sockets.fds();; answer = "still here") {
    cue.tell(answer);
    cue.await();
  }
}

std::string verdictOf(const std::string& database, pid_t pid, const Json& fd) {
  const Json row = socketRow(analyze({"sockets", database}), pid, fd.get<int>());
  const Json& proof = row.at("proof");
  return row.at("verdict").get<std::string>() +
         (proof.is_null() ? "" : " " + proof.get<std::string>());
}

// --- without the right ---

/// Lets a system call of the calling process, and of its children, fail from now on.
void forbid(unsigned call, unsigned error) {
  std::array<sock_filter, 4> filter = {{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS");
  check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "PR_SET_SECCOMP");
}

/// {status, err} of fdcapture in a process in which pidfd_getfd fails with `error`.
Json recordWithout(unsigned error, const std::vector<std::string>& arguments) {
  Actor recorder([&](Cue& cue) {
    forbid(SYS_pidfd_getfd, error);
    const ProgramResult result = runFdcapture(arguments);
    cue.tell({{"status", result.status}, {"err", result.err}});
  });
  return recorder.hear();
}

class ForbiddenAutopsy : public ::testing::TestWithParam<int> {};

// As with the Yama module, or in an old kernel.
TEST_P(ForbiddenAutopsy, IsAFailureAndEverythingElseGoesOn) {
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor first(playSockets), second(playSockets);
  const Json fds = first.hear();
  second.hear();
  const Json result = recordWithout(static_cast<unsigned>(GetParam()),
                                    {"record", "-o", database, "-p", std::to_string(first.pid()),
                                     "-p", std::to_string(second.pid()), "-n", "2", "-i", "20ms"});
  EXPECT_EQ(result.at("status"), 3) << result;
  EXPECT_NE(result.at("err").get<std::string>().find("/fd/" + fds.at("dead").dump() +
                                                     ": pidfd_getfd: " + strerror(GetParam())),
            std::string::npos)
      << result;
  const Json failures =
      query(database, "SELECT snapshot, operation, errno, count FROM failure ORDER BY snapshot");
  // A right is one of each process, a kernel is the same for all.
  ASSERT_EQ(failures.size(), GetParam() == ENOSYS ? 2U : 4U) << failures.dump(1);
  for (const Json& failure : failures) {
    EXPECT_EQ(failure.at("operation"), "pidfd_getfd");
    EXPECT_EQ(failure.at("errno"), GetParam());
    EXPECT_EQ(failure.at("count"), 1);
  }
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM autopsy"), 0);
  EXPECT_EQ(verdictOf(database, first.pid(), fds.at("dead")), "unlisted");
  EXPECT_EQ(verdictOf(database, first.pid(), fds.at("alive")), "connected");
  EXPECT_EQ(queryValue(database, "SELECT count(*) FROM _tcp_read"), 2) << "the tables were read";
}

INSTANTIATE_TEST_SUITE_P(Errors, ForbiddenAutopsy, ::testing::Values(EPERM, ENOSYS),
                         [](const auto& tested) {
                           return tested.param == EPERM ? "Right" : "Kernel";
                         });

// --- of processes to which something else happens ---

TEST(AutopsyOf, AStoppedProcess) {
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor(playSockets);
  const Json fds = actor.hear();
  check(kill(actor.pid(), SIGSTOP), "kill");
  int status = 0;
  ASSERT_EQ(waitpid(actor.pid(), &status, WUNTRACED), actor.pid());
  ASSERT_TRUE(WIFSTOPPED(status));
  EXPECT_EQ(
      runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "1"}).status,
      0);
  EXPECT_EQ(waitpid(actor.pid(), &status, WCONTINUED | WNOHANG), 0) << "it was let go on";
  check(kill(actor.pid(), SIGCONT), "kill");
  EXPECT_EQ(actor.ask(), "still here");
  EXPECT_EQ(verdictOf(database, actor.pid(), fds.at("dead")), "outlived autopsy");
  EXPECT_EQ(verdictOf(database, actor.pid(), fds.at("alive")), "connected");
}

// Another tracer keeps it, at a stop and in between, and hears nothing of the autopsies.
TEST(AutopsyOf, ATracedProcess) {
  const TemporaryDirectory directory;
  Actor actor(playSockets);
  const Json fds = actor.hear();
  check(ptrace(PTRACE_SEIZE, actor.pid(), nullptr, nullptr), "PTRACE_SEIZE");
  const auto verdict_of = [&](const std::string& name, const char* fd) {
    return verdictOf(directory.file(name), actor.pid(), fds.at(fd));
  };
  const auto record = [&](const std::string& name) {
    const ProgramResult result = runFdcapture(
        {"record", "-o", directory.file(name), "-p", std::to_string(actor.pid()), "-n", "1"});
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(verdict_of(name, "dead"), "outlived autopsy") << name;
    EXPECT_EQ(verdict_of(name, "alive"), "connected") << name;
    std::ifstream file("/proc/" + std::to_string(actor.pid()) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("TracerPid:")) continue;
      EXPECT_EQ(line, "TracerPid:\t" + std::to_string(getpid()));
    }
  };
  int status = 0;
  record("running.db");
  EXPECT_EQ(waitpid(actor.pid(), &status, WNOHANG), 0) << "it stopped";
  check(ptrace(PTRACE_INTERRUPT, actor.pid(), nullptr, nullptr), "PTRACE_INTERRUPT");
  ASSERT_EQ(waitpid(actor.pid(), &status, 0), actor.pid());
  record("stopped.db");
  EXPECT_EQ(waitpid(actor.pid(), &status, WNOHANG), 0) << "something happened to it";
  check(ptrace(PTRACE_DETACH, actor.pid(), nullptr, nullptr), "PTRACE_DETACH");
  EXPECT_EQ(actor.ask(), "still here");
}

/// A process that has a live and two dead sockets for `life`, closes one and ends. The dead ones
/// are those with the address 127.0.0.3.
[[noreturn]] void liveShortly(std::chrono::milliseconds life) {
  const Socket listener = listenOn("127.0.0.2");
  const Socket dying = listenOn("127.0.0.3");
  [[maybe_unused]] const Pair alive = makePair(listener, "127.0.0.2");
  Pair first = makePair(dying, "127.0.0.3");
  Pair second = makePair(dying, "127.0.0.3");
  endByReset(first);
  endByReset(second);
  std::this_thread::sleep_for(life);
  first.subject.close();
  _exit(0);
}

/// Has such children without end, some at a time: half of them end at once, the others live long
/// enough to be met by the slowest recorder.
void playShortLives(Cue& cue, const std::string& name) {
  prctl(PR_SET_NAME, name.c_str());
  const pid_t parent = getpid();
  cue.tell("ready");
  for (int i = 0;; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(1);
      liveShortly(std::chrono::milliseconds(i % 2 == 0 ? 0 : i * 37 % 400));
    }
    if (i >= 7) waitpid(-1, nullptr, 0);
  }
}

TEST(AutopsyOf, ProcessesThatEnd) {
  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  const std::string name = "short" + std::to_string(getpid());
  const bool can_have_netns = !whyNoNetns();
  Actor actor([&](Cue& cue) {
    if (can_have_netns) enterSmallNetns();
    playShortLives(cue, name);
  });
  actor.hear();
  const ProgramResult result =
      runFdcapture({"record", "-o", database, "--comm", name, "-n", "100", "-i", "1ms"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(query(database, "SELECT * FROM failure"), Json::array()) << "an end is no failure";
  EXPECT_GT(queryValue(database, "SELECT count(*) FROM processes"), 1);
  EXPECT_EQ(query(database,
                  "SELECT * FROM verdict_span WHERE verdict = 'outlived' AND"
                  " coalesce(local, '') NOT LIKE '127.0.0.3:%'"),
            Json::array());
}

// --- of sockets of another namespace ---

class ForeignSocket : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = whyNoNetns()) GTEST_SKIP() << *reason;
  }

  /// The only row of `sockets` with that fd.
  Json row(const Actor& actor, const Json& fd) const {
    return socketRow(analyze({"sockets", database}), actor.pid(), fd.get<int>());
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
};

Json ownNetns() {
  struct stat status {};
  check(stat("/proc/self/ns/net", &status), "/proc/self/ns/net");
  return status.st_ino;
}

/// Leaves the namespace in which its sockets are; later, at a cue, disconnects and connects the
/// dead one anew there.
void playLeaver(Cue& cue) {
  const Sockets sockets;
  Json message = sockets.fds();
  message["netns"] = ownNetns();
  enterNewNetns();
  cue.tell(message);
  cue.await();
  const sockaddr nowhere{.sa_family = AF_UNSPEC, .sa_data = {}};
  check(connect(sockets.dead.subject.fd(), &nowhere, sizeof nowhere), "disconnect");
  sockets.dead.subject.connect(sockets.listener.local());
  cue.tell("connected");
  cue.await();
}

// Nobody who is recorded lives in its namespace.
TEST_F(ForeignSocket, OfAProcessThatMoved) {
  Actor actor(playLeaver);
  const Json told = actor.hear();
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "3",
                          "-i", "50ms"})
                .status,
            0);
  const Json dead = row(actor, told.at("dead"));
  EXPECT_EQ(dead.at("verdict"), "outlived");
  EXPECT_EQ(dead.at("proof"), "autopsy");
  EXPECT_EQ(dead.at("netns"), told.at("netns"));
  EXPECT_GT(dead.at("outlived_seconds"), 0);
  EXPECT_EQ(
      queryValue(database, "SELECT count(*) FROM autopsy WHERE fd = " + told.at("dead").dump() +
                               " AND netns_inode = " + told.at("netns").dump()),
      1)
      << "asked three times, and it said the same";
  const Json alive = row(actor, told.at("alive"));
  EXPECT_EQ(alive.at("verdict"), "unlisted");
  EXPECT_EQ(alive.at("netns"), told.at("netns"));
}

// No table that is read would show it.
TEST_F(ForeignSocket, ThatIsConnectedAnew) {
  Actor actor(playLeaver);
  const Json told = actor.hear();
  Recording recording(database, selectPids({actor.pid()}));
  recording.awaitSnapshots();
  actor.ask();
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  EXPECT_EQ(row(actor, told.at("dead")).at("verdict"), "unlisted");
  EXPECT_EQ(analyze({"outlived", database}), Json::array());
}

// It comes from a neighbour, which is recorded too.
TEST_F(ForeignSocket, ThatWasPassedOn) {
  std::array<int, 2> pair{};
  check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), "socketpair");
  const FileHandle near(pair[0]), far(pair[1]);
  Actor taker(
      [&](Cue& cue) {
        enterNewNetns();
        cue.tell(ownNetns());
        const Socket dead(takeFd(far.get())), alive(takeFd(far.get()));
        cue.tell({{"dead", dead.fd()}, {"alive", alive.fd()}});
        cue.await();
      },
      {far.get()});
  taker.hear();
  Actor giver(
      [&](Cue& cue) {
        Sockets sockets;
        passFd(near.get(), sockets.dead.subject.fd());
        passFd(near.get(), sockets.alive.subject.fd());
        sockets.dead.subject.close();
        cue.tell(ownNetns());
        cue.await();
      },
      {near.get()});
  const Json netns = giver.hear();
  const Json told = taker.hear();
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(taker.pid()), "-p",
                          std::to_string(giver.pid()), "-n", "2", "-i", "20ms"})
                .status,
            0);
  const Json dead = row(taker, told.at("dead"));
  EXPECT_EQ(dead.at("proof"), "autopsy");
  EXPECT_EQ(dead.at("netns"), netns);
  const Json alive = row(taker, told.at("alive"));
  EXPECT_EQ(alive.at("verdict"), "connected");
  EXPECT_EQ(alive.at("netns"), netns);
}

// --- of attempts ---

TEST(AutopsyOf, AConnectThatNobodyAnswered) {
  const Scene scene([](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1", 0, 0);
    std::vector<Socket> sockets;
    for (int i = 0; i < 4; ++i) {
      // Once the accept queue is full the kernel drops what asks for a connection.
      const Socket& socket = sockets.emplace_back(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
      const int attempts = 1;
      check(setsockopt(socket.fd(), IPPROTO_TCP, TCP_SYNCNT, &attempts, sizeof attempts), "SYNCNT");
      (void)connect(socket.fd(), listener.local().get(), listener.local().size());
    }
    awaitEnd(sockets.back());
    cue.tell({{"fd", sockets.back().fd()}, {"remote", listener.local().text()}});
    cue.await();
  });
  const Json row = socketRow(analyze({"sockets", scene.database()}), scene.pid(),
                             scene.told().at("fd").get<int>());
  EXPECT_EQ(row.at("verdict"), "connect-failed");
  EXPECT_EQ(row.at("remote"), scene.told().at("remote"));
  EXPECT_EQ(analyze({"outlived", scene.database()}), Json::array());
}

}  // namespace
}  // namespace fdmortem::test
