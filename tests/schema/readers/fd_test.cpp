#include "schema/readers/fd.h"

#include <unistd.h>

#include <array>
#include <filesystem>

#include <gtest/gtest.h>

#include "tests/schema/readers/kernel_text.h"

namespace fdmortem::test {

namespace {

// Linux 6.18, each of a file as its name says.
constexpr std::string_view kEpoll = R"(pos:	0
flags:	02000002
mnt_id:	17
ino:	12
tfd:       22 events: 80000019 data:               16  pos:0 ino:1a2a sdev:9
tfd:        3 events:       19 data:                3  pos:0 ino:1a16 sdev:9
tfd:        4 events: 80000019 data: ffffffffffffffff  pos:-1 ino:1a17 sdev:fe00000
)";

constexpr std::string_view kOldEpoll = R"(pos:	0
flags:	02
tfd:        5 events:       1d data: ffffffff00000005
)";

constexpr std::string_view kCommonLines = R"(pos:	0
flags:	02000002
mnt_id:	17
ino:	12
)";

constexpr std::string_view kTimer = R"(clockid: 1
ticks: 0
settime flags: 00
it_value: (59, 999153513)
it_interval: (5, 0)
)";

constexpr std::string_view kEventfd = R"(eventfd-count:                3
eventfd-id: 1
eventfd-semaphore: 0
)";

constexpr std::string_view kInotify =
    R"(inotify wd:2 ino:13 sdev:fe00000 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:1300000000000000
inotify wd:1 ino:a72075 sdev:fe00000 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:7520a70020120e81
)";

constexpr std::string_view kFanotify =
    R"(fanotify flags:0 event-flags:8000
fanotify ino:a72075 sdev:fe00000 mflags:0 mask:2 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:7520a70020120e81
)";

constexpr std::string_view kSignalfd = "sigmask:\t0000000000004200\n";

constexpr std::string_view kPidfd = R"(Pid:	3716
NSpid:	3716
)";

constexpr std::string_view kIoUring = R"(SqMask:	0x7
SqHead:	0
SqTail:	0
CachedSqHead:	0
CqMask:	0xf
CqHead:	0
CqTail:	0
CachedCqTail:	0
SQEs:	0
CQEs:	0
SqThread:	-1
SqThreadCpu:	-1
SqTotalTime:	0
SqWorkTime:	0
UserFiles:	0
UserBufs:	0
PollList:
CqOverflowList:
NAPI:	disabled
)";

constexpr std::string_view kLock = "lock:\t1: FLOCK  ADVISORY  WRITE 3716 fe:00:10952825 0 EOF\n";

constexpr std::string_view kUnixSocket = "scm_fds: 1\n";

FdInfo parsed(std::string_view text) {
  Parsed<FdInfo> info = parseFdInfo(text);
  if (!info) ADD_FAILURE() << info.error();
  return info.value_or(FdInfo());
}

TEST(FdNumber, IsCanonical) {
  EXPECT_EQ(parseFdNumber("0"), 0);
  EXPECT_EQ(parseFdNumber("17"), 17);
  EXPECT_EQ(parseFdNumber("2147483647"), 2147483647);
}

TEST(FdNumber, RefusesOtherNames) {
  for (const std::string_view name :
       {"", ".", "..", "-1", "+1", "00", "01", "1 ", " 1", "1x", "0x1", "2147483648", "4294967296",
        "99999999999999999999", "1\n"}) {
    EXPECT_FALSE(parseFdNumber(name)) << name;
  }
}

TEST(FdLink, KnowsSocketsAndPipes) {
  EXPECT_EQ(parseFdLink("socket:[6699]"), (FdLink{LinkType::Socket, 6699, ""}));
  EXPECT_EQ(parseFdLink("pipe:[1]"), (FdLink{LinkType::Pipe, 1, ""}));
  EXPECT_EQ(parseFdLink("socket:[18446744073709551615]").number, 18446744073709551615U);
}

