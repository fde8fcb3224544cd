#include "capture/collect/selection.h"

#include <unistd.h>

#include <cerrno>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/fake_proc.h"

namespace fdmortem::test {

namespace {

constexpr uint32_t kKernelThread = 0x00200000;  // PF_KTHREAD of include/linux/sched.h

class SelectionTest : public testing::Test {
 protected:
  void select(Selection selection) { selector_.emplace(source_, std::move(selection)); }

  /// The selected processes as `pid/start`, one after the other.
  std::string selected() {
    FailureLog log;
    std::string text;
    std::set<ProcessIdentity> identities;
    selector_->select(log, [&](const ProcessIdentity& identity, const SelectedProcess* opened) {
      EXPECT_TRUE(identities.insert(identity).second) << identity.pid;
      EXPECT_TRUE(opened == nullptr || opened->stat.identity == identity) << identity.pid;
    });
    for (const ProcessIdentity& identity : identities) {
      text += (text.empty() ? "" : " ") + std::to_string(identity.pid) + "/" +
              std::to_string(identity.start_ticks);
    }
    failures_ = log.take();
    return text;
  }

  FakeProc proc_;
  ProcSource source_{proc_.root()};
  std::optional<ProcessSelector> selector_;
  std::vector<Failure> failures_;
};

TEST_F(SelectionTest, ByPid) {
  proc_.setProcess(7);
  proc_.setProcess(8);
  select({.pids = {8}});
  EXPECT_EQ(selected(), "8/1000");
  EXPECT_FALSE(selector_->isExhausted());
}

TEST_F(SelectionTest, APidThatNeverWasIsAFailure) {
  select({.pids = {9}});
  EXPECT_EQ(selected(), "");
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_EQ(failures_[0].subject, "9");
  EXPECT_EQ(failures_[0].error_number, ESRCH);
  EXPECT_TRUE(selector_->isExhausted());
}

TEST_F(SelectionTest, APidThatEndsIsNoFailure) {
  proc_.setProcess(7);
  select({.pids = {7}});
  selected();
  proc_.removeProcess(7);
  EXPECT_EQ(selected(), "");
  EXPECT_TRUE(failures_.empty());
  EXPECT_TRUE(selector_->isExhausted());
}

TEST_F(SelectionTest, APidThatIsUsedAgainIsAnotherProcess) {
  proc_.setProcess(7);
  select({.pids = {7}});
  selected();
  proc_.setProcess(7, {.start_ticks = 2000});
  EXPECT_EQ(selected(), "");
  EXPECT_TRUE(failures_.empty());
  EXPECT_TRUE(selector_->isExhausted());
}

TEST_F(SelectionTest, TheLastOfThePidsEndsTheRecording) {
  proc_.setProcess(7);
  proc_.setProcess(8);
  select({.pids = {7, 8}});
  selected();
  proc_.removeProcess(7);
  EXPECT_EQ(selected(), "8/1000");
  EXPECT_FALSE(selector_->isExhausted());
}

TEST_F(SelectionTest, APidThatCanNotBeReadHasNotEnded) {
  proc_.setProcess(7);
  select({.pids = {7}});
  selected();
  proc_.makeUnreadable("7/stat");
  EXPECT_EQ(selected(), "7/1000");
  EXPECT_EQ(failures_.size(), 1U);
  EXPECT_FALSE(selector_->isExhausted());
}

TEST_F(SelectionTest, AZombieHasEnded) {
  proc_.setProcess(7);
  select({.pids = {7}});
  selected();
  proc_.setProcess(7, {.state = 'Z'});
  EXPECT_EQ(selected(), "");
  EXPECT_TRUE(selector_->isExhausted());
}

TEST_F(SelectionTest, AProcessWhoseMainThreadEndedLives) {
  proc_.setProcess(7, {.state = 'Z', .thread_count = 2});
  select({.pids = {7}});
  EXPECT_EQ(selected(), "7/1000");
}

TEST_F(SelectionTest, ByComm) {
  proc_.setProcess(7, {.comm = "gateway", .exe = "/x"});
  proc_.setProcess(8, {.comm = "gateway2", .exe = "/x"});
  select({.comms = {"gateway"}});
  EXPECT_EQ(selected(), "7/1000");
}

TEST_F(SelectionTest, ByCommThatTheKernelCut) {
  proc_.setProcess(7, {.comm = "a-long-program-", .exe = ""});
  select({.comms = {"a-long-program-name"}});
  EXPECT_EQ(selected(), "7/1000");
}

TEST_F(SelectionTest, ByTheFileNameOfTheProgram) {
  proc_.setProcess(7, {.comm = "main", .exe = "/opt/bin/gateway"});
  proc_.setProcess(8, {.comm = "main", .exe = "/opt/gateway/bin/other"});
  proc_.setProcess(9, {.comm = "main", .exe = "/opt/bin/gateway (deleted)"});
  select({.comms = {"gateway"}});
  EXPECT_EQ(selected(), "7/1000 9/1000");
}

TEST_F(SelectionTest, ANewProcessOfTheNameIsTakenToo) {
  proc_.setProcess(7);
  select({.comms = {"server"}});
  selected();
  proc_.setProcess(7, {.start_ticks = 2000});
  proc_.setProcess(8);
  EXPECT_EQ(selected(), "7/2000 8/1000");
  EXPECT_TRUE(failures_.empty());
  EXPECT_FALSE(selector_->isExhausted());
}

TEST_F(SelectionTest, NoneOfTheNameIsNoEnd) {
  select({.comms = {"server"}});
  EXPECT_EQ(selected(), "");
  EXPECT_TRUE(failures_.empty());
  EXPECT_FALSE(selector_->isExhausted());
}

TEST_F(SelectionTest, AProcessThatMatchedOnceIsFollowed) {
  proc_.setProcess(7);
  select({.comms = {"server"}});
  selected();
  proc_.setProcess(7, {.comm = "worker", .exe = "/x"});
  EXPECT_EQ(selected(), "7/1000");
}

TEST_F(SelectionTest, AProcessThatCanNotBeOpenedNowIsFollowed) {
  proc_.setProcess(7);
  select({.comms = {"server"}});
  selected();
  proc_.makeUnreadable("7/stat");
  EXPECT_EQ(selected(), "7/1000");
  EXPECT_EQ(failures_.size(), 1U);
}

TEST_F(SelectionTest, ByCgroup) {
  proc_.setProcess(7, {.cgroup = "/kubepods/pod1/abc"});
  proc_.setProcess(8, {.cgroup = "/system.slice"});
  select({.cgroup_globs = {"/kubepods/*"}});
  EXPECT_EQ(selected(), "7/1000");
}

TEST_F(SelectionTest, TheWholeCgroupPathMustMatch) {
  proc_.setProcess(7, {.cgroup = "/kubepods/pod1"});
  select({.cgroup_globs = {"/kubepods", "pod1", "/kube?ods"}});
  EXPECT_EQ(selected(), "");
}

TEST_F(SelectionTest, AllIsWithoutKernelThreadsAndTheRecorder) {
  proc_.setProcess(2, {.comm = "kthreadd", .flags = kKernelThread});
  proc_.setProcess(7);
  proc_.setProcess(getpid());
  select({.all = true});
  EXPECT_EQ(selected(), "7/1000");
}

TEST_F(SelectionTest, AKernelThreadIsTakenByItsPidOnly) {
  proc_.setProcess(2, {.comm = "kthreadd", .exe = "", .flags = kKernelThread});
  select({.comms = {"kthreadd"}});
  EXPECT_EQ(selected(), "");
  select({.pids = {2}});
  EXPECT_EQ(selected(), "2/1000");
}

TEST_F(SelectionTest, SelectionsAddUp) {
  proc_.setProcess(7);
  proc_.setProcess(8, {.comm = "worker", .exe = "/x"});
  proc_.setProcess(9, {.comm = "idle", .exe = "/x", .cgroup = "/c"});
  proc_.setProcess(10, {.comm = "idle", .exe = "/x"});
  select({.pids = {7}, .comms = {"worker"}, .cgroup_globs = {"/c"}});
  EXPECT_EQ(selected(), "7/1000 8/1000 9/1000");
}

TEST_F(SelectionTest, AStatThatIsNotUnderstoodIsAFailure) {
  proc_.setProcess(7);
  proc_.write("7/stat", "7 (server");
  select({.pids = {7}});
  EXPECT_EQ(selected(), "");
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_EQ(failures_[0].error_number, EBADMSG);
}

TEST_F(SelectionTest, OpensTheVeryProcess) {
  proc_.setProcess(7);
  EXPECT_TRUE(openProcess(source_, ProcessIdentity{7, 1000}));
  EXPECT_EQ(openProcess(source_, ProcessIdentity{7, 999}).error(), ESRCH);
  EXPECT_EQ(openProcess(source_, 8).error(), ESRCH);
}

}  // namespace

}  // namespace fdmortem::test
