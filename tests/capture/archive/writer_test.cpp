#include "capture/archive/writer.h"

#include <sys/stat.h>

#include <filesystem>
#include <limits>
#include <memory>
#include <stdexcept>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "schema/archive_file.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

class ArchiveWriterTest : public testing::Test {
 protected:
  void open() {
    writer_ = std::make_unique<ArchiveWriter>(path_);
    writer_->beginRecording({.started_at_ns = 5,
                             .boot_id = "boot",
                             .host_name = "host",
                             .kernel_release = "6.18",
                             .machine = "x86_64",
                             .interval_ms = 1000,
                             .options = {}});
    previous_.reset();
  }
  /// Writes what is another way than in the snapshot before.
  int64_t write(Snapshot now, bool keyframe = false) {
    keyframe = keyframe || !previous_;
    if (previous_) carryOver(*previous_, now);
    const auto changes = detectChanges(previous_ ? &*previous_ : nullptr, now, keyframe);
    const auto id = writer_->write(now, changes, {.keyframe = keyframe});
    if (!id) throw std::runtime_error(id.error().message);
    previous_ = std::move(now);
    return *id;
  }
  void close() {
    writer_->endRecording(9, "count");
    writer_.reset();
  }

  /// A query's rows, a line each; NULL is `-`.
  std::string rows(const std::string& query) const {
    SQLite::Database database(path_, SQLite::OPEN_READONLY);
    SQLite::Statement statement(database, query);
    std::string text;
    while (statement.executeStep()) {
      for (int i = 0; i < statement.getColumnCount(); ++i) {
        const SQLite::Column column = statement.getColumn(i);
        text += (i == 0 ? "" : " ") + (column.isNull() ? std::string("-") : column.getString());
      }
      text += '\n';
    }
    return text;
  }

  /// Why the file is refused; empty: it is not.
  std::string refusal() const {
    try {
      const ArchiveWriter writer(path_);
      return {};
    } catch (const std::runtime_error& error) {
      return error.what();
    }
  }

  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
  std::unique_ptr<ArchiveWriter> writer_;
  std::optional<Snapshot> previous_;
};

// --- the file ---

TEST_F(ArchiveWriterTest, MakesAFileForItsOwnerOnly) {
  open();
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_TRUE(readArchiveHeader(path_)->is_wal);
}

TEST_F(ArchiveWriterTest, LeavesOneFile) {
  open();
  write(snapshotOf({processWith({})}));
  close();
  EXPECT_FALSE(readArchiveHeader(path_)->is_wal);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "-shm"));
  EXPECT_EQ(rows("SELECT * FROM recording_end").substr(0, 10), "1 9 count ");
  EXPECT_EQ(rows("PRAGMA integrity_check"), "ok\n");
}

TEST_F(ArchiveWriterTest, RefusesAnyOtherFileAndLeavesItAlone) {
  for (const std::string& content :
       {std::string(), std::string("text\n"), std::string(4096, 'x')}) {
    writeFile(path_, content);
    EXPECT_TRUE(refusal().starts_with(path_ + ": ")) << refusal();
    EXPECT_EQ(contentOf(path_), content);
  }
}

TEST_F(ArchiveWriterTest, RefusesAnArchiveWithAnotherSchema) {
  open();
  close();
  SQLite::Database(path_, SQLite::OPEN_READWRITE).exec("CREATE TABLE extra (a)");
  const std::string content = contentOf(path_);
  EXPECT_TRUE(refusal().starts_with(path_ + ": the schema ")) << refusal();
  EXPECT_EQ(contentOf(path_), content);
}

TEST_F(ArchiveWriterTest, RefusesAnArchiveWithAJournal) {
  open();
  close();
  writeFile(path_ + "-journal", "x");
  EXPECT_NE(refusal().find("-journal"), std::string::npos);
  EXPECT_EQ(contentOf(path_ + "-journal"), "x");
}

TEST_F(ArchiveWriterTest, RefusesAnArchiveThatIsBeingRecorded) {
  open();
  EXPECT_EQ(refusal(), path_ + ": another fdcapture is recording into it");
}

