// The texts and the hash chain that the recorder puts beside the rows.
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "capture/archive/chain_writer.h"
#include "capture/archive/drop_snapshots.h"
#include "capture/archive/redact_archive.h"
#include "capture/archive/writer.h"
#include "capture/collect/text_log.h"
#include "capture/text_content.h"
#include "schema/evidence/stored_digests.h"
#include "schema/evidence/text_codec.h"
#include "tests/support/snapshots.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

class EvidenceTest : public testing::Test {
 protected:
  EvidenceTest() { open(); }

  void open() {
    writer_ = std::make_unique<ArchiveWriter>(path_);
    writer_->beginRecording({.host_name = "host", .options = {}, .keeps_texts = true});
    previous_.reset();
  }

  /// Writes a snapshot with such texts.
  int64_t write(const std::string& limits, const std::string& again = {}, bool keyframe = false) {
    Snapshot now = snapshotOf({processWith({socketFd(3, 500)})});
    now.texts = std::make_shared<SnapshotTexts>();
    now.texts->first.add("7/limits", limits);
    now.texts->first.add("7/cgroup", "0::/a\n");
    if (!again.empty()) now.texts->again.add("net:[4000]/tcp", again);
    keyframe = keyframe || !previous_;
    if (previous_) carryOver(*previous_, now);
    const auto changes = detectChanges(previous_ ? &*previous_ : nullptr, now, keyframe);
    const auto id = writer_->write(now, changes, {.keyframe = keyframe});
    if (!id) throw std::runtime_error(id.error().message);
    previous_ = std::move(now);
    return *id;
  }

  SQLite::Database close() {
    writer_->endRecording(9, "count");
    head_ = writer_->head();
    writer_.reset();
    return SQLite::Database(path_, SQLite::OPEN_READWRITE);
  }

  /// Of each bundle: `SNAPSHOT.PART BASE TEXTS`.
  static std::string texts(SQLite::Database& database) {
    std::string result, before;
    SQLite::Statement query(database,
                            "SELECT snapshot, part, base, size, digest, frame FROM verbatim");
    while (query.executeStep()) {
      const auto bytes = [&](int column) {
        const SQLite::Column value = query.getColumn(column);
        return std::string_view(static_cast<const char*>(value.getBlob()),
                                static_cast<size_t>(value.getBytes()));
      };
      const bool stands_alone = query.isColumnNull(2);
      const auto text = decodeText(bytes(5), static_cast<size_t>(query.getColumn(3).getInt64()),
                                   stands_alone ? std::string_view() : before);
      if (!text) throw std::runtime_error(text.error());
      EXPECT_EQ(digestFromBytes(bytes(4)), digestOf(text->view()));
      const auto entries = parseTextBundle(text->view());
      if (!entries) throw std::runtime_error(entries.error());
      result += query.getColumn(0).getString() + "." + query.getColumn(1).getString() + " " +
                (stands_alone ? "-" : query.getColumn(2).getString());
      for (const BundledText& entry : *entries)
        result += " " + std::string(entry.path) + "=" + std::string(entry.text);
      result += "\n";
      if (query.getColumn(1).getInt() == 1) before = text->view();
    }
    return result;
  }

  /// Follows the chain; returns its head, and fails where a link is not what it should be.
  static Digest follow(SQLite::Database& database) {
    StoredDigests digests(database);
    Digest previous{};
    bool is_first = true;
    SQLite::Statement query(database, "SELECT kind, subject, previous, value FROM chain");
    while (query.executeStep()) {
      const auto digest = [&](int column) {
        const SQLite::Column value = query.getColumn(column);
        return digestFromBytes({static_cast<const char*>(value.getBlob()),
                                static_cast<size_t>(value.getBytes())})
            .value();
      };
      ChainLink link{.kind = static_cast<LinkKind>(query.getColumn(0).getInt()),
                     .subject = query.getColumn(1).getInt64(),
                     .previous = digest(2)};
      const bool may_be_another = is_first || link.kind == LinkKind::Snapshot;
      EXPECT_TRUE(may_be_another || link.previous == previous);
      if (link.kind == LinkKind::Snapshot) {
        link.content = digests.ofSnapshot(link.subject);
      } else if (link.kind != LinkKind::Rewritten) {
        link.content = digests.ofRow(link.kind, link.subject).value();
      }
      EXPECT_EQ(link.value(), digest(3)) << query.getColumn(0).getInt() << " " << link.subject;
      previous = digest(3);
      is_first = false;
    }
    EXPECT_TRUE(digests.unordered().empty());
    return previous;
  }

  static std::string kinds(SQLite::Database& database) {
    return database.execAndGet("SELECT group_concat(kind, '') FROM chain").getString();
  }

  TemporaryDirectory folder_;
  std::string path_ = folder_.file("a.db");
  std::unique_ptr<ArchiveWriter> writer_;
  std::optional<Snapshot> previous_;
  Digest head_{};
};

TEST_F(EvidenceTest, TextsAreThoseThatWereRead) {
  write("a");
  write("b", "row\n");
  write("c");
  SQLite::Database database = close();
  EXPECT_EQ(texts(database),
            "1.1 - 7/limits=a 7/cgroup=0::/a\n\n"
            "2.1 1 7/limits=b 7/cgroup=0::/a\n\n"
            "2.2 2 net:[4000]/tcp=row\n\n"
            "3.1 2 7/limits=c 7/cgroup=0::/a\n\n");
}

