// Small archives that are made to cost much: each ends with one line, within its limits.
#include <algorithm>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

/// An archive that is sound in every row, with so many of them that belong to each other.
class Costly : public ::testing::Test {
 protected:
  Costly() {
    std::filesystem::copy_file(std::filesystem::path(FDMORTEM_SAMPLES_DIR) / "leak-reset.db", file);
  }

  void edit(const std::string& sql) const {
    SQLite::Database(file, SQLite::OPEN_READWRITE).exec(sql);
  }

  /// One socket, held by `count` fds and listed by as many rows: what joins them is square.
  void makeSquare(int count) const {
    const std::string numbers =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
        std::to_string(count) + ") ";
    edit(numbers +
         "INSERT INTO fd_change (snapshot, process, fd, change, link_type, link_number)"
         " SELECT 50, (SELECT max(process) FROM fd_change), 10000 + i, 1, 1, 4711 FROM n");
    edit(numbers +
         "INSERT INTO inet_change SELECT 50, c.netns, c.net_table, 1, 4711, c.local_address, i,"
         " c.remote_address, i / 60000, 1, 0 FROM n,"
         " (SELECT * FROM inet_change WHERE net_table = 1 LIMIT 1) c");
  }

  static void expectOneLine(const ProgramResult& result, const std::string& reason) {
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.out, "");
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_NE(result.err.find(reason), std::string::npos) << result.err;
  }

  const TemporaryDirectory directory;
  const std::string file = directory.file("a.db");
};

TEST_F(Costly, ASquareEndsByItself) {
  makeSquare(20'000);
  const ProgramResult result = runFdanalyze({"report", file});
  EXPECT_EQ(result.status, 1);
  expectOneLine(result, "takes more than ");
}

TEST_F(Costly, TimeIsLimited) {
  makeSquare(20'000);
  expectOneLine(runFdanalyze({"report", file, "--max-time", "300ms"}),
                file + ": takes more than 0.3 s of CPU time; --max-time allows more");
}

TEST_F(Costly, MemoryIsLimited) {
  makeSquare(20'000);
  expectOneLine(runFdanalyze({"sockets", file, "--max-memory", "80M", "--max-time", "1h"}),
                file + ": takes more than 80 MiB of memory; --max-memory allows more");
}

TEST_F(Costly, AQueryIsLimitedToo) {
  expectOneLine(runFdanalyze({"sql", file, "--max-time", "1s",
                              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                              " SELECT count(*) FROM n"}),
                file + ": takes more than 1 s of CPU time; --max-time allows more");
}

TEST_F(Costly, ANameThatIsRepeatedIsLimited) {
  edit(
      "UPDATE text SET value = zeroblob(4000000) WHERE id = (SELECT max(link_text) FROM "
      "fd_change)");
  edit(
      "UPDATE fd_change SET link_text = (SELECT max(link_text) FROM fd_change) WHERE link_text > "
      "0");
  const ProgramResult result = runFdanalyze({"report", file});
  if (result.status != 0) expectOneLine(result, "takes more than ");
}

TEST_F(Costly, ANameThatIsLongerThanAnyIsRefused) {
  edit(
      "UPDATE text SET value = zeroblob(9000000) WHERE id = (SELECT max(link_text) FROM "
      "fd_change)");
  expectOneLine(runFdanalyze({"report", file}), "table text, row ");
}

// Sparse: it takes no room on the disk, and its copy would.
TEST_F(Costly, AFileThatIsTooLargeIsNotCopied) {
  std::filesystem::resize_file(file, (uintmax_t{4} << 30) + 4096);
  expectOneLine(runFdanalyze({"report", file}),
                file + ": larger than 4 GiB, the most that is read");
  EXPECT_EQ(runFdanalyze({"check", file}).status, 1);
}

TEST_F(Costly, AnHonestOneNeedsLittle) {
  EXPECT_EQ(runFdanalyze({"report", file, "--max-memory", "128M", "--max-time", "20s"}).status, 0);
}

}  // namespace
}  // namespace fdmortem::test
