#include <charconv>
#include <chrono>
#include <csignal>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include "tests/support/process.h"

namespace fdmortem::test {
namespace {

using std::chrono::milliseconds;

TEST(ChildProcess, GivesStatusAndOutput) {
  const auto result = runProgram({"sh", "-c", "cat; echo bad >&2; exit 3"}, "one\ntwo");
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.out, "one\ntwo");
  EXPECT_EQ(result.err, "bad\n");
}

TEST(ChildProcess, PassesMoreThanAPipeHolds) {
  const std::string text(8 << 20, 'x');
  EXPECT_TRUE(runProgram({"cat"}, text).out == text);
}

TEST(ChildProcess, ReadsLines) {
  ChildProcess process({"sh", "-c", "echo first; read word; echo $word; printf last"});
  EXPECT_EQ(process.readLine(), "first");
  EXPECT_EQ(process.readLine(milliseconds(1)), std::nullopt);
  process.write("second\n");
  EXPECT_EQ(process.readLine(), "second");
  EXPECT_EQ(process.readLine(), "last");
  EXPECT_EQ(process.readLine(), std::nullopt);
}

TEST(ChildProcess, AwaitsALineOfItsErrors) {
  ChildProcess process({"sh", "-c", "echo one >&2; echo two words >&2; echo three >&2; read word"});
  EXPECT_TRUE(process.awaitErrorLine("word"));
  EXPECT_EQ(process.readErrorLine(), "three");
  EXPECT_FALSE(process.awaitErrorLine("one", milliseconds(1)));
  process.closeInput();
  EXPECT_FALSE(process.awaitErrorLine("one"));
}

TEST(ChildProcess, IsKilledAndReapedWhenItGoes) {
  pid_t pid = 0;
  {
    ChildProcess process({"sleep", "1000"});
    pid = process.pid();
    EXPECT_EQ(process.wait(milliseconds(1)), std::nullopt);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(ChildProcess, GivesTheSignalThatEndedIt) {
  ChildProcess process({"sleep", "1000"});
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), -SIGTERM);
}

TEST(ChildProcess, TakesEnvironmentAndDirectory) {
  const SpawnOptions options{.environment = {{"FDMORTEM_WORD", "a b"}}, .directory = "/proc"};
  EXPECT_EQ(runProgram({"sh", "-c", "echo $FDMORTEM_WORD; pwd"}, {}, kDeadline, options).out,
            "a b\n/proc\n");
}

TEST(ChildProcess, ThrowsWhenThereIsNoSuchProgram) {
  EXPECT_THROW(ChildProcess({"/nonexistent/program"}), std::system_error);
}

TEST(ChildProcess, DoesNotWaitForWhatItLeavesBehind) {
  ChildProcess process({"sh", "-c", "sleep 1000 & echo $!"});
  const std::string line = process.readLine().value_or("0");
  EXPECT_EQ(process.wait(), 0);
  pid_t left_behind = 0;
  std::from_chars(line.data(), line.data() + line.size(), left_behind);
  if (left_behind > 0) ::kill(left_behind, SIGKILL);
}

}  // namespace
}  // namespace fdmortem::test
