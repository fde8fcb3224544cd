#include "capture/collect/proc_source.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

class ProcSourceTest : public testing::Test {
 protected:
  ProcSourceTest() : source_(folder_.path()) {}

  int read(const char* path) { return ProcSource::read(source_.root(), path, text_); }

  TemporaryDirectory folder_;
  ProcSource source_;
  std::string text_ = "what was there before";
};

TEST(ProcSource, NeedsAFolder) {
  TemporaryDirectory folder;
  writeFile(folder.file("x"), "");
  EXPECT_THROW(ProcSource(folder.file("x")), std::system_error);
  EXPECT_THROW(ProcSource(folder.file("missing")), std::system_error);
}

TEST_F(ProcSourceTest, ReadsAFile) {
  writeFile(folder_.file("x"), "text\n");
  EXPECT_EQ(read("x"), 0);
  EXPECT_EQ(text_, "text\n");
}

TEST_F(ProcSourceTest, ReadsAnEmptyFile) {
  writeFile(folder_.file("x"), "");
  EXPECT_EQ(read("x"), 0);
  EXPECT_EQ(text_, "");
}

TEST_F(ProcSourceTest, ReadsALargeFileWhole) {
  const std::string content(1'000'003, 'x');
  writeFile(folder_.file("x"), content);
  EXPECT_EQ(read("x"), 0);
  EXPECT_TRUE(text_ == content);
}