TEST_F(ArchiveWriterTest, RefusesAFolderThatIsNotThere) {
  path_ = folder_.file("missing/a.db");
  EXPECT_NE(refusal().find(path_), std::string::npos);
}

TEST_F(ArchiveWriterTest, ContinuesAnArchive) {
  open();
  EXPECT_EQ(write(snapshotOf({processWith({})})), 1);
  EXPECT_EQ(write(snapshotOf({processWith({})})), 2);
  close();
  open();
  EXPECT_EQ(write(snapshotOf({processWith({})})), 3);
  close();
  EXPECT_EQ(rows("SELECT id, recording, keyframe FROM snapshot"), "1 1 1\n2 1 0\n3 2 1\n");
  EXPECT_EQ(rows("SELECT id, recording, pid FROM process"), "1 1 7\n2 2 7\n");
  EXPECT_EQ(rows("SELECT recording, reason FROM recording_end"), "1 count\n2 count\n");
}

TEST_F(ArchiveWriterTest, ContinuesAfterARecorderThatWasKilled) {
  open();
  write(snapshotOf({processWith({})}));
  writer_.reset();
  open();
  EXPECT_EQ(write(snapshotOf({processWith({})})), 2);
  close();
  EXPECT_EQ(rows("SELECT recording FROM recording_end"), "2\n");
}

TEST_F(ArchiveWriterTest, ASnapshotIsThereOnceItIsWritten) {
  open();
  for (int64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(write(snapshotOf({processWith({socketFd(3, 500 + i)})})), i);
    EXPECT_EQ(rows("SELECT count(*), max(id), (SELECT max(snapshot) FROM fd_change) FROM snapshot"),
              std::to_string(i) + " " + std::to_string(i) + " " + std::to_string(i) + "\n");
  }
}

TEST_F(ArchiveWriterTest, ASnapshotThatCanNotBeWrittenWholeIsNotThere) {
  open();
  write(snapshotOf({processWith({})}));
  const Snapshot bad = snapshotOf({processWith({socketFd(3, 500)})});
  ChangeSet changes = detectChanges(nullptr, bad, true);
  // Somebody takes away the table into which the last row goes.
  SQLite::Database(path_, SQLite::OPEN_READWRITE).exec("DROP TABLE sockstat_change");
  const SockstatValue value{"TCP.inuse", 1};
  changes.sockstat.push_back({4000, NetTable::Sockstat, Change::Present, &value});
  EXPECT_THROW((void)writer_->write(bad, changes, {.keyframe = true}), SQLite::Exception);
  EXPECT_EQ(rows("SELECT max(id) FROM snapshot"), "1\n");
  EXPECT_EQ(rows("SELECT count(*) FROM fd_change"), "0\n");
}

// --- rows ---

TEST_F(ArchiveWriterTest, WritesWhatAProcessIs) {
  open();
  write(snapshotOf({processWith({})}));
  EXPECT_EQ(rows("SELECT pid, start_ticks FROM process"), "7 1000\n");
  EXPECT_EQ(rows("SELECT change, fd_list_status, parent_pid, comm.value, exe.value, cgroup.value, "
                 "real_uid, effective_uid, netns.inode FROM process_change c "
                 "JOIN text comm ON comm.id = c.comm JOIN text exe ON exe.id = c.exe "
                 "JOIN text cgroup ON cgroup.id = c.cgroup JOIN netns ON netns.id = c.netns"),
            "3 1 1 server /usr/bin/server /system.slice 0 0 4000\n");
  EXPECT_EQ(rows("SELECT change, r.value, soft, hard, u.value FROM limit_change l "
                 "JOIN text r ON r.id = l.resource JOIN text u ON u.id = l.unit"),
            "3 Max open files 1024 4096 files\n");
}

