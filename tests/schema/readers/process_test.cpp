#include "schema/readers/process.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/schema/readers/kernel_text.h"

namespace fdmortem::test {

namespace {

// Linux 6.18. The command has named itself so.
constexpr std::string_view kStat =
    R"(3757 (a) R (b
c) S 3716 3712 2933 0 -1 4194368 274 0 0 0 0 0 0 0 20 0 1 0 108609 20328448 3021 18446744073709551615 94404582006784 94404582007125 140730535880016 0 0 0 0 16781312 2 1 0 0 17 1 0 0 0 0 0 94404582018480 94404582019096 94404661886976 140730535884958 140730535885006 140730535885006 140730535886799 0
)";

constexpr std::string_view kKernelThreadStat =
    R"(2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 10 0 0 18446744073709551615 0 0 0 0 0 0 0 2147483647 0 1 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0
)";

constexpr std::string_view kStatus = R"(Name:	a) R (b\nc
Umask:	0022
State:	S (sleeping)
Tgid:	3757
Ngid:	0
Pid:	3757
PPid:	3716
TracerPid:	0
Uid:	1000	0	1001	4294967295
Gid:	0	0	0	0
FDSize:	256
VmPeak:	   19852 kB
Threads:	1
nonvoluntary_ctxt_switches:	0
)";

struct LimitLine {
  std::string_view name;
  std::string_view soft;
  std::string_view hard;
  std::string_view unit;
};

constexpr LimitLine kLimitLines[] = {
    {"Max cpu time", "unlimited", "unlimited", "seconds"},
    {"Max file size", "unlimited", "unlimited", "bytes"},
    {"Max data size", "unlimited", "unlimited", "bytes"},
    {"Max stack size", "8388608", "unlimited", "bytes"},
    {"Max core file size", "0", "unlimited", "bytes"},
    {"Max resident set", "unlimited", "unlimited", "bytes"},
    {"Max processes", "96365", "96365", "processes"},
    {"Max open files", "20000", "1048576", "files"},
    {"Max locked memory", "8388608", "8388608", "bytes"},
    {"Max address space", "unlimited", "unlimited", "bytes"},
    {"Max file locks", "unlimited", "unlimited", "locks"},
    {"Max pending signals", "96365", "96365", "signals"},
    {"Max msgqueue size", "819200", "819200", "bytes"},
    {"Max nice priority", "0", "0", ""},
    {"Max realtime priority", "0", "0", ""},
    {"Max realtime timeout", "unlimited", "unlimited", "us"},
};

/// "%-*s "
std::string column(std::string_view text, size_t width) {
  std::string result(text);
  result.resize(std::max(width, result.size()), ' ');
  return result + ' ';
}

/// "%-25s %-20s %-20s %-10s\n" of proc_pid_limits().
std::string limitText(const LimitLine& line) {
  return column(line.name, 25) + column(line.soft, 20) + column(line.hard, 20) +
         padded(line.unit, 10);
}

std::string limitsHeader() {
  return limitText({"Limit", "Soft Limit", "Hard Limit", "Units"});
}

std::string limitsText() {
  std::string text = limitsHeader();
  for (const LimitLine& line : kLimitLines)
    text += limitText(line);
  return text;
}

constexpr std::string_view kHybridCgroup = R"(9:name=systemd:/init.scope
8:pids:/
4:memory:/box/7
2:cpu,cpuacct:/
0::/
)";

ProcessStat parsed(std::string_view text) {
  Parsed<ProcessStat> stat = parseProcessStat(text);
  if (!stat) ADD_FAILURE() << stat.error();
  return stat.value_or(ProcessStat());
}

/// A process with this comm, otherwise as kStat.
std::string statOf(std::string_view comm) {
  return replaced(std::string(kStat), "a) R (b\nc", comm);
}

TEST(ProcessStat, ReadsAHostileName) {
  const ProcessStat stat = parsed(kStat);
  EXPECT_EQ(stat.identity, (ProcessIdentity{3757, 108609}));
  EXPECT_EQ(stat.comm, "a) R (b\nc");
  EXPECT_EQ(stat.state, 'S');
  EXPECT_EQ(stat.parent_pid, 3716);
  EXPECT_EQ(stat.flags, 4194368U);
  EXPECT_EQ(stat.thread_count, 1);
  EXPECT_FALSE(stat.isKernelThread());
}

