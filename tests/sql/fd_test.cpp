// schema/views/fd.sql.
#include <gtest/gtest.h>

#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// `target first-last was_opened closed_by`, a line a span.
std::string spansOf(std::string_view drawing) {
  return Timeline(drawing).rows(
      "SELECT target, first_snapshot || '-' || last_snapshot, was_opened, closed_by FROM fd_span "
      "ORDER BY process, fd, first_snapshot");
}

std::string countsOf(std::string_view drawing) {
  return Timeline(drawing).rows(
      "SELECT snapshot, fds, soft_limit FROM fd_count ORDER BY process, snapshot");
}

TEST(FdSpan, FromOpeningToClosing) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R     .     .     .
    process a:  ok    .     .     .
    fd a/0:     /log  .     .     .
    fd a/3:     _     s500  .     -
  )"),
            "/log 1-4 0 -\n"
            "socket:[500] 2-3 1 4\n");
}

TEST(FdSpan, ANumberThatIsUsedAgain) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  .  .
    process a:  ok  .  .  .
    fd a/3:     p8  -  .  p8
  )"),
            "pipe:[8] 1-1 0 2\n"
            "pipe:[8] 4-4 1 -\n");
}

TEST(FdSpan, ANumberThatIsGivenToAnotherFile) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  .      .
    process a:  ok  .  .      .
    fd a/3:     p8  .  +s500  .
  )"),
            "pipe:[8] 1-2 0 3\n"
            "socket:[500] 3-4 1 -\n");
}

TEST(FdSpan, AFileThatIsRenamedIsTheSame) {
  EXPECT_EQ(spansOf(R"(
    snapshots:       R   .            .
    process a:       ok  .            .
    fd a/3 type=8:   /x  /x_(deleted)  .
  )"),
            "/x_(deleted) 1-3 0 -\n");
}

TEST(FdSpan, ReachesOverAKeyframe) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  K  .  K
    process a:  ok  .  .  .  .
    fd a/3:     p8  .  .  .  .
    fd a/4:     _   .  p9 .  .
  )"),
            // What appears in a keyframe is written as Appeared: the recorder compares there too.
            "pipe:[8] 1-5 0 -\n"
            "pipe:[9] 3-5 0 -\n");
}

TEST(FdSpan, AppearedInAKeyframeWasOpened) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  K    .
    process a:  ok  .  .    .
    fd a/4:     _   .  +p9  .
  )"),
            "pipe:[9] 3-4 1 -\n");
}

TEST(FdSpan, ClosedInAKeyframe) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  K  .
    process a:  ok  .  .  .
    fd a/4:     p9  .  -  .
  )"),
            "pipe:[9] 1-2 0 3\n");
}

TEST(FdSpan, ReachesOverAGap) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .     .   .
    process a:  ok  fail  ok  .
    fd a/3:     p8  .     .   .
    fd a/4:     p9  .     -   .
    fd a/5:     _   .     p7  .
  )"),
            // What was closed in a gap is closed by the next snapshot that could look.
            "pipe:[8] 1-4 0 -\n"
            "pipe:[9] 1-1 0 3\n"
            "pipe:[7] 3-4 1 -\n");
}

TEST(FdSpan, AGapAtTheEndClosesNothing) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  .     .
    process a:  ok  .  fail  .
    fd a/3:     p8  .  .     .
  )"),
            "pipe:[8] 1-2 0 -\n");
}

TEST(FdSpan, AGapAtTheStart) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R     .    .
    process a:  fail  ok   .
    fd a/3:     _     =p8  .
  )"),
            "pipe:[8] 2-3 0 -\n");
}

TEST(FdSpan, EndsWithItsProcess) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  .  .
    process a:  ok  .  -  .
    fd a/3:     p8  .  .  .
  )"),
            "pipe:[8] 1-2 0 3\n");
}

TEST(FdSpan, EndsWithAProcessThatCouldNotBeReadBefore) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  .     .
    process a:  ok  .  fail  -
    fd a/3:     p8  .  .     .
  )"),
            "pipe:[8] 1-2 0 4\n");
}

TEST(FdSpan, ReachesOverRecordings) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  R  .
    process a:  ok  .  .  .
    fd a/3:     p8  .  .  .
  )"),
            "pipe:[8] 1-4 0 -\n");
}

TEST(FdSpan, ClosedBetweenTwoRecordings) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  R  .
    process a:  ok  .  .  .
    fd a/3:     p8  .  -  .
  )"),
            "pipe:[8] 1-2 0 3\n");
}

TEST(FdSpan, AnotherFileAfterTwoRecordings) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  R   .
    process a:  ok  .  .   .
    fd a/3:     p8  .  p9  .
  )"),
            "pipe:[8] 1-2 0 3\n"
            "pipe:[9] 3-4 0 -\n");
}

// That it is there again, and the same by its looks, keeps it not alive through a recording that
// looked and did not find it.
TEST(FdSpan, MissingInOneRecordingAndThereInTheNext) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  R   R   .
    process a:  ok  .  .   .   .
    fd a/3:     p8  .  _   p8  .
    fd a/4:     p9  .  .   .   .
  )"),
            "pipe:[8] 1-2 0 3\n"
            "pipe:[8] 4-5 0 -\n"
            "pipe:[9] 1-5 0 -\n");
  EXPECT_EQ(countsOf(R"(
    snapshots:  R   .  R   R   .
    process a:  ok  .  .   .   .
    fd a/3:     p8  .  _   p8  .
    fd a/4:     p9  .  .   .   .
  )"),
            "1 2 -\n3 1 -\n4 2 -\n5 2 -\n");
}