TEST_F(ArchiveWriterTest, WhatCouldNotBeReadIsNullAndZeroIsZero) {
  open();
  ProcessRecord unread{.identity = {8, 0}};
  unread.fd_list_status = ReadStatus::Failed;
  write(snapshotOf({processWith({}), unread}));
  EXPECT_EQ(rows("SELECT real_uid, parent_pid, comm IS NULL, netns FROM process_change c "
                 "JOIN process p ON p.id = c.process ORDER BY pid"),
            "0 1 0 1\n- - 1 -\n");
  EXPECT_EQ(rows("SELECT files_allocated, nr_open, uptime_ms FROM snapshot"), "- - -\n");
}

TEST_F(ArchiveWriterTest, NoLimitIsNull) {
  open();
  ProcessRecord process = processWith({});
  process.limits = std::vector<Limit>{{"Max nice priority", 0, std::nullopt, ""}};
  write(snapshotOf({process}));
  EXPECT_EQ(rows("SELECT soft, hard, unit FROM limit_change"), "0 - -\n");
}

TEST_F(ArchiveWriterTest, WritesFds) {
  open();
  FdRecord unreadable{.fd = 9};
  write(snapshotOf({processWith({socketFd(3, 500), fileFd(4, "/x"), unreadable})}));
  EXPECT_EQ(rows("SELECT fd, change, link_type, link_number, text.value, flags, mount_id, inode, "
                 "file_type, link_count, detail FROM fd_change c LEFT JOIN text ON text.id = "
                 "c.link_text ORDER BY fd"),
            "3 3 1 500 - 2 9 500 - - -\n"
            "4 3 3 - /x 1 20 77 8 1 -\n"
            "9 3 0 - - - - - - - -\n");
}

TEST_F(ArchiveWriterTest, ARowOfWhatHasGoneHasItsIdentityOnly) {
  open();
  write(snapshotOf({processWith({socketFd(3, 500)})}, {netnsWith({tcpRow(0), tcpRow(500)})}));
  write(snapshotOf({processWith({})}, {netnsWith({})}));
  write(snapshotOf({}, {}));
  EXPECT_EQ(rows("SELECT * FROM fd_change WHERE snapshot = 2"), "2 1 3 0 - - - - - - - - - -\n");
  EXPECT_EQ(rows("SELECT * FROM inet_gone"), "2 500\n");
  EXPECT_EQ(rows("SELECT change, inode, local_port, remote_port, state, uid FROM inet_change "
                 "WHERE snapshot = 2"),
            "0 0 9091 40000 - -\n");
  EXPECT_EQ(rows("SELECT * FROM process_change WHERE snapshot = 3"), "3 1 0 - - - - - - - - -\n");
  EXPECT_EQ(rows("SELECT DISTINCT status FROM net_table_change WHERE snapshot = 3"), "0\n");
}

TEST_F(ArchiveWriterTest, APidThatIsUsedAgainIsAnotherProcess) {
  open();
  write(snapshotOf({processWith({})}));
  ProcessRecord again = processWith({});
  again.identity.start_ticks = 2000;
  write(snapshotOf({again}));
  EXPECT_EQ(rows("SELECT id, pid, start_ticks FROM process"), "1 7 1000\n2 7 2000\n");
}

TEST_F(ArchiveWriterTest, TextsAndAddressesAreSharedUntilTheNextKeyframe) {
  open();
  const Snapshot snapshot = snapshotOf({processWith({fileFd(3, "/x"), fileFd(4, "/x")})},
                                       {netnsWith({tcpRow(500), tcpRow(501)})});
  write(snapshot);
  const std::string texts = rows("SELECT id, value FROM text WHERE value = CAST('/x' AS BLOB)");
  write(snapshot);
  EXPECT_EQ(rows("SELECT id, value FROM text WHERE value = CAST('/x' AS BLOB)"), texts);
  EXPECT_EQ(rows("SELECT count(*) FROM address"), "2\n");
  write(snapshot, true);
  EXPECT_EQ(rows("SELECT count(*) FROM text WHERE value = CAST('/x' AS BLOB)"), "2\n");
  EXPECT_EQ(rows("SELECT count(*) FROM address"), "4\n");
  // What is after the keyframe refers to nothing from before it.
  EXPECT_EQ(rows("SELECT count(*) FROM fd_change c JOIN text ON text.id = c.link_text "
                 "WHERE c.snapshot = 3 AND text.snapshot < 3"),
            "0\n");
  EXPECT_EQ(rows("SELECT count(*) FROM inet_change c JOIN address a ON a.id IN (c.local_address, "
                 "c.remote_address) WHERE c.snapshot = 3 AND a.snapshot < 3"),
            "0\n");
}