TEST(ProcessStat, ReadsAKernelThread) {
  const ProcessStat stat = parsed(kKernelThreadStat);
  EXPECT_EQ(stat.identity, (ProcessIdentity{2, 10}));
  EXPECT_EQ(stat.comm, "kthreadd");
  EXPECT_EQ(stat.parent_pid, 0);
  EXPECT_TRUE(stat.isKernelThread());
}

TEST(ProcessStat, ReadsAZombie) {
  EXPECT_EQ(parsed(replaced(statOf("sh"), ") S ", ") Z ")).state, 'Z');
}

TEST(ProcessStat, TakesAnyBytesForAName) {
  constexpr std::string_view kWithNul("a\0b", 3);
  for (const std::string_view comm :
       {std::string_view(""), std::string_view(")"), std::string_view("("), std::string_view("()"),
        std::string_view("1 (x) S 1"), std::string_view("\n\r\n"), std::string_view("\x1b[31m"),
        std::string_view("\xff\xc0\x80"), kWithNul}) {
    EXPECT_EQ(parsed(statOf(comm)).comm, comm);
  }
}

TEST(ProcessStat, TakesTheLongNameOfAKernelThread) {
  EXPECT_EQ(parsed(statOf(std::string(63, 'k'))).comm.size(), 63U);
  EXPECT_FALSE(parseProcessStat(statOf(std::string(64, 'k'))));
}

TEST(ProcessStat, PassesOverLaterColumns) {
  const ProcessStat stat = parsed(replaced(std::string(kStat), " 0\n", " 0 7 new\n"));
  EXPECT_EQ(stat.identity, (ProcessIdentity{3757, 108609}));
}

TEST(ProcessStat, ReadsTheLargestNumbers) {
  const std::string text = replaced(std::string(kStat), "108609", "18446744073709551615");
  EXPECT_EQ(parsed(text).identity.start_ticks, 18446744073709551615U);
}

TEST(ProcessStat, RefusesNumbersThatDoNotFit) {
  const std::string text(kStat);
  EXPECT_FALSE(parseProcessStat(replaced(text, "108609", "18446744073709551616")));
  EXPECT_FALSE(parseProcessStat(replaced(text, "108609", "-1")));
  EXPECT_FALSE(parseProcessStat(replaced(text, "108609", "1x")));
  EXPECT_FALSE(parseProcessStat(replaced(text, "4194368", "4294967296")));
  EXPECT_FALSE(parseProcessStat(replaced(text, "3716", "2147483648")));
  EXPECT_FALSE(parseProcessStat(replaced(text, "3757", "99999999999999999999")));
  EXPECT_FALSE(parseProcessStat(replaced(text, "3757", "")));
}

TEST(ProcessStat, RefusesEveryCutText) {
  for (size_t size = 0; size < kStat.size(); ++size) {
    EXPECT_FALSE(parseProcessStat(kStat.substr(0, size))) << kStat.substr(0, size);
  }
}

TEST(ProcessStat, RefusesOtherTexts) {
  for (const std::string_view text : {"\n", "\n\n\n", ")(\n", "1 )x( S\n", "1 (x)\n", "1 (x) S 1\n",
                                      "1 2 (x) S 1\n", "(x) S 1\n", "1 (x) SS 1\n"}) {
    EXPECT_FALSE(parseProcessStat(text)) << text;
  }
  EXPECT_FALSE(parseProcessStat(std::string(kStat).append(kStat))) << "two texts are not one";
}

TEST(ProcessStatus, ReadsTheUids) {
  const Parsed<ProcessStatus> status = parseProcessStatus(kStatus);
  ASSERT_TRUE(status) << status.error();
  EXPECT_EQ(status->real_uid, 1000U);
  EXPECT_EQ(status->effective_uid, 0U);
}

TEST(ProcessStatus, RefusesOtherUids) {
  const std::string text(kStatus);
  for (const std::string_view uids :
       {"Uid:\n", "Uid:\t1000\n", "Uid:\t1000\t0\t1001\n", "Uid:\t-1\t0\t0\t0\n",
        "Uid:\t4294967296\t0\t0\t0\n", "Uid:\t99999999999999999999\t0\t0\t0\n",
        "Uid:\tx\t0\t0\t0\n", "Uid:\t0\t0\t0\t0\r\n", "uid:\t0\t0\t0\t0\n"}) {
    EXPECT_FALSE(parseProcessStatus(replaced(text, "Uid:\t1000\t0\t1001\t4294967295\n", uids)))
        << uids;
  }
}

