// What CPack makes of this build, as somebody gets it: looked at by lintian, installed, run and
// removed.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/process.h"
#include "tests/support/recording.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

namespace fs = std::filesystem;

bool isInstalled(const std::string& program) {
  return runProgram({"/usr/bin/env", "sh", "-c", "command -v " + program}).status == 0;
}

/// Files in `folder` whose names end so.
std::vector<std::string> filesIn(const fs::path& folder, const std::string& end) {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().string().ends_with(end)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The packages, made once for all tests.
class Packages : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    for (const char* program : {"cpack", "dpkg-deb", "dpkg-shlibdeps", "scdoc"}) {
      if (!isInstalled(program)) missing = program;
    }
    if (!missing.empty()) return;
    folder = new TemporaryDirectory;
    const ProgramResult made = runProgram({"cpack", "-B", folder->path()}, {}, 4 * kDeadline,
                                          {.environment = {}, .directory = FDMORTEM_BINARY_DIR});
    ASSERT_EQ(made.status, 0) << made.out << made.err;
  }
  static void TearDownTestSuite() { delete std::exchange(folder, nullptr); }

  void SetUp() override {
    if (!missing.empty()) GTEST_SKIP() << missing << " is not installed";
    debs = filesIn(folder->path(), ".deb");
    archives = filesIn(folder->path(), ".tar.gz");
    ASSERT_EQ(debs.size(), 2U);
  }

  static std::string contentsOf(const std::string& deb) {
    return runProgram({"dpkg-deb", "--contents", deb}).out;
  }

  std::vector<std::string> debs;  ///< analyze, capture
  std::vector<std::string> archives;

 private:
  static inline TemporaryDirectory* folder = nullptr;
  static inline std::string missing;
};

TEST_F(Packages, HoldWhatTheyShould) {
  const std::string analyze = contentsOf(debs[0]);
  const std::string capture = contentsOf(debs[1]);
  for (const char* file :
       {"./usr/bin/fdanalyze\n", "./usr/share/man/man1/fdanalyze.1.gz\n",
        "./usr/share/man/man5/fdmortem-archive.5.gz\n", "/completions/fdanalyze\n",
        "/vendor-completions/_fdanalyze\n", "/fdanalyze.fish\n", "/fdmortem-analyze/copyright\n"}) {
    EXPECT_NE(analyze.find(file), std::string::npos) << file;
  }
  for (const char* file :
       {"./usr/bin/fdcapture\n", "./usr/share/man/man1/fdcapture.1.gz\n",
        "./lib/systemd/system/fdcapture.service\n",
        "./usr/share/doc/fdmortem-capture/examples/fdcapture.env\n", "/completions/fdcapture\n",
        "/vendor-completions/_fdcapture\n", "/fdcapture.fish\n", "/changelog.gz\n"}) {
    EXPECT_NE(capture.find(file), std::string::npos) << file;
  }
  EXPECT_EQ((analyze + capture).find("static"), std::string::npos);
  for (const std::string& deb : debs) {
    const std::string depends = runProgram({"dpkg-deb", "--field", deb, "Depends"}).out;
    for (const char* library : {"libsqlite3-0", "libzstd1", "libsodium23", "libstdc++6"})
      EXPECT_NE(depends.find(library), std::string::npos) << depends;
  }
}

TEST_F(Packages, LintianHasNothingToSay) {
  if (!isInstalled("lintian")) GTEST_SKIP() << "lintian is not installed";
  for (const std::string& deb : debs) {
    const ProgramResult result =
        runProgram({"lintian", "--allow-root", "--fail-on", "warning", deb}, {}, 4 * kDeadline);
    EXPECT_EQ(result.status, 0) << result.out;
    EXPECT_EQ(result.out, "");
  }
}

// In this machine's own system with a layer above it, so that the dependencies are real and nothing
// is changed.
TEST_F(Packages, AreInstalledRunAndRemoved) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "programs with sanitizers do not run in a root without /proc";
#endif
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const ProgramResult probe = runProgram({"unshare", "--mount", "true"});
  if (probe.status != 0) GTEST_SKIP() << "needs a mount namespace: " << probe.err;
  const TemporaryDirectory files;
  for (const std::string& deb : debs)
    fs::copy(deb, files.path());
  const std::string script = R"(
set -e
mount -t tmpfs none "$0"
mkdir "$0/root" "$0/upper" "$0/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$0/upper,workdir=$0/work" "$0/root" || exit 77
mkdir -p "$0/root/packages"
cp "$1"/*.deb "$0/root/packages"
chroot "$0/root" sh -ec '
  dpkg --install /packages/*.deb
  /usr/bin/fdcapture --version && /usr/bin/fdanalyze --version
  test -e /lib/systemd/system/fdcapture.service
  dpkg --remove fdmortem-capture fdmortem-analyze
  test ! -e /usr/bin/fdcapture && test ! -e /usr/bin/fdanalyze
  test ! -e /usr/share/doc/fdmortem-capture
  dpkg --purge fdmortem-capture fdmortem-analyze
  echo all gone'
)";
  const TemporaryDirectory place;
  const ProgramResult result = runProgram(
      {"unshare", "--mount", "bash", "-c", script, place.path(), files.path()}, {}, 4 * kDeadline);
  if (result.status == 77) GTEST_SKIP() << "no overlay can be mounted here: " << result.err;
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("fdcapture 0."), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("fdanalyze 0."), std::string::npos) << result.out;
  EXPECT_TRUE(result.out.ends_with("all gone\n")) << result.out;
}

TEST_F(Packages, TheStaticProgramRunsWhereItIsUnpacked) {
  if (archives.empty()) GTEST_SKIP() << "there is no fdcapture-static in this build";
  const TemporaryDirectory place;
  ASSERT_EQ(
      runProgram({"tar", "-C", place.path(), "--strip-components=1", "-xf", archives[0]}).status,
      0);
  const ProgramResult version = runProgram({place.file("bin/fdcapture"), "--version"});
  EXPECT_TRUE(version.out.starts_with("fdcapture ")) << version.err;
  for (const char* file : {"share/man/man1/fdcapture.1", "lib/systemd/system/fdcapture.service",
                           "share/doc/fdmortem/examples/fdcapture.env"}) {
    EXPECT_TRUE(fs::exists(place.file(file))) << file;
  }
}

TEST(Installation, PutsEachFileWhereItsKindBelongs) {
  const TemporaryDirectory place;
  const ProgramResult result = runProgram(
      {"cmake", "--install", FDMORTEM_BINARY_DIR, "--prefix", place.path()}, {}, kDeadline);
  ASSERT_EQ(result.status, 0) << result.err;
  for (const char* file :
       {"bin/fdcapture", "bin/fdanalyze", "lib/systemd/system/fdcapture.service",
        "share/doc/fdmortem/examples/fdcapture.env", "share/bash-completion/completions/fdanalyze",
        "share/zsh/site-functions/_fdcapture", "share/fish/vendor_completions.d/fdcapture.fish"}) {
    EXPECT_TRUE(fs::exists(place.file(file))) << file;
  }
  EXPECT_FALSE(fs::exists(place.file("share/doc/fdmortem-capture"))) << "that is for packages";
}

}  // namespace
}  // namespace fdmortem::test