TEST(FdSpan, NotLookedForInOneRecordingAndThereInTheNext) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  R     R   .
    process a:  ok  .  fail  ok  .
    fd a/3:     p8  .  _     p8  .
  )"),
            "pipe:[8] 1-5 0 -\n");
}

TEST(FdSpan, IsNotKnownInARecordingOfAnother) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .  R   .  R
    process a:  ok  .  _   .  ok
    process b:  _   .  ok  .  _
    fd a/3:     p8  .  _   .  _
    fd b/3:     _   .  p8  .  _
  )"),
            "pipe:[8] 1-2 0 5\n"
            "pipe:[8] 3-4 0 -\n");
}

TEST(FdSpan, AnUnreadableLinkIsAnFd) {
  EXPECT_EQ(spansOf(R"(
    snapshots:  R   .
    process a:  ok  .
    fd a/3:     ?   .
  )"),
            "- 1-2 0 -\n");
}

TEST(FdSpan, KindsOfFiles) {
  struct {
    const char* name;
    const char* target;
    const char* kind;
  } const kCases[] = {
      {"a/3", "s500", "socket"},
      {"a/3", "p8", "pipe"},
      {"a/3", "?", "unread"},
      {"a/3", "anon_inode:[eventpoll]", "eventpoll"},
      {"a/3", "anon_inode:[io_uring]", "io_uring"},
      {"a/3", "anon_inode:inotify", "inotify"},
      {"a/3", "anon_inode:bpf-map", "bpf-map"},
      {"a/3", "pidfd:[12]", "pidfd"},
      {"a/3 type=8 links=0", "/memfd:x_(deleted)", "memfd"},
      {"a/3 type=8 links=1", "/memfd:x", "file"},
      {"a/3 type=8 links=0", "/x_(deleted)", "deleted-file"},
      {"a/3 type=8 links=1", "/x", "file"},
      {"a/3 type=4", "/", "directory"},
      {"a/3 type=2", "/dev/null", "char-device"},
      {"a/3 type=6", "/dev/sda", "block-device"},
      {"a/3 type=1", "/run/fifo", "fifo"},
      {"a/3", "/gone", "other"},
  };
  for (const auto& [name, target, kind] : kCases) {
    Timeline timeline("snapshots: R\nprocess a: ok\nfd " + std::string(name) + ": " + target);
    EXPECT_EQ(timeline.rows("SELECT kind FROM fd_span"), std::string(kind) + "\n") << target;
  }
}

TEST(FdCount, HasARowWhereItChanged) {
  EXPECT_EQ(countsOf(R"(
    snapshots:  R   .   .  .   .  .
    process a:  ok  .   .  .   .  .
    fd a/3:     p8  .   .  .   .  .
    fd a/4:     _   p9  .  .   .  .
    fd a/5:     _   p7  .  -   .  .
  )"),
            "1 1 -\n2 3 -\n4 2 -\n6 2 -\n");
}

TEST(FdCount, AReplacedFdIsOne) {
  EXPECT_EQ(countsOf(R"(
    snapshots:  R   .      .
    process a:  ok  .      .
    fd a/3:     p8  +s500  .
  )"),
            "1 1 -\n2 1 -\n3 1 -\n");
}

TEST(FdCount, HasTheLimitOfItsTime) {
  EXPECT_EQ(countsOf(R"(
    snapshots:  R      .  .       .
    process a:  ok     .  .       .
    fd a/3:     p8     .  .       .
    limit a:    10/20  .  u/20    .
  )"),
            "1 1 10\n3 1 -\n4 1 -\n");
}

TEST(FdCount, AGapIsNoZero) {
  EXPECT_EQ(countsOf(R"(
    snapshots:  R   .  .     .     .
    process a:  ok  .  fail  .     ok
    fd a/3:     p8  .  .     .     .
    fd a/4:     p9  .  .     .     -
  )"),
            "1 2 -\n2 2 -\n5 1 -\n");
}

TEST(FdCount, TheEndOfAProcessIsNoZero) {
  EXPECT_EQ(countsOf(R"(
    snapshots:  R   .  .  .
    process a:  ok  .  -  .
    fd a/3:     p8  .  .  .
  )"),
            "1 1 -\n2 1 -\n");
}

TEST(FdCount, ClosedBetweenRecordings) {
  EXPECT_EQ(countsOf(R"(
    snapshots:  R   .  R  .
    process a:  ok  .  .  .
    fd a/3:     p8  .  .  .
    fd a/4:     p9  .  -  .
  )"),
            "1 2 -\n3 1 -\n4 1 -\n");
}

TEST(FdCount, AProcessWithoutFds) {
  EXPECT_EQ(countsOf(R"(
    snapshots:  R   .   .
    process a:  ok  .   .
    fd a/3:     _   p8  -
  )"),
            "1 0 -\n2 1 -\n3 0 -\n");
}

}  // namespace

}  // namespace fdmortem::test
