#include "capture/burst.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/support/fake_proc.h"

namespace fdmortem::test {
namespace {

class BurstTest : public testing::Test {
 protected:
  void SetUp() override { setFds(8); }

  void setFds(int count, const FakeProcess& process = {}) {
    proc_.setProcess(kPid, process);
    for (int fd = 0; fd < count; ++fd)
      proc_.openFd(std::to_string(kPid), fd, "/dev/null");
  }
  void follow(std::optional<uint64_t> soft_limit) {
    ProcessRecord record;
    record.identity = {.pid = kPid, .start_ticks = FakeProcess().start_ticks};
    record.limits = {
        Limit{.resource = "Max open files", .soft = soft_limit, .hard = {}, .unit = "files"}};
    Snapshot snapshot;
    snapshot.processes.push_back(record);
    watch_.follow(snapshot);
  }

  static constexpr int32_t kPid = 7;
  FakeProc proc_;
  ProcSource source_{proc_.root()};
  SpareDescriptors spares_;
  BurstWatch watch_{source_, 80, spares_};
};

TEST_F(BurstTest, TellsWhoHasThatPartOfItsLimit) {
  follow(10);
  EXPECT_EQ(watch_.look(), "process 7: 8 fds of 10");
  follow(11);
  EXPECT_EQ(watch_.look(), "");
}

TEST_F(BurstTest, AnotherProcessWithThePidIsNotMeant) {
  follow(10);
  proc_.removeProcess(kPid);
  setFds(8, {.start_ticks = 2000});
  EXPECT_EQ(watch_.look(), "");
}

TEST_F(BurstTest, WhoHasEndedIsNotAbove) {
  follow(10);
  proc_.removeProcess(kPid);
  EXPECT_EQ(watch_.look(), "");
}

TEST_F(BurstTest, WithoutALimitThereIsNoPartOfIt) {
  follow(0);
  EXPECT_EQ(watch_.look(), "");
  follow({});
  EXPECT_EQ(watch_.look(), "");
  follow(UINT64_MAX);
  EXPECT_EQ(watch_.look(), "");
}

}  // namespace
}  // namespace fdmortem::test