TEST_F(ArchiveWriterTest, NamesAreBytes) {
  open();
  ProcessRecord process = processWith({});
  process.comm = std::string("a\0\xff\n", 4);
  write(snapshotOf({process}));
  EXPECT_EQ(rows("SELECT hex(value) FROM text JOIN process_change c ON c.comm = text.id"),
            "6100FF0A\n");
}

TEST_F(ArchiveWriterTest, LargeNumbersKeepTheirBits) {
  open();
  ProcessRecord process = processWith({socketFd(3, std::numeric_limits<uint64_t>::max())});
  write(snapshotOf({process}));
  EXPECT_EQ(rows("SELECT link_number FROM fd_change"), "-1\n");
}

TEST_F(ArchiveWriterTest, WritesFailuresAndSecondLooks) {
  open();
  Snapshot snapshot = snapshotOf({processWith({socketFd(3, 500)})});
  snapshot.failures = {{.operation = "read",
                        .subject = "7/limits",
                        .pid = 7,
                        .error_number = 13,
                        .detail = {},
                        .count = 2},
                       {.operation = "parse",
                        .subject = "uptime",
                        .pid = {},
                        .error_number = {},
                        .detail = "no number"}};
  snapshot.second_looks = {
      {.process = {7, 1000}, .fd = 3, .table_reads = 2},
      {.process = {7, 1000}, .fd = 4, .outcome = SecondLook::Failed, .error_number = 13}};
  write(snapshot);
  EXPECT_EQ(rows("SELECT * FROM failure"),
            "1 read 7/limits 7 13 - 2\n1 parse uptime - - no number 1\n");
  EXPECT_EQ(rows("SELECT * FROM second_look"), "1 1 3 1 2 -\n1 1 4 4 1 13\n");
}

TEST_F(ArchiveWriterTest, WritesTheOtherTables) {
  open();
  NetnsRecord netns = netnsWith({});
  netns.unix_rows = {{.row = {.inode = 9, .path = "/run/x"}, .row_count = 2}};
  netns.netlink_rows = {{.inode = 4, .rx_queue = -1}};
  netns.packet_rows = {{.inode = 5, .running = true}};
  netns.sockstat[1] = {{"TCP6.inuse", 3}};
  netns.time_wait[0] = {{.local_port = std::nullopt, .count = 4}};
  FdRecord epoll = fileFd(6, "anon_inode:[eventpoll]");
  epoll.info->watches = {{.watched_fd = 3, .events = 1, .data = 8}};
  epoll.info->position = 12;
  write(snapshotOf({processWith({epoll})}, {netns}));
  EXPECT_EQ(rows("SELECT change, inode, value, row_count FROM unix_change JOIN text ON id = path"),
            "3 9 /run/x 2\n");
  EXPECT_EQ(rows("SELECT change, inode, rx_queue FROM netlink_change"), "3 4 -1\n");
  EXPECT_EQ(rows("SELECT change, inode, running FROM packet_change"), "3 5 1\n");
  EXPECT_EQ(rows("SELECT net_table, change, name, value FROM sockstat_change"),
            "15 3 TCP6.inuse 3\n");
  EXPECT_EQ(rows("SELECT net_table, local_port, count FROM time_wait_change"), "1 - 4\n");
  EXPECT_EQ(rows("SELECT fd, change, watched_fd, inode, events, data FROM epoll_watch_change"),
            "6 3 3 - 1 8\n");
  EXPECT_EQ(rows("SELECT fd, position FROM fd_position_change"), "6 12\n");
}

}  // namespace

}  // namespace fdmortem::test