TEST(FdLink, EverythingElseIsText) {
  for (const std::string_view link : {"",
                                      "socket:",
                                      "socket:[",
                                      "socket:[]",
                                      "socket:]",
                                      "socket:[12x]",
                                      "socket:[012]",
                                      "socket:[-1]",
                                      "socket:[ 1]",
                                      "socket:[1] ",
                                      "socket:[1] (deleted)",
                                      "socket:[18446744073709551616]",
                                      "Socket:[1]",
                                      "/socket:[1]",
                                      "pipe:[1",
                                      "pipe[1]",
                                      "anon_inode:[eventpoll]",
                                      "anon_inode:inotify",
                                      "/dev/null",
                                      "/tmp/a (deleted)",
                                      "/memfd:x (deleted)",
                                      "/tmp/a\nb\x1b[31m\xff"}) {
    EXPECT_EQ(parseFdLink(link), (FdLink{LinkType::Text, 0, std::string(link)}));
  }
  constexpr std::string_view kWithNul("socket:[1\0]", 11);
  EXPECT_EQ(parseFdLink(kWithNul).text, kWithNul);
}

TEST(FdInfo, ReadsTheCommonLines) {
  const FdInfo info = parsed("pos:\t4294967296\nflags:\t02100001\nmnt_id:\t27\nino:\t10952825\n");
  EXPECT_EQ(info.position, 4294967296);
  EXPECT_EQ(info.flags, 02100001U);
  EXPECT_EQ(info.mount_id, 27);
  EXPECT_EQ(info.inode, 10952825U);
  EXPECT_TRUE(info.watches.empty());
  EXPECT_EQ(info.detail, "");
}

TEST(FdInfo, OldKernelsSayLess) {
  const FdInfo info = parsed("pos:\t0\nflags:\t00\n");
  EXPECT_EQ(info.position, 0);
  EXPECT_EQ(info.flags, 0U);
  EXPECT_EQ(info.mount_id, std::nullopt);
  EXPECT_EQ(info.inode, std::nullopt);
}

TEST(FdInfo, AnEmptyTextSaysNothing) {
  EXPECT_EQ(parsed(""), FdInfo());
}

TEST(FdInfo, ReadsWhatAnEpollWatches) {
  const FdInfo info = parsed(kEpoll);
  ASSERT_EQ(info.watches.size(), 3U);
  EXPECT_EQ(info.watches[0], (EpollWatch{22, 0x80000019, 0x16, 0, 0x1a2a, 9}));
  EXPECT_EQ(info.watches[1], (EpollWatch{3, 0x19, 3, 0, 0x1a16, 9}));
  EXPECT_EQ(info.watches[2],
            (EpollWatch{4, 0x80000019, 0xffffffffffffffff, -1, 0x1a17, 0xfe00000}));
  EXPECT_EQ(info.detail, "");
}

TEST(FdInfo, ReadsTheEpollOfAnOldKernel) {
  const FdInfo info = parsed(kOldEpoll);
  ASSERT_EQ(info.watches.size(), 1U);
  EXPECT_EQ(info.watches[0],
            (EpollWatch{5, 0x1d, 0xffffffff00000005, std::nullopt, std::nullopt, std::nullopt}));
}

TEST(FdInfo, PassesOverWhatANewerEpollAdds) {
  const FdInfo info = parsed("tfd: 5 events: 1 data: 2  pos:3 ino:4 sdev:5 new:6\n");
  ASSERT_EQ(info.watches.size(), 1U);
  EXPECT_EQ(info.watches[0], (EpollWatch{5, 1, 2, 3, 4, 5}));
}

TEST(FdInfo, KeepsAnEpollLineThatIsNotUnderstood) {
  for (const std::string_view line :
       {"tfd:\n", "tfd: x events: 1 data: 2\n", "tfd: 5 events: 1\n",
        "tfd: 5 events: 100000000 data: 2\n", "tfd: 2147483648 events: 1 data: 2\n",
        "tfd: 5 events: 1 data: 10000000000000000\n", "tfd: 5 events: 1 data: 2  pos:3\n",
        "tfd: 5 events: 1 data: 2  pos:3 ino:4\n", "tfd: 5 events: 1 data: 2  pos:3 ino:4 sdev:\n",
        "tfd: 5 events: 1 data: 2  pos:3 ino:4 sdev:g\n", "tfd: 5 events: 1 data: 2\r\n",
        "tfd: 5events: 1 data: 2\n"}) {
    const FdInfo info = parsed(line);
    EXPECT_TRUE(info.watches.empty()) << line;
    EXPECT_EQ(info.detail, line);
  }
}

