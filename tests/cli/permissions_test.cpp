// A recorder without the right to look at everything.
#include <grp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

constexpr uid_t kNobody = 65534;

/// Runs programs as a user without rights, which only root can.
class WithoutRights : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give up its rights";
    // Where the programs were built may be closed to others.
    std::filesystem::copy_file(FDCAPTURE_PATH, directory.file("fdcapture"));
    ::chmod(directory.path().c_str(), 0777);
  }

  ProgramResult runAsNobody(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {"setpriv", "--reuid", std::to_string(kNobody), "--regid",
                      std::to_string(kNobody), "--clear-groups", directory.file("fdcapture")});
    return runProgram(arguments);
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
};

void becomeNobody() {
  if (::setgroups(0, nullptr) != 0 || ::setgid(kNobody) != 0 || ::setuid(kNobody) != 0) {
    throw std::runtime_error("setuid");
  }
  ::prctl(PR_SET_DUMPABLE, 1);  // else its /proc files belong to root
}

TEST_F(WithoutRights, TheOtherProcessIsRecordedAndTheGapNamed) {
  const Actor::Part part = [](Cue& cue) {
    const Socket listener = listenOn("127.0.0.1");
    cue.tell("ready");
    cue.await();
  };
  Actor of_root(part);
  Actor of_nobody([&](Cue& cue) {
    becomeNobody();
    part(cue);
  });
  of_root.hear();
  of_nobody.hear();
  const std::string root_pid = std::to_string(of_root.pid());
  const ProgramResult result =
      runAsNobody({"record", "-o", database, "-p", root_pid, "-p", std::to_string(of_nobody.pid()),
                   "-i", "20ms", "-n", "3"});
  EXPECT_EQ(result.status, 3) << result.err;
  EXPECT_NE(result.err.find(root_pid + "/fd: list: Permission denied"), std::string::npos)
      << result.err;
  EXPECT_EQ(result.err.find(std::to_string(of_nobody.pid()) + "/"), std::string::npos)
      << result.err;
  const std::string hint = "fdcapture: what was refused takes root, or CAP_SYS_PTRACE";
  const size_t told = result.err.find(hint);
  EXPECT_NE(told, std::string::npos) << result.err;
  EXPECT_EQ(result.err.find(hint, told + 1), std::string::npos) << "once is enough";

  const Json snapshots = analyze({"snapshots", database});
  ASSERT_EQ(snapshots.size(), 3U);
  for (const Json& row : snapshots) {
    EXPECT_GT(row.at("failures"), 0);
    EXPECT_EQ(row.at("processes"), 2);
    EXPECT_EQ(row.at("fds"), 6) << "those that could be read";
  }
  EXPECT_EQ(analyze({"sockets", database}).size(), 1U);
  const Json report = analyze({"report", database});
  EXPECT_TRUE(processOf(report, of_root.pid()).at("fds").is_null()) << "0 would be a claim";
  EXPECT_EQ(processOf(report, of_root.pid()).at("unread_snapshots"), 3);
  EXPECT_EQ(processOf(report, of_nobody.pid()).at("fds").at("last"), 6);
  const Json listing =
      rowsWhere(report.at("coverage").at("unreadable"), "subject", root_pid + "/fd");
  ASSERT_EQ(listing.size(), 1U);
  EXPECT_EQ(listing[0].at("operation"), "list");
  EXPECT_EQ(listing[0].at("errno"), EACCES);
  EXPECT_EQ(listing[0].at("snapshots"), 3);
}

