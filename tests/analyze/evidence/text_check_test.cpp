// What analyze/evidence/text_check.h promises of gaps: what could not be read, was read in part, or
// twice, is no difference between text and rows; and all else is one.
#include "analyze/evidence/text_check.h"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include "analyze/check/check.h"
#include "capture/archive/writer.h"
#include "schema/readers/net.h"
#include "schema/readers/net_rows.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

constexpr const char* kHeader =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n";

std::string tcpLine(uint64_t inode, int state = 1, int unread = 0) {
  return fmt::format(
      "   0: 010200C0:2383 076433C6:{:04X} {:02X} 00000000:{:08X} 00:00000000 00000000     0       "
      " "
      "0 {} 1 0000000000000000 20 4 30 10 -1\n",
      1000 + inode, state, unread, inode);
}

std::string tcpTable(const std::vector<std::string>& lines) {
  std::string text = kHeader;
  for (const std::string& line : lines)
    text += line;
  return text;
}

std::vector<InetRow> rowsOf(const std::string& text) {
  auto rows = parseInetTable(text).rows;
  sortInetRows(rows);
  return rows;
}

class TextCheckTest : public testing::Test {
 protected:
  TextCheckTest() : writer_(std::make_unique<ArchiveWriter>(path_)) {
    writer_->beginRecording(
        {.host_name = "host", .machine = "x86_64", .options = {}, .keeps_texts = true});
  }

  /// A process that holds the sockets 1 and 2, whose namespace has such a tcp table.
  static Snapshot snapshotWith(const std::string& tcp, const std::string& again = {}) {
    ProcessRecord process = processWith({socketFd(3, 1), socketFd(4, 2)});
    Snapshot now = snapshotOf({process}, {netnsWith(rowsOf(tcp))});
    now.texts = std::make_shared<SnapshotTexts>();
    now.texts->first.add("net:[4000]/tcp", tcp);
    if (!again.empty()) now.texts->again.add("net:[4000]/tcp", again);
    return now;
  }

  void write(Snapshot now) {
    if (previous_) carryOver(*previous_, now);
    const auto changes = detectChanges(previous_ ? &*previous_ : nullptr, now, !previous_);
    if (!writer_->write(now, changes, {.keyframe = !previous_})) throw std::runtime_error("full");
    previous_ = std::move(now);
  }

  /// Ends the recording.
  std::string problems() {
    writer_->endRecording(9, "count");
    writer_.reset();
    std::string text;
    for (const std::string& problem : checkArchive({.database = path_}).problems)
      text += problem + "\n";
    return text;
  }

  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
  std::unique_ptr<ArchiveWriter> writer_;
  std::optional<Snapshot> previous_;
};

const std::string kBoth = tcpTable({tcpLine(1), tcpLine(2, 1, 5)});

TEST_F(TextCheckTest, ATableThatWasReadInPart) {
  write(snapshotWith(kBoth));
  Snapshot part = snapshotWith(tcpTable({tcpLine(1, 8), "   1: 0102"}));
  part.namespaces[0].status[0] = ReadStatus::Incomplete;
  write(part);
  EXPECT_EQ(problems(), "");
}

TEST_F(TextCheckTest, ATableThatCouldNotBeUnderstood) {
  write(snapshotWith(kBoth));
  Snapshot failed = snapshotWith("nonsense\n");
  failed.namespaces[0].status[0] = ReadStatus::Failed;
  write(failed);
  write(snapshotWith(tcpTable({tcpLine(2)})));
  EXPECT_EQ(problems(), "");
}

TEST_F(TextCheckTest, ValuesThatCouldNotBeReadStay) {
  Snapshot first = snapshotWith(kBoth);
  first.texts->first.add("7/cgroup", "0::/system.slice\n");
  write(first);
  Snapshot second = snapshotWith(kBoth);
  second.processes[0].cgroup.reset();
  second.processes[0].limits.reset();
  second.processes[0].fds[0].info.reset();
  second.processes[0].fd_list_status = ReadStatus::Failed;
  second.texts->first.add("7/cgroup", "nonsense");
  second.texts->first.add("7/limits", "nonsense\n");
  second.texts->first.add("7/fdinfo/3", "pos:\t77\nflags:\t02\n");  // of a list that failed
  second.texts->first.add("8/stat", "8 (x) S 1");                   // ended while it was read
  write(second);
  EXPECT_EQ(problems(), "");
}

TEST_F(TextCheckTest, WhatTheSecondReadingFoundIsInTheRows) {
  write(snapshotWith(kBoth));
  Snapshot now = snapshotWith(tcpTable({tcpLine(1)}), kBoth);
  now.namespaces[0].inet[0] = rowsOf(kBoth);
  write(now);
  EXPECT_EQ(problems(), "");
}

TEST_F(TextCheckTest, WhatNeitherReadingFoundIsInNoRow) {
  write(snapshotWith(kBoth));
  Snapshot now = snapshotWith(tcpTable({tcpLine(1)}), tcpTable({tcpLine(1), tcpLine(2, 8, 5)}));
  now.namespaces[0].inet[0] = rowsOf(kBoth);  // not as the second reading has it
  write(now);
  EXPECT_EQ(problems(),
            "table inet_change, snapshot 2 (net:[4000]/tcp, inode 2, ports 9091 and 1002): not as "
            "the text has it\n");
}

TEST_F(TextCheckTest, WhatTheSecondReadingFoundHasNotGone) {
  write(snapshotWith(kBoth));
  write(snapshotWith(tcpTable({tcpLine(1)}), kBoth));
  EXPECT_EQ(problems(),
            "table inet_change, snapshot 2 (net:[4000]/tcp, inode 2, found when it was read again):"
            " not as the text has it\n");
}

TEST_F(TextCheckTest, QueuesOfASocketWithNewAddressesBeginAnew) {
  write(snapshotWith(tcpTable({tcpLine(2, 1, 5)})));
  std::string moved = tcpTable({tcpLine(2)});
  moved.replace(moved.find("076433C6"), 8, "086433C6");
  write(snapshotWith(moved));
  EXPECT_EQ(problems(), "");
}

TEST_F(TextCheckTest, TextsBuildOnEachOtherForHundredsOfSnapshots) {
  for (int i = 0; i < 150; ++i)
    write(snapshotWith(tcpTable({tcpLine(1, 1, i), tcpLine(2)})));
  EXPECT_EQ(problems(), "");
}

}  // namespace
}  // namespace fdmortem::test
