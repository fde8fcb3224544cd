#include "capture/hints.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace fdmortem {
namespace {

TEST(HintsTest, TheKernelTellsThePidsOfAllNamespaces) {
  EXPECT_EQ(pidsInNamespaces("Name:\tx\nNgid:\t0\nPid:\t4711\nNSpid:\t4711\t7\nNSpgid:\t1\t2\n"),
            (std::vector<int32_t>{4711, 7}));
  EXPECT_EQ(pidsInNamespaces("Name:\tx\nNSpid:\t1\n"), std::vector<int32_t>{1});
  EXPECT_EQ(pidsInNamespaces("Name:\tx\n"), std::vector<int32_t>{});
  EXPECT_EQ(pidsInNamespaces("Name:\tNSpid: 4\nPid:\t3\n"), std::vector<int32_t>{});
}

TEST(HintsTest, HidepidIsAnOptionOfTheMount) {
  EXPECT_FALSE(hidesProcesses("proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n"));
  EXPECT_TRUE(hidesProcesses("proc /proc proc rw,nosuid,hidepid=2 0 0\n"));
  EXPECT_TRUE(hidesProcesses("proc /proc proc rw,hidepid=invisible,gid=4 0 0\n"));
  EXPECT_FALSE(hidesProcesses("proc /proc proc rw,hidepid=0 0 0\n"));
  EXPECT_FALSE(hidesProcesses("proc /proc proc rw,hidepid=off 0 0\n"));
  EXPECT_FALSE(hidesProcesses("proc /srv/jail/proc proc rw,hidepid=2 0 0\n"));
  EXPECT_FALSE(hidesProcesses("tmpfs /proc tmpfs rw,hidepid=2 0 0\n"));
}

TEST(HintsTest, OnlyARefusalIsForWantOfARight) {
  Failure refused{.operation = "list", .subject = "4711/fd", .pid = 4711, .error_number = EACCES};
  Failure gone{.operation = "open", .subject = "4711", .pid = 4711, .error_number = ESRCH};
  Failure unread{.operation = "parse", .subject = "4711/limits", .detail = "no such line"};
  EXPECT_EQ(hintOnRights({gone, unread}), "");
  EXPECT_NE(hintOnRights({gone, refused}).find("CAP_SYS_PTRACE"), std::string::npos);
}

TEST(HintsTest, WithCapSysPtraceNothingIsHidden) {
  EXPECT_TRUE(maySeeAll("Name:\tx\nCapEff:\t0000000000080000\nCapBnd:\t0\n"));
  EXPECT_TRUE(maySeeAll("Name:\tx\nCapEff:\t000001ffffffffff\n"));
  EXPECT_FALSE(maySeeAll("Name:\tx\nCapPrm:\t0000000000080000\nCapEff:\t0000000000000004\n"));
  EXPECT_FALSE(maySeeAll("Name:\tx\n"));
}

TEST(HintsTest, AThreadIsOfAProcess) {
  const ProcSource source("/proc");
  EXPECT_EQ(hintOnThread(source, ::getpid()), "");
  std::promise<int32_t> id;
  std::promise<void> end;
  std::thread thread([&] {
    id.set_value(static_cast<int32_t>(::syscall(SYS_gettid)));
    end.get_future().wait();
  });
  const int32_t number = id.get_future().get();
  EXPECT_TRUE(hintOnThread(source, number)
                  .starts_with(std::to_string(number) + " is a thread of process " +
                               std::to_string(::getpid()) + ":"));
  end.set_value();
  thread.join();
}

TEST(HintsTest, AZombieHasEnded) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t info;
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT), 0);
  const std::string hint = hintOnMissingProcess(ProcSource("/proc"), child);
  EXPECT_NE(hint.find("zombie"), std::string::npos) << hint;
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

// One of that number may well run here.
TEST(HintsTest, InASavedTreeNothingIsHidden) {
  const test::TemporaryDirectory tree;
  const std::string hint = hintOnMissingProcess(ProcSource(tree.path()), getpid());
  EXPECT_EQ(hint.find("it runs"), std::string::npos) << hint;
  EXPECT_NE(hint, "");
}

}  // namespace
}  // namespace fdmortem