// With the right to list fds and none to look at them their number is known and nothing else.
TEST_F(WithoutRights, FdsThatMayOnlyBeListedAreOfNoKind) {
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    const std::vector<Socket> sockets = connectTimes(address, 4);
    cue.tell("ready");
    cue.await();
  });
  actor.hear();
  const std::string pid = std::to_string(actor.pid());
  const ProgramResult result =
      runProgram({"setpriv", "--bounding-set", "-sys_ptrace", directory.file("fdcapture"), "record",
                  "-o", database, "-p", pid, "-i", "20ms", "-n", "2"});
  ASSERT_EQ(result.status, 3) << result.err;

  const Json report = analyze({"report", database});
  const Json process = processOf(report, actor.pid());
  const int64_t fds = process.at("fds").at("last").get<int64_t>();
  EXPECT_GT(fds, 4);
  EXPECT_EQ(process.at("kinds"), Json({{"unread", fds}}));
  EXPECT_EQ(process.at("verdicts"), Json::object());
  EXPECT_EQ(process.at("unread_reason"), "EACCES: permission denied");
  const std::string verdict = report.at("summary").at("verdict");
  EXPECT_TRUE(verdict.starts_with("nothing is known: " + std::to_string(fds) + " fds of "))
      << verdict;
  EXPECT_NE(verdict.find("CAP_SYS_PTRACE"), std::string::npos) << verdict;
  const Json links = rowsWhere(report.at("coverage").at("unreadable"), "file", pid + "/fd/N");
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links[0].at("operation"), "readlink");
  EXPECT_EQ(links[0].at("count"), 2 * fds) << "each fd once in each snapshot";
}

// That a process may not be looked at any more does not close its fds.
TEST_F(WithoutRights, WhatWasSeenIsNotClosed) {
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    becomeNobody();
    const std::vector<Socket> sockets = connectTimes(address, 4);
    cue.tell("ready");
    cue.await();
    ::prctl(PR_SET_DUMPABLE, 0);
    cue.tell("hidden");
    cue.await();
  });
  actor.hear();
  const std::string pid = std::to_string(actor.pid());
  ChildProcess recorder({"setpriv", "--reuid", std::to_string(kNobody), "--regid",
                         std::to_string(kNobody), "--clear-groups", directory.file("fdcapture"),
                         "record", "-o", database, "-p", pid, "-i", "50ms", "-v"});
  ASSERT_TRUE(recorder.awaitErrorLine(" 0 failures"));
  actor.ask();
  ASSERT_TRUE(recorder.awaitErrorLine(pid + "/fd: list: Permission denied"));
  ASSERT_TRUE(recorder.awaitErrorLine("snapshot "));
  ASSERT_TRUE(recorder.awaitErrorLine("snapshot "));
  recorder.signal(SIGTERM);
  EXPECT_EQ(recorder.wait(), 3);

  EXPECT_EQ(analyze({"outlived", database}), Json::array());
  const Json sockets = analyze({"sockets", database});
  EXPECT_EQ(valuesOf(sockets, "open_at_end"), Json({true, true, true, true}));
  EXPECT_EQ(analyze({"diff", database, "first", "last"}), Json::array());
}

// /proc mounted with hidepid=2, in a mount namespace of its own.
TEST_F(WithoutRights, AHiddenProcessIsSaidToBeHidden) {
  const ProgramResult probe = runProgram({"unshare", "--mount", "true"});
  if (probe.status != 0) GTEST_SKIP() << "needs a mount namespace: " << probe.err;
  Actor actor([](Cue& cue) { cue.await(); });
  const std::string pid = std::to_string(actor.pid());
  const auto runHidden = [&](const std::string& selection) {
    return runProgram({"unshare", "--mount", "sh", "-c",
                       "mount -t proc -o hidepid=2 proc /proc || exit 77; exec setpriv --reuid " +
                           std::to_string(kNobody) + " --regid " + std::to_string(kNobody) +
                           " --clear-groups '" + directory.file("fdcapture") + "' record -o '" +
                           database + "' -n 1 " + selection});
  };
  const ProgramResult by_pid = runHidden("-p " + pid);
  if (by_pid.status == 77) GTEST_SKIP() << "no proc file system can be mounted: " << by_pid.err;
  EXPECT_EQ(by_pid.status, 1);
  EXPECT_NE(by_pid.err.find("no such process: " + pid + "; it runs, but"), std::string::npos)
      << by_pid.err;
  EXPECT_NE(by_pid.err.find("hidepid="), std::string::npos) << by_pid.err;
  const ProgramResult by_name = runHidden("--comm nobody-has-this-name");
  EXPECT_EQ(by_name.status, 0) << by_name.err;
  EXPECT_NE(by_name.err.find("/proc is mounted with hidepid="), std::string::npos) << by_name.err;
}

