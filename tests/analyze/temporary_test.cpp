#include "analyze/temporary.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

namespace fs = std::filesystem;

/// A folder with files in it and below it, more than one reading of it lists.
std::string makeTree(const std::string& path) {
  fs::create_directories(path + "/below");
  for (int i = 0; i < 300; ++i)
    std::ofstream(path + "/a file with a name of some length " + std::to_string(i));
  std::ofstream(path + "/below/file") << "text";
  return path;
}

TEST(Temporary, GoesWithItsObject) {
  const TemporaryDirectory directory;
  const std::string beside = makeTree(directory.file("beside"));
  fs::create_directory_symlink(beside, makeTree(directory.file("folder")) + "/link");
  {
    const Temporary folder(directory.file("folder"));
    const Temporary file(directory.file("file"));
    std::ofstream(file.path()) << "text";
    const Temporary nothing(directory.file("nothing"));
  }
  EXPECT_FALSE(fs::exists(directory.file("folder")));
  EXPECT_FALSE(fs::exists(directory.file("file")));
  EXPECT_TRUE(fs::exists(beside + "/below/file")) << "a link is not followed";
}

class AtSignal : public ::testing::TestWithParam<int> {};

TEST_P(AtSignal, WhatIsThereIsRemoved) {
  const TemporaryDirectory directory;
  const std::string kept = makeTree(directory.file("kept"));
  EXPECT_EXIT(
      {
        signal(GetParam(), SIG_DFL);
        removeTemporariesAtSignals();
        { const Temporary gone(makeTree(directory.file("gone"))); }
        fs::create_directory(directory.file("gone"));
        const Temporary folder(makeTree(directory.file("folder")));
        const Temporary file(makeTree(directory.file("other")));
        raise(GetParam());
      },
      ::testing::KilledBySignal(GetParam()), "");
  EXPECT_FALSE(fs::exists(directory.file("folder")));
  EXPECT_FALSE(fs::exists(directory.file("other")));
  EXPECT_TRUE(fs::exists(kept));
  EXPECT_TRUE(fs::exists(directory.file("gone"))) << "made by somebody else since";
}

INSTANTIATE_TEST_SUITE_P(Each, AtSignal, ::testing::Values(SIGHUP, SIGINT, SIGPIPE, SIGTERM));

TEST(SignalsHeld, ComeOnceItHasGone) {
  const TemporaryDirectory directory;
  EXPECT_EXIT(
      {
        signal(SIGTERM, SIG_DFL);
        removeTemporariesAtSignals();
        std::optional<Temporary> folder;
        {
          const SignalsHeld held;
          raise(SIGTERM);
          folder.emplace(makeTree(directory.file("folder")));
        }
        _exit(7);
      },
      ::testing::KilledBySignal(SIGTERM), "");
  EXPECT_FALSE(fs::exists(directory.file("folder")));
}

TEST(RemoveTemporariesAtSignals, AnIgnoredOneStaysSo) {
  EXPECT_EXIT(
      {
        signal(SIGHUP, SIG_IGN);
        removeTemporariesAtSignals();
        raise(SIGHUP);
        _exit(7);
      },
      ::testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace fdmortem::test