TEST(ProcessStatus, RefusesATextWithoutThem) {
  const size_t end_of_uids = kStatus.find("Gid:");
  for (size_t size = 0; size < end_of_uids; ++size) {
    EXPECT_FALSE(parseProcessStatus(kStatus.substr(0, size)));
  }
  EXPECT_TRUE(parseProcessStatus(kStatus.substr(0, end_of_uids)));
  EXPECT_FALSE(parseProcessStatus("\n\n\n"));
}

TEST(ProcessStatus, IsNotFooledByAName) {
  const std::string text = replaced(std::string(kStatus), "a) R (b\\nc", "Uid:\t7\t7\t7\t7");
  EXPECT_EQ(parseProcessStatus(text).value_or(ProcessStatus()).real_uid, 1000U);
}

TEST(Limits, ReadsEveryLine) {
  const Parsed<std::vector<Limit>> limits = parseLimits(limitsText());
  ASSERT_TRUE(limits) << limits.error();
  ASSERT_EQ(limits->size(), std::size(kLimitLines));
  EXPECT_EQ((*limits)[0], (Limit{"Max cpu time", std::nullopt, std::nullopt, "seconds"}));
  EXPECT_EQ((*limits)[3], (Limit{"Max stack size", 8388608, std::nullopt, "bytes"}));
  EXPECT_EQ((*limits)[7], (Limit{"Max open files", 20000, 1048576, "files"}));
  EXPECT_EQ((*limits)[14], (Limit{"Max realtime priority", 0, 0, ""}));
}

TEST(Limits, ReadsNumbersThatFillTheirColumn) {
  const LimitLine line = {"Max open files", "18446744073709551614", "18446744073709551615",
                          "files"};
  const Parsed<std::vector<Limit>> limits = parseLimits(limitsHeader() + limitText(line));
  ASSERT_TRUE(limits) << limits.error();
  EXPECT_EQ(limits->front(),
            (Limit{"Max open files", 18446744073709551614U, 18446744073709551615U, "files"}));
}

TEST(Limits, TakesALineWithoutAUnitAndItsPadding) {
  const std::string text =
      limitsHeader() + column("Max nice priority", 25) + column("0", 20) + "20\n";
  const Parsed<std::vector<Limit>> limits = parseLimits(text);
  ASSERT_TRUE(limits) << limits.error();
  EXPECT_EQ(limits->front(), (Limit{"Max nice priority", 0, 20, ""}));
}

TEST(Limits, TakesANameThatFillsItsColumn) {
  const LimitLine line = {"Max of twenty-five bytes.", "1", "2", "things"};
  const Parsed<std::vector<Limit>> limits = parseLimits(limitsHeader() + limitText(line));
  ASSERT_TRUE(limits) << limits.error();
  EXPECT_EQ(limits->front(), (Limit{"Max of twenty-five bytes.", 1, 2, "things"}));
}

TEST(Limits, RefusesALineThatIsNoLimit) {
  for (const LimitLine& line :
       {LimitLine{"", "1", "2", "files"}, LimitLine{"Max open files", "", "", ""},
        LimitLine{"Max open files", "1", "", ""}, LimitLine{"Max open files", "-1", "2", ""},
        LimitLine{"Max open files", "18446744073709551616", "2", "files"},
        LimitLine{"Max open files", "1", "99999999999999999999", "files"},
        LimitLine{"Max open files", "unlimitedx", "2", "files"},
        LimitLine{"Max of twenty-six bytes...", "1", "2", "things"}}) {
    const Parsed<std::vector<Limit>> limits = parseLimits(limitsText() + limitText(line));
    ASSERT_FALSE(limits) << limitText(line);
    EXPECT_EQ(limits.error().substr(0, 8), "line 18:");
  }
  EXPECT_FALSE(parseLimits(limitsText() + "\n"));
}

TEST(Limits, RefusesCutTexts) {
  const std::string text = limitsText();
  for (size_t size = 0; size < text.size(); ++size) {
    const std::string part = text.substr(0, size);
    const bool is_whole_lines = part.ends_with('\n') && countLines(part) > 1;
    EXPECT_EQ(parseLimits(part).has_value(), is_whole_lines) << part;
  }
}

TEST(Limits, RefusesOtherHeadersAndLineEnds) {
  EXPECT_FALSE(parseLimits("\n\n\n"));
  EXPECT_FALSE(parseLimits(replaced(limitsText(), "Soft", "Weak")));
  EXPECT_FALSE(parseLimits(limitsText().substr(limitsHeader().size())));
  EXPECT_FALSE(parseLimits(withWindowsLineEnds(limitsText())));
}

