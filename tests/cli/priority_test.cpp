// The recorder's own priority.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "capture/io_priority.h"
#include "tests/support/actor.h"
#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

struct Priority {
  int nice = 0;
  int io_class = 0;
  int io_level = 0;
  bool operator==(const Priority&) const = default;
};

Priority priorityOf(pid_t pid) {
  const auto io = static_cast<int>(::syscall(SYS_ioprio_get, io_priority::kWhoProcess, pid));
  return {.nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(pid)),
          .io_class = io_priority::classOf(io),
          .io_level = io_priority::levelOf(io)};
}

/// What a recorder has in the middle of its work that was started by `launcher`.
Priority whileRecording(std::vector<std::string> launcher) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) { cue.await(); });
  launcher.insert(launcher.end(), {FDCAPTURE_PATH, "record", "-o", directory.file("f.db"), "-p",
                                   std::to_string(actor.pid()), "-i", "50ms", "-v"});
  ChildProcess recorder(std::move(launcher));
  while (const auto line = recorder.readErrorLine()) {
    if (line->find(" stays as it is") != std::string::npos) ADD_FAILURE() << *line;
    if (line->find("snapshot 1:") != std::string::npos) return priorityOf(recorder.pid());
  }
  throw std::runtime_error("no snapshot");
}

TEST(PriorityTest, IsLowered) {
  const int own_nice = ::getpriority(PRIO_PROCESS, 0);
  Priority wanted{
      .nice = std::max(10, own_nice), .io_class = io_priority::kBestEffortClass, .io_level = 7};
  EXPECT_EQ(whileRecording({"ionice", "-c", "0"}), wanted);
  EXPECT_EQ(whileRecording({"ionice", "-c", "2", "-n", "0"}), wanted);
}

TEST(PriorityTest, IsNeverRaised) {
  const int own_nice = ::getpriority(PRIO_PROCESS, 0);
  const Priority wanted{
      .nice = std::min(19, own_nice + 15), .io_class = io_priority::kIdleClass, .io_level = 0};
  Priority lower = whileRecording({"nice", "-n", "15", "ionice", "-c", "3"});
  lower.io_level = 0;  // the idle class has none, kernels report 0 or 7
  EXPECT_EQ(lower, wanted);
}

/// From here on the kernel refuses to change a priority, as in some containers.
void refusePriorities() {
  // seccomp(2): the number of the system call decides.
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 2, 0),  // a low one is not set
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setpriority, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioprio_set, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    throw std::system_error(errno, std::generic_category(), "PR_SET_SECCOMP");
  }
}

TEST(PriorityTest, IsNotNeededToRecord) {
  const TemporaryDirectory directory;
  Actor actor([&](Cue& cue) {
    refusePriorities();
    for (const char* option : {"-v", "-q"}) {
      const ProgramResult result = runFdcapture({"record", "-o", directory.file("f.db"), "-p",
                                                 std::to_string(::getpid()), "-n", "1", option});
      cue.tell({{"status", result.status}, {"err", result.err}});
    }
  });
  const Json verbose = actor.hear();
  EXPECT_EQ(verbose.at("status"), 0) << verbose;
  const std::string said = verbose.at("err");
  for (const char* what : {"processor", "disk"}) {
    const std::string line = std::string("fdcapture: the priority for the ") + what +
                             " stays as it is: Operation not permitted\n";
    EXPECT_NE(said.find(line), std::string::npos) << said;
  }
  const Json quiet = actor.hear();
  EXPECT_EQ(quiet.at("status"), 0) << quiet;
  EXPECT_EQ(quiet.at("err"), "");
}

}  // namespace
}  // namespace fdmortem::test