TEST_F(EvidenceTest, TextsOfAKeyframeStandAlone) {
  write("a");
  write("b");
  write("c", {}, true);
  write("d");
  SQLite::Database database = close();
  EXPECT_EQ(
      database.execAndGet("SELECT group_concat(coalesce(base, '-')) FROM verbatim").getString(),
      "-,1,-,3");
}

TEST_F(EvidenceTest, TextsStandAloneFromTimeToTime) {
  for (int i = 0; i < 130; ++i)
    write(std::to_string(i));
  SQLite::Database database = close();
  EXPECT_EQ(database.execAndGet("SELECT group_concat(snapshot) FROM verbatim WHERE base IS NULL")
                .getString(),
            "1,65,129");
  EXPECT_NE(texts(database).find("130.1 129 7/limits=129"), std::string::npos);
}

TEST_F(EvidenceTest, ChainIsOverAllThatWasWritten) {
  write("a");
  writer_->note({.wall_ns = 5, .boottime_ns = 6}, "burst-began", "server");
  write("b", "row\n");
  SQLite::Database database = close();
  EXPECT_EQ(kinds(database), "12324");
  EXPECT_EQ(follow(database), head_);
  EXPECT_NE(head_, Digest{});
}

TEST_F(EvidenceTest, ChainGoesOnInTheNextRecording) {
  write("a");
  writer_->endRecording(9, "count");
  writer_.reset();
  open();
  write("b");
  SQLite::Database database = close();
  EXPECT_EQ(kinds(database), "124124");
  EXPECT_EQ(follow(database), head_);
}

TEST_F(EvidenceTest, ChainTellsEachChangeOfARow) {
  write("a");
  write("b");
  SQLite::Database database = close();
  ASSERT_EQ(follow(database), head_);
  database.exec("UPDATE process SET pid = 8");
  EXPECT_NONFATAL_FAILURE(follow(database), "2 1");
}

TEST_F(EvidenceTest, ChainOutlivesThatOldSnapshotsAreDropped) {
  write("a");
  write("b");
  write("c", {}, true);
  write("d");
  SQLite::Database database = close();
  dropSnapshotsBefore(database, 3, "keep");
  while (removeRemains(database, 3, 100)) {
  }
  EXPECT_EQ(kinds(database), "1224");
  EXPECT_EQ(follow(database), head_);
}

TEST_F(EvidenceTest, ChainOutlivesThatAllSnapshotsAreDropped) {
  write("a");
  write("b");
  dropSnapshotsBefore(writer_->archive().connection(), 3, "max-size");
  write("c", {}, true);
  SQLite::Database database = close();
  EXPECT_EQ(database.execAndGet("SELECT group_concat(id) FROM chain WHERE kind = 2").getString(),
            "4");
  EXPECT_EQ(follow(database), head_);
}

TEST_F(EvidenceTest, ChainEndsWhereASliceDoes) {
  write("a");
  write("b");
  writer_->note({.wall_ns = 5, .boottime_ns = 6}, "burst-began", "server");
  write("c");
  SQLite::Database database = close();
  dropSnapshotsAfter(database, 2, "slice-to");
  EXPECT_EQ(kinds(database), "122");
  EXPECT_NE(follow(database), head_);
  EXPECT_EQ(database.execAndGet("SELECT count(*) FROM recorder_event").getInt(), 0);
}

TEST_F(EvidenceTest, RedactedCopyHasAChainOfItsOwn) {
  write("a");
  write("b", "row\n");
  write("c");
  SQLite::Database database = close();
  redactArchive(database, {.paths = true, .addresses = true});
  EXPECT_EQ(texts(database), "1.1 - 7/limits=a\n2.1 1 7/limits=b\n2.2 2\n3.1 2 7/limits=c\n");
  EXPECT_EQ(kinds(database), "512224");
  EXPECT_NE(follow(database), head_);
  EXPECT_EQ(database.execAndGet("SELECT hex(previous) FROM chain WHERE kind = 5 AND id = 1")
                .getString()
                .size(),
            64U);
}

TEST(TextContentOf, TellsWhatATextCanHold) {
  EXPECT_EQ(textContentOf("net:[4026531840]/tcp6"), TextContent::Addresses);
  EXPECT_EQ(textContentOf("net:[4026531840]/icmp"), TextContent::Addresses);
  EXPECT_EQ(textContentOf("net:[4026531840]/unix"), TextContent::Paths);
  EXPECT_EQ(textContentOf("net:[4026531840]/sockstat"), TextContent::Plain);
  EXPECT_EQ(textContentOf("mnt:[4026531841]/mountinfo"), TextContent::Paths);
  EXPECT_EQ(textContentOf("7/cgroup"), TextContent::Paths);
  EXPECT_EQ(textContentOf("7/fdinfo/12"), TextContent::Paths);
  EXPECT_EQ(textContentOf("7/environ"), TextContent::Environment);
  EXPECT_EQ(textContentOf("7/limits"), TextContent::Plain);
  EXPECT_EQ(textContentOf("uptime"), TextContent::Plain);
}

}  // namespace
}  // namespace fdmortem::test
