// fdcapture-static: one file that needs nothing but /proc.
#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

/// The entries of a table inside an ELF file, as <elf.h> describes it.
template <class Entry>
std::vector<Entry> tableAt(const std::string& file, size_t offset, size_t size_bytes) {
  std::vector<Entry> entries(size_bytes / sizeof(Entry));
  if (file.size() < offset + size_bytes) throw std::runtime_error("the file is cut");
  std::memcpy(entries.data(), file.data() + offset, entries.size() * sizeof(Entry));
  return entries;
}

struct Needs {
  bool has_interpreter = false;
  size_t library_count = 0;
};

/// What the kernel and the loader would have to find for this program.
Needs needsOf(const std::string& path) {
  const std::string file = contentOf(path);
  const auto header = tableAt<Elf64_Ehdr>(file, 0, sizeof(Elf64_Ehdr)).at(0);
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) throw std::runtime_error("no ELF file");
  Needs needs;
  for (const auto& segment :
       tableAt<Elf64_Phdr>(file, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr))) {
    needs.has_interpreter |= segment.p_type == PT_INTERP;
    if (segment.p_type != PT_DYNAMIC) continue;
    for (const auto& entry : tableAt<Elf64_Dyn>(file, segment.p_offset, segment.p_filesz))
      needs.library_count += entry.d_tag == DT_NEEDED ? 1 : 0;
  }
  return needs;
}

TEST(Static, NeedsNoLibrary) {
  static_assert(sizeof(void*) == 8, "the test knows 64 bit ELF files only");
  const Needs shared = needsOf(FDCAPTURE_PATH);
  EXPECT_TRUE(shared.has_interpreter) << "else the test sees nothing";
  EXPECT_GT(shared.library_count, 0U);
  const Needs fixed = needsOf(FDCAPTURE_STATIC_PATH);
  EXPECT_FALSE(fixed.has_interpreter);
  EXPECT_EQ(fixed.library_count, 0U);
}

TEST(Static, IsSmallEnoughToMail) {
  EXPECT_LT(std::filesystem::file_size(FDCAPTURE_STATIC_PATH), 8'000'000U);
}

/// A root directory with the program and /proc and nothing else: no /dev, no /etc.
class EmptyRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::copy_file(FDCAPTURE_STATIC_PATH, root.file("fdcapture"));
    ::mkdir(root.file("proc").c_str(), 0755);
    const ProgramResult result = runInside({"--version"});
    if (result.status != 0) GTEST_SKIP() << "needs root, and mounts: " << result.err;
  }

  ProgramResult runInside(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(),
                     {"unshare", "--mount-proc", "--root", root.path().string(), "/fdcapture"});
    const SpawnOptions options{
        .environment = {{"LANG", "xx_YY.nonsense"}, {"LC_ALL", "xx_YY.nonsense"}, {"TZ", "Mars"}},
        .directory = {}};
    return runProgram(std::move(arguments), {}, kDeadline, options);
  }

  const TemporaryDirectory root;
};

TEST_F(EmptyRoot, IsWhereItRecords) {
  const Socket listener = listenOn("::1");
  Actor actor([address = listener.local()](Cue& cue) {
    const std::vector<Socket> sockets = connectTimes(address, 3);
    cue.tell("connected");
    cue.await();
  });
  actor.hear();
  for (Socket& socket : acceptTimes(listener, 3))
    socket.reset();

  const ProgramResult recorded = runInside(
      {"record", "-o", "/f.db", "-p", std::to_string(actor.pid()), "-n", "3", "-i", "1s"});
  EXPECT_EQ(recorded.status, 0) << recorded.err;
  const size_t head = recorded.err.find("; head ");
  EXPECT_EQ(recorded.err.substr(0, head),
            "fdcapture: recording into /f.db every 1s\nfdcapture: process " +
                std::to_string(actor.pid()) +
                " (static_test) has 3 sockets that outlived their connections\n"
                "fdcapture: 3 snapshots in /f.db, ended: count");
  const ProgramResult copied = runInside({"copy", "/f.db", "/copy.db"});
  EXPECT_EQ(copied.status, 0) << copied.err;
  EXPECT_EQ(namesIn(root.path()),
            (std::vector<std::string>{"copy.db", "f.db", "fdcapture", "proc"}));

  const Json databases = analyze({"report", root.file("copy.db")}).at("databases");
  EXPECT_EQ(databases[0].at("sha256"), copied.out.substr(0, 64));
  for (const char* name : {"f.db", "copy.db"}) {
    const std::string database = root.file(name);
    const Json report = analyze({"report", database});
    EXPECT_EQ(report.at("coverage").at("snapshots"), 3);
    EXPECT_EQ(report.at("coverage").at("unreadable"), Json::array());
    EXPECT_EQ(report.at("databases")[0].at("doubts"), Json::array());
    EXPECT_EQ(processOf(report, actor.pid()).at("fds").at("last"), 8);
    const Json outlived = analyze({"outlived", database});
    EXPECT_EQ(valuesOf(outlived, "proof"), Json({"autopsy", "autopsy", "autopsy"}));
  }
}

TEST_F(EmptyRoot, FailuresAreStillSaidInWords) {
  const ProgramResult result =
      runInside({"record", "-o", "/nowhere/f.db", "-p", std::to_string(::getpid())});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.err, "fdcapture: /nowhere/f.db: there is no folder /nowhere\n");
}

}  // namespace
}  // namespace fdmortem::test
