// Archives of released formats are read for ever: see README.md.
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

namespace fs = std::filesystem;

/// The report without what is of the file's place and not of its content.
std::string reportOf(const std::string& file) {
  Json report = analyze({"report", file});
  for (Json& database : report.at("databases"))
    database.erase("path");
  return report.dump(2) + "\n";
}

TEST(Golden, EachReleasedFormatIsRead) {
  const char* mode = std::getenv("FDMORTEM_GOLDEN");
  const bool is_writing = mode != nullptr && std::string(mode) == "write";
  size_t count = 0;
  for (const std::string& name : namesIn(FDMORTEM_GOLDEN_DIR)) {
    if (!name.starts_with("format-") || !name.ends_with(".db")) continue;
    ++count;
    const fs::path file = fs::path(FDMORTEM_GOLDEN_DIR) / name;
    const fs::path expected = fs::path(file).replace_extension(".json");
    if (is_writing && !fs::exists(expected)) writeFile(expected, reportOf(file));
    // Keys may be added to the report, and nothing that is there may change.
    const Json patch = Json::diff(Json::parse(contentOf(expected)), Json::parse(reportOf(file)));
    for (const Json& change : patch)
      EXPECT_EQ(change.at("op"), "add") << name << ": " << change.dump();
    EXPECT_EQ(runFdanalyze({"check", file}).status, 0) << name;
  }
  if (count == 0) GTEST_SKIP() << "no format was released yet";
}

TEST(Golden, ANewerFormatIsRefusedWithBothVersions) {
  const TemporaryDirectory directory;
  const std::string file = directory.file("newer.db");
  std::string content = contentOf(std::string(FDMORTEM_SAMPLES_DIR) + "/leak-reset.db");
  const std::string version = std::to_string(static_cast<int>(content.at(63)));
  content.at(63) = 99;
  writeFile(file, content);
  for (const char* command : {"report", "check", "snapshots"}) {
    const ProgramResult result = runFdanalyze({command, file});
    EXPECT_EQ(result.status, 1);
    EXPECT_NE((result.out + result.err)
                  .find("archive format version 99; this program knows version " + version),
              std::string::npos)
        << result.out << result.err;
  }
}

}  // namespace
}  // namespace fdmortem::test
