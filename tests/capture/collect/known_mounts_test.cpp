#include "capture/collect/known_mounts.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "capture/collect/process_collector.h"
#include "schema/readers/fd.h"
#include "tests/support/fake_proc.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

namespace {

/// Descriptors of all kinds. What this host does not have or allow is not among them.
class ManyKinds {
 public:
  ManyKinds() {
    openSockets();
    openPipes();
    openFiles();
    openAnonymousInodes();
  }

  const std::vector<FileHandle>& all() const { return all_; }

 private:
  void add(int fd) {
    if (fd >= 0) all_.emplace_back(fd);
  }

  void openSockets() {
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET}) {
      for (const int type : {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW})
        add(socket(family, type | SOCK_CLOEXEC, 0));
    }
    std::array<int, 2> pair{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return;
    for (const int fd : pair)
      add(fd);
    add(fcntl(pair[0], F_DUPFD_CLOEXEC, 0));
  }

  void openPipes() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) return;
    for (const int fd : ends)
      add(fd);
    // The same pipe, opened once more by its link.
    const std::string link = fmt::format("/proc/self/fd/{}", ends[0]);
    add(open(link.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    add(open(link.c_str(), O_PATH | O_CLOEXEC));
    const std::string fifo = folder_.file("fifo");
    if (mkfifo(fifo.c_str(), 0600) == 0) add(open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }

  void openFiles() {
    writeFile(folder_.file("file"), "");
    writeFile(folder_.file("deleted"), "");
    for (const char* name : {"file", "deleted", "."})
      add(open(folder_.file(name).c_str(), O_RDONLY | O_CLOEXEC));
    unlink(folder_.file("deleted").c_str());
    for (const char* path : {"/dev/null", "/proc/self/stat", "/proc/self/ns/net", "/sys"})
      add(open(path, O_RDONLY | O_CLOEXEC));
    add(memfd_create("socket:[1]", MFD_CLOEXEC));
  }

  void openAnonymousInodes() {
    add(eventfd(0, EFD_CLOEXEC));
    add(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    sigset_t none;
    sigemptyset(&none);
    add(signalfd(-1, &none, SFD_CLOEXEC));
    add(inotify_init1(IN_CLOEXEC));
    add(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{.events = EPOLLIN, .data = {.fd = 0}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, all_.front().get(), &event);
    add(epoll);
  }

  TemporaryDirectory folder_;
  std::vector<FileHandle> all_;
};

std::string linkText(const ProcSource& source, int fd) {
  std::string text;
  ProcSource::readLink(source.root(), fmt::format("self/fd/{}", fd).c_str(), text);
  return text;
}

FdInfo infoOf(const ProcSource& source, int fd) {
  std::string text;
  ProcSource::read(source.root(), fmt::format("self/fdinfo/{}", fd).c_str(), text);
  return parseFdInfo(text).value_or(FdInfo{});
}

class KnownMountsTest : public testing::Test {
 protected:
  KnownMountsTest() : source_("/proc"), mounts_(source_) {}

  bool kernelTellsInodes() const {
    return !kinds_.all().empty() && infoOf(source_, kinds_.all().front().get()).inode;
  }

  ProcSource source_;
  KnownMounts mounts_;
  ManyKinds kinds_;
};

TEST_F(KnownMountsTest, WhatFdinfoTellsOfALinkIsWhatTheLinkSays) {
  for (const FileHandle& fd : kinds_.all()) {
    const auto link = mounts_.linkOf(infoOf(source_, fd.get()));
    if (!link) continue;
    EXPECT_EQ(formatFdLink(*link), linkText(source_, fd.get()));
  }
}

TEST_F(KnownMountsTest, TellsTheLinksOfSocketsAndPipesAndNoOthers) {
  if (!kernelTellsInodes()) GTEST_SKIP() << "fdinfo has no ino: before Linux 5.14";
  EXPECT_TRUE(mounts_.any());
  std::map<std::string, int> kinds;
  for (const FileHandle& fd : kinds_.all()) {
    const std::string text = linkText(source_, fd.get());
    const bool is_told = text.starts_with("socket:[") || text.starts_with("pipe:[");
    EXPECT_EQ(mounts_.linkOf(infoOf(source_, fd.get())).has_value(), is_told) << text;
    ++kinds[text.substr(0, text.find(':'))];
  }
  EXPECT_GE(kinds["socket"], 3);
  EXPECT_GE(kinds["pipe"], 3);
  EXPECT_GE(kinds["anon_inode"], 3);
}

TEST_F(KnownMountsTest, AProcessIsReadAsItIs) {
  const auto self = openProcess(source_, getpid());
  ASSERT_TRUE(self);
  ProcessRecord process{.identity = self->stat.identity};
  const TextPolicy policy;
  TextLog texts(policy);
  FailureLog failures;
  ASSERT_TRUE(readFds(source_, mounts_, nullptr, process, texts, failures));
  std::map<int, std::string> links;
  for (const FdRecord& fd : process.fds)
    links[fd.fd] = formatFdLink(fd.link);
  for (const FileHandle& fd : kinds_.all())
    EXPECT_EQ(links[fd.get()], linkText(source_, fd.get()));
  EXPECT_TRUE(failures.take().empty());
}

TEST(KnownMounts, OfASavedTreeTheyTellNothing) {
  const FakeProc saved;
  const ProcSource source(saved.root());
  const KnownMounts mounts(source);
  EXPECT_FALSE(mounts.any());
  EXPECT_FALSE(mounts.linkOf({.mount_id = 9, .inode = 500}));
}

}  // namespace

}  // namespace fdmortem::test