TEST_F(ProcSourceTest, ReadsAFileThatMostlyComesWholeWhole) {
  for (const size_t size : {size_t{0}, size_t{4095}, size_t{4096}, size_t{4097}, size_t{10'000}}) {
    const std::string content(size, 'x');
    writeFile(folder_.file("x"), content);
    EXPECT_EQ(ProcSource::readWhole(source_.root(), "x", text_), 0);
    EXPECT_EQ(text_, content);
    std::string text = "before ";
    EXPECT_EQ(ProcSource::appendWhole(source_.root(), "x", text), 0);
    EXPECT_EQ(text, "before " + content);
  }
  EXPECT_EQ(ProcSource::readWhole(source_.root(), "missing", text_), ENOENT);
  EXPECT_EQ(text_, "");
  std::string text = "before";
  EXPECT_EQ(ProcSource::appendWhole(source_.root(), "missing", text), ENOENT);
  EXPECT_EQ(text, "before");
}

TEST_F(ProcSourceTest, TellsWhyAFileCanNotBeRead) {
  std::filesystem::create_directory(folder_.path() / "folder");
  EXPECT_EQ(read("missing"), ENOENT);
  EXPECT_EQ(text_, "");
  EXPECT_EQ(read("folder"), EISDIR);
  EXPECT_EQ(text_, "");
}

TEST_F(ProcSourceTest, DoesNotWaitForAFifo) {
  ASSERT_EQ(mkfifo(folder_.file("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read("fifo"), 0);
  EXPECT_EQ(text_, "");
}

TEST_F(ProcSourceTest, ListsNames) {
  writeFile(folder_.file("b"), "");
  writeFile(folder_.file("a"), "");
  auto names = ProcSource::list(source_.root(), ".");
  ASSERT_TRUE(names);
  std::sort(names->begin(), names->end());
  EXPECT_EQ(*names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ProcSource::list(source_.root(), "a").error(), ENOTDIR);
  EXPECT_EQ(ProcSource::list(source_.root(), "missing").error(), ENOENT);
}

TEST_F(ProcSourceTest, ReadsALinkThatLeadsNowhere) {
  std::filesystem::create_symlink("socket:[500]", folder_.path() / "3");
  EXPECT_EQ(ProcSource::readLink(source_.root(), "3", text_), 0);
  EXPECT_EQ(text_, "socket:[500]");
  EXPECT_EQ(ProcSource::readLink(source_.root(), "4", text_), ENOENT);
  EXPECT_EQ(text_, "");
}

TEST_F(ProcSourceTest, TellsWhatAFileIs) {
  writeFile(folder_.file("x"), "");
  std::filesystem::create_directory(folder_.path() / "folder");
  EXPECT_EQ(ProcSource::fileStatus(source_.root(), "x")->file_type, 8);
  EXPECT_EQ(ProcSource::fileStatus(source_.root(), "x")->link_count, 1U);
  EXPECT_EQ(ProcSource::fileStatus(source_.root(), "folder")->file_type, 4);
  EXPECT_EQ(ProcSource::fileStatus(source_.root(), "missing").error(), ENOENT);
}

TEST_F(ProcSourceTest, AHandlePinsItsFolder) {
  std::filesystem::create_directory(folder_.path() / "7");
  writeFile(folder_.file("7/stat"), "old");
  const auto handle = source_.openDirectory("7");
  ASSERT_TRUE(handle);
  std::filesystem::remove_all(folder_.path() / "7");
  std::filesystem::create_directory(folder_.path() / "7");
  writeFile(folder_.file("7/stat"), "new");
  EXPECT_EQ(ProcSource::read(handle->get(), "stat", text_), ENOENT);
}

TEST(ProcSource, AsksTheKernelForTheProtocolOfASocket) {
  const FileHandle udp(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const FileHandle stream(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_TRUE(udp && stream);
  const ProcSource source("/proc");
  const auto fds = source.openDirectory("self/fd");
  ASSERT_TRUE(fds);
  EXPECT_EQ(ProcSource::socketProtocol(fds->get(), std::to_string(udp.get())), "UDP");
  EXPECT_EQ(ProcSource::socketProtocol(fds->get(), std::to_string(stream.get())), "UNIX-STREAM");
}

/// However full the last page is.
void expectAllListed(const char* table, int family, int type) {
  const ProcSource source("/proc");
  std::vector<FileHandle> sockets;
  std::vector<std::string> inodes;
  for (int i = 0; i < 64; ++i) {
    sockets.emplace_back(socket(family, type | SOCK_CLOEXEC, 0));
    sockaddr_storage any{};
    any.ss_family = static_cast<sa_family_t>(family);
    const auto* address = reinterpret_cast<const sockaddr*>(&any);
    const bool is_bound = family == AF_UNIX || bind(sockets.back().get(), address, sizeof any) == 0;
    ASSERT_TRUE(is_bound);
    if (type == SOCK_STREAM) listen(sockets.back().get(), 1);
    struct stat status {};
    ASSERT_EQ(fstat(sockets.back().get(), &status), 0);
    inodes.push_back(" " + std::to_string(status.st_ino));
    std::string text = "before";
    ASSERT_EQ(ProcSource::appendTable(source.root(), table, text), 0);
    EXPECT_TRUE(text.starts_with("before"));
    EXPECT_TRUE(text.ends_with('\n'));
    for (const std::string& inode : inodes)
      EXPECT_NE(text.find(inode), std::string::npos) << table << ", " << inodes.size();
  }
}

TEST(ProcSource, ReadsTablesOfAnyLengthWhole) {
  expectAllListed("self/net/tcp", AF_INET, SOCK_STREAM);
  expectAllListed("self/net/udp", AF_INET, SOCK_DGRAM);
  expectAllListed("self/net/udp6", AF_INET6, SOCK_DGRAM);
  expectAllListed("self/net/unix", AF_UNIX, SOCK_DGRAM);
}

TEST_F(ProcSourceTest, ReadsATableOfASavedTreeWhole) {
  const std::string content(10'000, 'x');
  writeFile(folder_.file("tcp"), content);
  std::string text;
  EXPECT_EQ(ProcSource::appendTable(source_.root(), "tcp", text), 0);
  EXPECT_EQ(text, content);
  EXPECT_EQ(ProcSource::appendTable(source_.root(), "missing", text), ENOENT);
}

TEST(ProcSource, AFileIsNoSocket) {
  const ProcSource source("/proc");
  const auto fds = source.openDirectory("self/fd");
  ASSERT_TRUE(fds);
  EXPECT_FALSE(ProcSource::socketProtocol(fds->get(), std::to_string(fds->get())));
}

}  // namespace

}  // namespace fdmortem::test
