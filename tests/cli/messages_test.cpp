// A recorder whose messages nobody reads goes on.
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <string>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"
#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

class Unread : public ::testing::Test {
 protected:
  /// A recorder whose stderr is the file that `path` opens.
  ChildProcess recorder(const std::string& path, const std::string& option) const {
    return ChildProcess({"sh", "-c", "exec \"$@\" 2>'" + path + "'", "sh", FDCAPTURE_PATH, "record",
                         "-o", database, "-p", std::to_string(actor.pid()), "-i", "5ms", option});
  }

  int64_t snapshots() const {
    try {
      return SQLite::Database(database, SQLite::OPEN_READONLY, 1000)
          .execAndGet("SELECT count(*) FROM snapshot")
          .getInt64();
    } catch (const SQLite::Exception&) {
      return 0;  // there is none yet
    }
  }

  bool growsBy(int64_t count) const {
    const int64_t before = snapshots();
    return waitFor([&] { return snapshots() >= before + count; });
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  Actor actor{[](Cue& cue) { cue.await(); }};
};

std::string pathOf(const FileHandle& file) {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(file.get());
}

/// Reads what is there.
void drain(const FileHandle& file, std::string& text) {
  std::array<char, 4096> buffer;
  pollfd ready{.fd = file.get(), .events = POLLIN, .revents = 0};
  while (poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN) != 0) {
    const ssize_t length = read(file.get(), buffer.data(), buffer.size());
    if (length <= 0) return;
    text.append(buffer.data(), static_cast<size_t>(length));
  }
}

TEST_F(Unread, AFullPipeHoldsNoSnapshotUp) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const FileHandle reader(ends[0]), writer(ends[1]);
  fcntl(writer.get(), F_SETPIPE_SZ, 8192);
  ChildProcess process = recorder(pathOf(writer), "-v");
  // More lines than it takes.
  ASSERT_TRUE(growsBy(130));
  std::string text;
  EXPECT_TRUE(waitFor([&] {
    drain(reader, text);
    return text.find(" messages were lost: nobody read them, or no memory\n") != std::string::npos;
  }));
  EXPECT_NE(text.find("snapshot 1: "), std::string::npos);
  ASSERT_TRUE(growsBy(10));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 0);
}

TEST_F(Unread, ATerminalThatWasStoppedHoldsNoSnapshotUp) {
  const FileHandle terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal || grantpt(terminal.get()) != 0 || unlockpt(terminal.get()) != 0) {
    GTEST_SKIP() << "needs a terminal";
  }
  const std::string name = ptsname(terminal.get());
  const FileHandle side(open(name.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  ASSERT_TRUE(side);
  ChildProcess process = recorder(name, "--progress=always");
  std::string text;
  ASSERT_TRUE(waitFor([&] {
    drain(terminal, text);
    return text.find("snapshots") != std::string::npos;
  }));
  ASSERT_EQ(tcflow(side.get(), TCOOFF), 0);  // as Ctrl-S
  ASSERT_TRUE(growsBy(50));
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait(), 0);
}

}  // namespace
}  // namespace fdmortem::test
