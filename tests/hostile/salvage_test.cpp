// --salvage, as a user meets it.
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

class SalvageCommand : public ::testing::Test {
 protected:
  SalvageCommand() {
    std::filesystem::copy_file(std::filesystem::path(FDMORTEM_SAMPLES_DIR) / "leak-reset.db", file);
  }

  const TemporaryDirectory directory;
  const std::string file = directory.file("a.db");
};

TEST_F(SalvageCommand, OfAWholeArchiveNothingIsOtherwise) {
  const ProgramResult plain = runFdanalyze({"report", file});
  const ProgramResult salvaged = runFdanalyze({"report", file, "--salvage"});
  EXPECT_EQ(salvaged.status, 0);
  EXPECT_EQ(salvaged.out, plain.out);
  EXPECT_EQ(salvaged.err, plain.err);
}

TEST_F(SalvageCommand, SaysWhatIsMissingWithStatusThree) {
  SQLite::Database(file, SQLite::OPEN_READWRITE)
      .exec("UPDATE fd_change SET change = 9 WHERE snapshot >= 40");
  const ProgramResult refused = runFdanalyze({"report", file});
  EXPECT_EQ(refused.status, 1);
  EXPECT_NE(refused.err.find("table fd_change"), std::string::npos) << refused.err;

  const ProgramResult text = runFdanalyze({"report", file, "--salvage"});
  EXPECT_EQ(text.status, 3);
  EXPECT_NE(text.err.find(file + ": damaged: "), std::string::npos) << text.err;
  const size_t unseen = text.out.find("What could not be seen");
  ASSERT_NE(unseen, std::string::npos);
  EXPECT_NE(text.out.find("damaged: ", unseen), std::string::npos) << text.out.substr(unseen);

  const Json report = Json::parse(runFdanalyze({"report", file, "--salvage", "-f", "json"}).out);
  const std::string doubt = report.at("databases")[0].at("doubts")[0];
  EXPECT_TRUE(doubt.starts_with("damaged: ") &&
              doubt.find("snapshots were left out") != std::string::npos)
      << doubt;
  for (const char* command : {"snapshots", "sockets", "outlived"})
    EXPECT_EQ(runFdanalyze({command, file, "--salvage"}).status, 3) << command;
  EXPECT_EQ(runFdanalyze({"export", file, "--salvage", "-o", directory.file("e")}).status, 3);
}

// A copy that broke off, down to nothing: it is used or refused, and never more than that.
TEST_F(SalvageCommand, OfACutFileTheStatusTellsAll) {
  const std::string whole = contentOf(file);
  for (size_t part = 1; part < 16; ++part) {
    writeFile(file, whole.substr(0, whole.size() * part / 16));
    EXPECT_EQ(runFdanalyze({"snapshots", file}).status, 1) << part;
    const ProgramResult result = runFdanalyze({"snapshots", file, "--salvage"});
    EXPECT_TRUE(result.status == 1 || result.status == 3) << part << ": " << result.status;
    EXPECT_NE(result.err, "") << part;
  }
}

}  // namespace
}  // namespace fdmortem::test