// It lives, and since it is not dumpable any more it belongs to root: hidepid=2 hides it.
TEST_F(WithoutRights, AProcessThatIsHiddenFromThenOnHasNotEnded) {
  const ProgramResult probe =
      runProgram({"unshare", "--mount", "mount", "-t", "proc", "-o", "hidepid=2", "proc", "/proc"});
  if (probe.status != 0) GTEST_SKIP() << "needs a mount namespace: " << probe.err;
  for (const std::string selection : {"--pid ", "--comm "}) {
    Actor actor([](Cue& cue) {
      becomeNobody();
      ::prctl(PR_SET_NAME, "soon-hidden");
      const Socket listener = listenOn("127.0.0.1");
      cue.tell("ready");
      cue.await();
      ::prctl(PR_SET_DUMPABLE, 0);
      cue.tell("hidden");
      cue.await();
    });
    actor.hear();
    const std::string pid = std::to_string(actor.pid());
    const std::string what = selection + (selection == "--pid " ? pid : "soon-hidden");
    const std::string file = directory.file(selection + ".db");
    ChildProcess recorder({"unshare", "--mount", "sh", "-c",
                           "mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid " +
                               std::to_string(kNobody) + " --regid " + std::to_string(kNobody) +
                               " --clear-groups '" + directory.file("fdcapture") +
                               "' record -v --progress never -i 100ms -o '" + file + "' " + what});
    ASSERT_TRUE(recorder.awaitErrorLine(" 0 failures"));
    actor.ask();
    ASSERT_TRUE(recorder.awaitErrorLine(pid + ": open: Permission denied"));
    ASSERT_TRUE(recorder.awaitErrorLine("snapshot "));
    ASSERT_TRUE(recorder.awaitErrorLine("snapshot "));
    recorder.signal(SIGTERM);
    EXPECT_EQ(recorder.wait(), 3);
    const Json sockets = analyze({"sockets", file});
    EXPECT_EQ(valuesOf(sockets, "open_at_end"), Json({true})) << what;
    EXPECT_EQ(analyze({"diff", file, "first", "last"}), Json::array()) << what;
  }
}

// The number that a process has in a container is not the one that it has here.
TEST(PidNamespaces, APidOfAnotherOneIsTranslated) {
  const ProgramResult probe = runProgram({"unshare", "--pid", "--fork", "true"});
  if (probe.status != 0) GTEST_SKIP() << "needs the right to make a pid namespace: " << probe.err;
  const TemporaryDirectory directory;
  const std::string ready = directory.file("ready");
  // A number that nobody has here; the second process of the namespace gets it.
  int pid = 30'000;
  while (std::filesystem::exists("/proc/" + std::to_string(pid)))
    --pid;
  ChildProcess container({"unshare", "--pid", "--fork", "--kill-child", "sh", "-c",
                          "echo " + std::to_string(pid - 1) +
                              " > /proc/sys/kernel/ns_last_pid; sleep 600 & echo > " + ready +
                              "; wait"});
  ASSERT_TRUE(waitFor([&] { return std::filesystem::exists(ready); }));
  const ProgramResult result =
      runFdcapture({"record", "-o", directory.file("f.db"), "-p", std::to_string(pid), "-n", "1"});
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("in a pid namespace of its own (a container) that is "),
            std::string::npos)
      << result.err;
}

}  // namespace
}  // namespace fdmortem::test