TEST(Cgroup, ReadsTheUnifiedHierarchy) {
  EXPECT_EQ(parseCgroup("0::/user.slice/user-1000.slice/session-1.scope\n"),
            "/user.slice/user-1000.slice/session-1.scope");
  EXPECT_EQ(parseCgroup("0::/\n"), "/");
}

TEST(Cgroup, ReadsTheNamedHierarchyOfVersion1) {
  EXPECT_EQ(
      parseCgroup("3:cpu,cpuacct:/a\n2:memory:/b\n1:name=systemd:/system.slice/sshd.service\n"),
      "/system.slice/sshd.service");
  EXPECT_EQ(parseCgroup("3:cpu,cpuacct:/a\n2:memory:/b\n"), "/a");
}

TEST(Cgroup, ReadsAHybrid) {
  EXPECT_EQ(parseCgroup(kHybridCgroup), "/init.scope");
  EXPECT_EQ(parseCgroup(replaced(std::string(kHybridCgroup), "0::/", "0::/app.slice")),
            "/app.slice");
}

TEST(Cgroup, KeepsAPathAsItIs) {
  EXPECT_EQ(parseCgroup("0::/a:b::c d\x1b[31m\xff\r\n"), "/a:b::c d\x1b[31m\xff\r");
  EXPECT_EQ(parseCgroup("0::/../other\n"), "/../other");
  EXPECT_EQ(parseCgroup("0::/gone (deleted)\n"), "/gone (deleted)");
  EXPECT_EQ(parseCgroup(std::string_view("0::/a\0b\n", 8)), std::string("/a\0b", 4));
}

TEST(Cgroup, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "\n", "\n\n\n", "0::/cut", "0::\n", "0::relative\n", "0:/\n", "::/\n", "-1::/\n",
        "4294967296::/\n", "99999999999999999999::/\n", "x::/\n", "0::/a\nx\n", "0::/a\n\n"}) {
    EXPECT_FALSE(parseCgroup(text)) << text;
  }
}

TEST(NamespaceLink, ReadsTheInode) {
  EXPECT_EQ(parseNamespaceLink("net:[4026531833]"), 4026531833U);
  EXPECT_EQ(parseNamespaceLink("pid_for_children:[1]"), 1U);
  EXPECT_EQ(parseNamespaceLink("net:[18446744073709551615]"), 18446744073709551615U);
}

TEST(NamespaceLink, RefusesOtherTexts) {
  for (const std::string_view link :
       {"", "net", "net:", "net:[]", "net:[1", "net:1", ":[1]", "net:[x]", "net:[-1]", "net:[01]",
        "net:[18446744073709551616]", "net:[1]\n"}) {
    EXPECT_FALSE(parseNamespaceLink(link)) << link;
  }
}

TEST(Process, ReadsThisOne) {
  const ProcessStat stat = parsed(readFile("/proc/self/stat").value_or(""));
  EXPECT_EQ(stat.identity.pid, getpid());
  EXPECT_EQ(stat.parent_pid, getppid());
  const Parsed<ProcessStatus> status =
      parseProcessStatus(readFile("/proc/self/status").value_or(""));
  ASSERT_TRUE(status) << status.error();
  EXPECT_EQ(status->real_uid, getuid());
  EXPECT_EQ(status->effective_uid, geteuid());
  const Parsed<std::vector<Limit>> limits = parseLimits(readFile("/proc/self/limits").value_or(""));
  ASSERT_TRUE(limits) << limits.error();
  EXPECT_GE(limits->size(), 16U);
  const std::optional<std::string> cgroup = readFile("/proc/self/cgroup");
  if (cgroup && !cgroup->empty()) {
    EXPECT_TRUE(parseCgroup(*cgroup)) << *cgroup;
  }
  EXPECT_TRUE(parseNamespaceLink(std::filesystem::read_symlink("/proc/self/ns/net").native()));
}

TEST(Process, SurvivesSpoiledTexts) {
  Mutator mutator;
  const std::string limits = limitsText();
  for (int i = 0; i < kMutationCount / 4; ++i) {
    expectSoundResult(parseProcessStat(mutator.mutate(std::string(kStat))));
    expectSoundResult(parseProcessStatus(mutator.mutate(std::string(kStatus))));
    expectSoundResult(parseLimits(mutator.mutate(limits)));
    expectSoundResult(parseCgroup(mutator.mutate(std::string(kHybridCgroup))));
    expectSoundResult(parseNamespaceLink(mutator.mutate("net:[4026531833]")));
  }
}

}  // namespace

}  // namespace fdmortem::test
