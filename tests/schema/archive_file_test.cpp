#include "schema/archive_file.h"

#include <sys/stat.h>

#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

class ArchiveFileTest : public testing::Test {
 protected:
  ArchiveFileTest() {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    SQLite::Transaction transaction(database);
    createArchiveTables(database);
    transaction.commit();
  }

  void execute(const std::string& sql) const {
    SQLite::Database database(path_, SQLite::OPEN_READWRITE);
    database.exec("PRAGMA synchronous = OFF");
    database.exec(sql);
  }
  std::string difference() const {
    SQLite::Database database(path_, SQLite::OPEN_READONLY);
    return schemaDifference(database);
  }
  /// Why the file is no archive; empty: it is one.
  std::string refusal() const {
    const auto header = readArchiveHeader(path_);
    return header ? std::string() : header.error();
  }
  void change(size_t at, char byte) const {
    std::string content = contentOf(path_);
    content.at(at) = byte;
    writeFile(path_, content);
  }

  TemporaryDirectory folder_;
  std::string path_ = folder_.file("archive.db");
};

TEST_F(ArchiveFileTest, KnowsAnArchive) {
  EXPECT_EQ(refusal(), "");
  EXPECT_FALSE(readArchiveHeader(path_)->is_wal);
}

TEST_F(ArchiveFileTest, TellsWriteAheadMode) {
  execute("PRAGMA journal_mode = WAL");
  EXPECT_EQ(refusal(), "");
  EXPECT_TRUE(readArchiveHeader(path_)->is_wal);
}

TEST_F(ArchiveFileTest, CarriesItsMarkAndVersionInTheHeader) {
  const std::string content = contentOf(path_);
  EXPECT_EQ(content.substr(68, 4), "fdmo");
  EXPECT_EQ(content.substr(60, 4), std::string("\0\0\0\3", 4));
}

TEST_F(ArchiveFileTest, RefusesAFileThatIsNotThere) {
  EXPECT_EQ(readArchiveHeader(folder_.file("missing")).error(), "No such file or directory");
}

TEST_F(ArchiveFileTest, RefusesAnEmptyFile) {
  writeFile(path_, "");
  EXPECT_EQ(refusal(), "an empty file, not a database, so no archive of fdcapture");
}

TEST_F(ArchiveFileTest, RefusesAFileThatIsTooShort) {
  writeFile(path_, contentOf(path_).substr(0, 99));
  EXPECT_EQ(refusal(), "not an SQLite database, so no archive of fdcapture");
}

TEST_F(ArchiveFileTest, RefusesAFileThatIsCut) {
  const std::string content = contentOf(path_);
  writeFile(path_, content.substr(0, content.size() - 1));
  EXPECT_EQ(refusal(), "cut: " + std::to_string(content.size() - 1) + " of " +
                           std::to_string(content.size()) + " bytes are there");
}

TEST_F(ArchiveFileTest, RefusesAnotherKindOfFile) {
  writeFile(path_, std::string(4096, 'x'));
  EXPECT_EQ(refusal(), "not an SQLite database, so no archive of fdcapture");
}

TEST_F(ArchiveFileTest, TellsACompressedFile) {
  for (const std::string magic : {"\x1f\x8b",
                                  "\xfd"
                                  "7zXZ",
                                  "\x28\xb5\x2f\xfd"}) {
    writeFile(path_, magic + std::string(4096, 'x'));
    EXPECT_EQ(refusal(), "a compressed file, not a database: unpack it first");
  }
}

TEST_F(ArchiveFileTest, RefusesADatabaseOfAnotherProgram) {
  execute("PRAGMA application_id = 1");
  EXPECT_EQ(refusal(), "an SQLite database of another program, so no archive of fdcapture");
}

TEST_F(ArchiveFileTest, RefusesAnotherVersion) {
  execute("PRAGMA user_version = 99");
  EXPECT_EQ(refusal(),
            "archive format version 99; this program knows version 3: a newer fdmortem reads it");
}

TEST_F(ArchiveFileTest, RefusesAFolder) {
  EXPECT_EQ(readArchiveHeader(folder_.path()).error(), "not a regular file");
}

TEST_F(ArchiveFileTest, DoesNotWaitForAFifo) {
  const std::string fifo = folder_.file("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(readArchiveHeader(fifo).error(), "not a regular file");
}

TEST_F(ArchiveFileTest, TellsAByteOfTheMagicThatChanged) {
  change(3, 'x');
  EXPECT_EQ(refusal(), "not an SQLite database, so no archive of fdcapture");
}

TEST_F(ArchiveFileTest, ItsOwnSchemaDiffersInNothing) {
  EXPECT_EQ(difference(), "");
}

TEST_F(ArchiveFileTest, ASchemaWithMoreDiffers) {
  for (const char* sql : {"CREATE TABLE extra (a)", "CREATE VIEW extra AS SELECT 1",
                          "CREATE INDEX extra ON text (id)",
                          "CREATE TRIGGER extra AFTER INSERT ON text BEGIN SELECT 1; END"}) {
    execute(sql);
    EXPECT_FALSE(difference().empty()) << sql;
    const std::string kind = std::string(sql).substr(7, std::string(sql).find(' ', 7) - 7);
    execute("DROP " + kind + " extra");
    EXPECT_EQ(difference(), "") << sql;
  }
}

TEST_F(ArchiveFileTest, ASchemaWithLessDiffers) {
  execute("DROP TABLE sockstat_change");
  EXPECT_FALSE(difference().empty());
}

TEST_F(ArchiveFileTest, ASchemaWithAnotherColumnDiffers) {
  execute("ALTER TABLE netns ADD COLUMN extra INTEGER");
  EXPECT_FALSE(difference().empty());
}

}  // namespace

}  // namespace fdmortem::test
