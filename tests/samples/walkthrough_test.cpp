// The pages that walk through the samples: every command in them is run, and prints what stands
// there.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

class Walkthrough : public ::testing::TestWithParam<const char*> {};

TEST_P(Walkthrough, PrintsWhatStandsThere) {
  const std::string document = contentOf(std::string(FDMORTEM_SAMPLES_DIR "/") + GetParam());
  const ProgramResult result =
      runProgram({FDMORTEM_SAMPLES_DIR "/reports/replay", FDANALYZE_PATH}, document, 4 * kDeadline);
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, document) << "samples/reports/make writes it again";
  EXPECT_EQ(document.find("\nfdanalyze: "), std::string::npos) << "a command fails";
}

INSTANTIATE_TEST_SUITE_P(Documents, Walkthrough, ::testing::Values("README.md", "COOKBOOK.md"),
                         [](const auto& test) {
                           const std::string name = test.param;
                           return name.substr(0, name.find('.'));
                         });

TEST(Walkthroughs, ThereIsOneForEachSample) {
  const std::string document = contentOf(FDMORTEM_SAMPLES_DIR "/README.md");
  for (const auto& entry : std::filesystem::directory_iterator(FDMORTEM_SAMPLES_DIR)) {
    if (entry.path().extension() != ".db") continue;
    const std::string name = entry.path().filename();
    const size_t start = document.find("\n## " + name + "\n");
    ASSERT_NE(start, std::string::npos) << name;
    const std::string section = document.substr(start, document.find("\n## ", start + 1) - start);
    EXPECT_NE(section.find("\n```console run\n$ "), std::string::npos) << name;
  }
}

TEST(Walkthroughs, TheCookbookHasTenQuestions) {
  const std::string document = contentOf(FDMORTEM_SAMPLES_DIR "/COOKBOOK.md");
  for (int number = 1; number <= 10; ++number) {
    const size_t start = document.find("\n## " + std::to_string(number) + ". ");
    ASSERT_NE(start, std::string::npos) << number;
    const std::string section = document.substr(start, document.find("\n## ", start + 1) - start);
    EXPECT_NE(section.find("$ fdanalyze sql "), std::string::npos) << number;
  }
}

TEST(Picture, IsSmall) {
  EXPECT_LT(std::filesystem::file_size(FDMORTEM_SAMPLES_DIR "/reports/leak-reset.png"), 200'000U);
}

}  // namespace
}  // namespace fdmortem::test