TEST(FdInfo, KeepsTheLinesOfOtherFilesAsTheyAre) {
  for (const std::string_view lines :
       {kTimer, kEventfd, kInotify, kFanotify, kSignalfd, kPidfd, kIoUring, kLock, kUnixSocket}) {
    const FdInfo info = parsed(std::string(kCommonLines).append(lines));
    EXPECT_EQ(info.position, 0);
    EXPECT_EQ(info.flags, 02000002U);
    EXPECT_EQ(info.mount_id, 17);
    EXPECT_EQ(info.inode, 12U);
    EXPECT_EQ(info.detail, lines);
  }
}

TEST(FdInfo, TheFirstOfTwoLinesCounts) {
  const FdInfo info = parsed("pos:\t1\nflags:\t02\nino:\t3\npos:\t4\nflags: none\nino:\t5\n");
  EXPECT_EQ(info.position, 1);
  EXPECT_EQ(info.flags, 2U);
  EXPECT_EQ(info.inode, 3U);
  EXPECT_EQ(info.detail, "pos:\t4\nflags: none\nino:\t5\n");
}

TEST(FdInfo, KeepsAMountOrInodeThatIsNoNumber) {
  const FdInfo info = parsed("mnt_id:\t2147483648\nino:\t18446744073709551616\n");
  EXPECT_EQ(info.mount_id, std::nullopt);
  EXPECT_EQ(info.inode, std::nullopt);
  EXPECT_EQ(info.detail, "mnt_id:\t2147483648\nino:\t18446744073709551616\n");
}

TEST(FdInfo, RefusesAPositionOrFlagsThatAreNoNumber) {
  for (const std::string_view text :
       {"pos:\n", "pos:\tx\n", "pos:\t9223372036854775808\n", "pos:\t0 1\n", "pos:\t0\r\n",
        "flags:\n", "flags:\t08\n", "flags:\t0x2\n", "flags:\t-1\n", "flags:\t040000000000\n"}) {
    EXPECT_FALSE(parseFdInfo(text)) << text;
  }
  EXPECT_EQ(parsed("pos:\t-9223372036854775808\n").position, INT64_MIN);
  EXPECT_EQ(parsed("flags:\t037777777777\n").flags, UINT32_MAX);
}

TEST(FdInfo, RefusesACutText) {
  for (const std::string_view text : {kEpoll, kCommonLines}) {
    for (size_t size = 1; size < text.size(); ++size) {
      const std::string_view part = text.substr(0, size);
      EXPECT_EQ(parseFdInfo(part).has_value(), part.ends_with('\n')) << part;
    }
  }
}

TEST(FdInfo, KeepsHostileBytes) {
  constexpr std::string_view kHostile("\n\n\x1b[2J\xff\xfe\0\r\n:\n", 13);
  EXPECT_EQ(parsed(kHostile).detail, kHostile);
}

TEST(FdInfo, ReadsAllOfThisProcess) {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    EXPECT_TRUE(parseFdNumber(entry.path().filename().native())) << entry.path();
    const std::optional<std::string> text = readFile(entry.path());
    if (!text || text->empty()) continue;  // the directory's own fd
    const FdInfo info = parsed(*text);
    EXPECT_TRUE(info.position && info.flags) << *text;
    ++count;
  }
  EXPECT_GE(count, 3U);
}

TEST(FdLink, ReadsAPipeOfThisProcess) {
  std::array<int, 2> pipe_fds = {};
  ASSERT_EQ(pipe(pipe_fds.data()), 0);
  const auto link = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(pipe_fds[0]));
  EXPECT_EQ(parseFdLink(link.native()).type, LinkType::Pipe);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(FdInfo, SurvivesSpoiledTexts) {
  std::string all(kEpoll);
  for (const std::string_view lines : {kOldEpoll, kTimer, kEventfd, kInotify, kLock})
    all += lines;
  Mutator mutator;
  for (int i = 0; i < kMutationCount; ++i) {
    const std::string text = mutator.mutate(all);
    const Parsed<FdInfo> info = parseFdInfo(text);
    expectSoundResult(info);
    ASSERT_LE(info.value_or(FdInfo()).detail.size(), text.size());
    expectSoundResult(parseFdNumber(mutator.mutate("2147483647")));
    const std::string link = mutator.mutate("socket:[6699]");
    const FdLink read = parseFdLink(link);
    ASSERT_EQ(read.text, read.type == LinkType::Text ? link : "");
  }
}

}  // namespace

}  // namespace fdmortem::test
