// Fds that are no sockets, and names made to deceive.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

int openFile(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error(path + ": " + std::strerror(errno));
  return fd;
}

int checked(long fd, const char* what) {
  if (fd < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  return static_cast<int>(fd);
}

TEST(Kinds, AreTheKernelsOwn) {
  const TemporaryDirectory directory;
  Actor actor([&](Cue& cue) {
    Json fds;
    fds["file"] = openFile(directory.file("plain"), O_RDWR | O_CREAT);
    fds["looks deleted"] = openFile(directory.file("x (deleted)"), O_RDWR | O_CREAT);
    fds["deleted"] = openFile(directory.file("gone"), O_RDWR | O_CREAT);
    ::unlink(directory.file("gone").c_str());
    fds["directory"] = openFile(directory.path(), O_RDONLY | O_DIRECTORY);
    fds["device"] = openFile("/dev/zero", O_RDONLY);
    if (::mkfifo(directory.file("fifo").c_str(), 0600) != 0) throw std::runtime_error("mkfifo");
    fds["fifo"] = openFile(directory.file("fifo"), O_RDWR);
    std::array<int, 2> pipe{};
    checked(::pipe2(pipe.data(), O_CLOEXEC), "pipe2");
    fds["pipe"] = pipe[0];
    fds["memfd"] = checked(::memfd_create("name", MFD_CLOEXEC), "memfd_create");
    fds["eventfd"] = checked(::eventfd(0, EFD_CLOEXEC), "eventfd");
    fds["timerfd"] = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), "timerfd_create");
    sigset_t signals;
    ::sigemptyset(&signals);
    fds["signalfd"] = checked(::signalfd(-1, &signals, SFD_CLOEXEC), "signalfd");
    fds["inotify"] = checked(::inotify_init1(IN_CLOEXEC), "inotify_init1");
    fds["eventpoll"] = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    fds["pidfd"] = checked(::syscall(SYS_pidfd_open, ::getpid(), 0), "pidfd_open");
    const Socket socket(AF_INET, SOCK_STREAM);
    fds["socket"] = socket.fd();
    cue.tell(fds);
    cue.await();
  });
  const Json fds = actor.hear();
  const std::string database = directory.file("f.db");
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "2",
                          "-i", "20ms"})
                .status,
            0);
  const Json report = analyze({"report", database});
  EXPECT_EQ(processOf(report, actor.pid()).at("kinds"), Json({{"file", 2},
                                                              {"deleted-file", 1},
                                                              {"directory", 1},
                                                              {"char-device", 4},
                                                              {"fifo", 1},
                                                              {"pipe", 4},
                                                              {"memfd", 1},
                                                              {"eventfd", 1},
                                                              {"timerfd", 1},
                                                              {"signalfd", 1},
                                                              {"inotify", 1},
                                                              {"eventpoll", 1},
                                                              {"pidfd", 1},
                                                              {"socket", 1}}));
  const auto kind_of = [&](const char* name) {
    return queryValue(database, "SELECT kind FROM fd_span WHERE fd = " + fds.at(name).dump());
  };
  EXPECT_EQ(kind_of("looks deleted"), "file");
  EXPECT_EQ(kind_of("deleted"), "deleted-file");
  EXPECT_EQ(kind_of("pipe"), "pipe");
  EXPECT_EQ(kind_of("device"), "char-device");
  EXPECT_EQ(
      queryValue(database, "SELECT target FROM fd_span WHERE fd = " + fds.at("deleted").dump()),
      directory.file("gone") + " (deleted)");
}

TEST(Kinds, AFileThatIsDeletedIsStillTheSame) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("log");
  Actor actor([&](Cue& cue) {
    cue.tell(openFile(path, O_RDWR | O_CREAT));
    cue.await();
  });
  const int fd = actor.hear().get<int>();
  Recording recording(directory.file("f.db"), selectPids({actor.pid()}));
  const int64_t first = recording.awaitSnapshots();
  std::filesystem::rename(path, path + ".1");
  const int64_t renamed = recording.awaitSnapshots();
  std::filesystem::remove(path + ".1");
  const int64_t deleted = recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  EXPECT_EQ(query(recording.file(), "SELECT kind, count(*) AS count FROM fd_span WHERE fd = " +
                                        std::to_string(fd) + " GROUP BY 1"),
            Json({{{"kind", "deleted-file"}, {"count", 1}}}));
  for (const int64_t last : {renamed, deleted}) {
    const Json diff =
        analyze({"diff", recording.file(), std::to_string(first), std::to_string(last)});
    EXPECT_EQ(rowsWhere(diff, "change", "opened"), Json::array());
    EXPECT_EQ(rowsWhere(diff, "change", "closed"), Json::array());
    EXPECT_EQ(rowsWhere(diff, "change", "replaced"), Json::array());
  }
}

// A number that was given to a connection is watched by the epoll that watched the one before only
// if it is that file.
TEST(Epoll, WatchesAFileAndNotANumber) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    const FileHandle epoll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    const Socket watched = connectTo(address);
    checked(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, watched.fd(), &event), "epoll_ctl");
    Socket replaced = connectTo(address);
    checked(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, replaced.fd(), &event), "epoll_ctl");
    // A duplicate keeps it in the epoll, under the number that it had.
    const FileHandle duplicate(::fcntl(replaced.fd(), F_DUPFD_CLOEXEC, 200));
    const Socket other = connectTo(address);
    checked(::dup3(other.fd(), replaced.fd(), O_CLOEXEC), "dup3");
    cue.tell({{"epoll", epoll.get()},
              {"watched", watched.fd()},
              {"duplicate", duplicate.get()},
              {"replaced", replaced.fd()}});
    cue.await();
  });
  const Json fds = actor.hear();
  const std::string database = directory.file("f.db");
  ASSERT_EQ(
      runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "1"}).status,
      0);
  const Json sockets = analyze({"sockets", database});
  const auto watchers = [&](const char* name) {
    return socketRow(sockets, actor.pid(), fds.at(name).get<int>()).at("watched_by");
  };
  EXPECT_EQ(watchers("watched"), Json::array({fds.at("epoll")}));
  EXPECT_EQ(watchers("duplicate"), Json::array({fds.at("epoll")}));
  EXPECT_EQ(watchers("replaced"), Json::array());
}

/// Names with a newline, a terminal's escape, a C1 control, a bidi override, a byte that is no
/// UTF-8, and what a spreadsheet takes for a formula.
constexpr const char* kHostile = "=1\n\x1b[2J\x1b]0;x\x07\xc2\x9b\xe2\x80\xae\"',\\\t\xff";

/// Why a text may not be printed; empty if it may.
std::string whyUnsafe(const std::string& text, bool is_csv) {
  try {
    (void)Json(text).dump();
  } catch (const Json::exception&) {
    return "invalid UTF-8";
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_line_end = is_csv && byte == '\r' && text.substr(i, 2) == "\r\n";
    if ((byte < 0x20 && byte != '\n' && !is_line_end) || byte == 0x7f) {
      return "control character " + std::to_string(byte);
    }
    if (byte == 0xc2 && static_cast<unsigned char>(text.at(i + 1)) < 0xa0) return "a C1 control";
  }
  return text.find("\xe2\x80\xae") == std::string::npos ? "" : "a bidi override";
}

/// Where names come from: open files, a UNIX socket, comm, the program's file and its arguments,
/// the archive's own path.
class HostileNames : public ::testing::Test {
 protected:
  HostileNames() {
    std::filesystem::create_directory(folder);
    const std::string program = folder / (std::string(kHostile) + "demo");
    std::filesystem::copy_file(FDMORTEM_DEMO_PATH, program);
    server.emplace(std::vector<std::string>{program, "serve", "--behaviour", "healthy",
                                            "--ready-file",
                                            folder / (std::string(kHostile) + "r")});
    EXPECT_TRUE(server->readLine().has_value());
    actor.emplace([this](Cue& cue) {
      ::prctl(PR_SET_NAME, "a\nb\x1b\xff\\");
      openFile(folder / kHostile, O_RDWR | O_CREAT);
      openFile(folder / (std::string(kHostile) + " (deleted)"), O_RDWR | O_CREAT);
      ::unlink((folder / (std::string(kHostile) + " (deleted)")).c_str());
      const Socket abstract(AF_UNIX, SOCK_STREAM);
      bindUnix(abstract, "@" + std::string(kHostile) + std::to_string(::getpid()));
      checked(::memfd_create(kHostile, 0), "memfd_create");
      cue.tell("ready");
      cue.await();
    });
    actor->hear();
  }

  const TemporaryDirectory directory;
  const std::filesystem::path folder = directory.path() / kHostile;
  const std::string database = folder / "f.db";
  std::optional<ChildProcess> server;
  std::optional<Actor> actor;
};

TEST_F(HostileNames, AreNeverPrintedAsTheyAre) {
  ASSERT_NE(whyUnsafe(kHostile, false), "");
  Recording recording(database, selectPids({server->pid(), actor->pid()}), "50ms");
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0);
  EXPECT_EQ(whyUnsafe(recording.errors(), false), "");
  // A second one, without an end, so that there are doubts to be said.
  Recording killed(database, selectPids({actor->pid()}), "50ms");
  killed.awaitSnapshots();
  killed.process().signal(SIGKILL);
  killed.wait();

  const std::string damaged = folder / "damaged.db";
  const std::string content = contentOf(database);
  writeFile(damaged, content.substr(0, content.size() / 2));
  std::vector<std::vector<std::string>> commands = {
      {"report", database},
      {"report", database, "-f", "json"},
      {"report", database, "-f", "markdown"},
      {"report", database, "-f", "html"},
      {"report", database, "--log", database},
      {"report", database + "missing"},
      {"report", damaged},
      {"report", damaged, "--salvage"},
      {"check", damaged},
      {"check", damaged, "-f", "json"},
      {"check", database},
      {"check", database, "-f", "json"},
      {"export", database, "-o", folder / "missing/x"},
      {"diff", database, "first", kHostile},
      {"diff", database, "first", "last", "--by", "kind"},
      {"sockets", database, "--comm", kHostile},
      // Wrong usage, with what was given in the message.
      {"report", database, "-f", kHostile},
      {"sockets", database, "--verdict", kHostile},
      {"sockets", database, std::string("--") + kHostile},
      {"history", database, "--pid", kHostile, "--fd", "1"},
      {"report", database, "--mark", kHostile},
      {"report", database, "--from", kHostile},
      {kHostile},
      {"sql", database, std::string("SELECT '") + kHostile},
  };
  for (const char* format : {"table", "json", "csv", "ndjson"}) {
    for (const char* listing : {"outlived", "sockets", "snapshots"})
      commands.push_back({listing, database, database, "-f", format});
    commands.push_back({"diff", database, "first", "last", "-f", format});
    for (int fd = 0; fd < 8; ++fd) {
      commands.push_back({"history", database, "--pid", std::to_string(actor->pid()), "--fd",
                          std::to_string(fd), "-f", format});
    }
    for (const char* sql :
         {"SELECT * FROM fd_span", "SELECT * FROM processes", "SELECT * FROM recording",
          "SELECT * FROM unix_change", "SELECT * FROM sqlite_schema",
          "SELECT x'ff1b', char(27, 10, 155, 8238), cast(x'ff1b' AS TEXT) AS \"\x1b\""}) {
      commands.push_back({"sql", database, sql, "-f", format});
    }
  }
  for (const auto& command : commands) {
    const ProgramResult result = runFdanalyze(command);
    const bool is_csv = command.back() == "csv";
    EXPECT_EQ(whyUnsafe(result.out, is_csv), "") << command[0] << ' ' << command.back();
    EXPECT_EQ(whyUnsafe(result.err, false), "") << command[0] << ' ' << command.back();
  }
}

TEST_F(HostileNames, AreNotExportedAsTheyAre) {
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor->pid()), "-p",
                          std::to_string(server->pid()), "-n", "1"})
                .status,
            0);
  for (const std::string format : {"csv", "ndjson"}) {
    const std::string output = directory.file(format);
    ASSERT_EQ(runFdanalyze({"export", database, "-o", output, "--to", format}).status, 0);
    for (const std::string& name : namesIn(output)) {
      const std::string content = contentOf((std::filesystem::path(output) / name).string());
      EXPECT_EQ(whyUnsafe(content, format == "csv"), "") << name;
    }
  }
  for (const auto& entry : {"report.html", "report.json"}) {
    const std::string output = directory.file(entry);
    const std::string format = std::string(entry).substr(7);
    ASSERT_EQ(runFdanalyze({"report", database, "-f", format, "-o", output}).status, 0);
    EXPECT_EQ(whyUnsafe(contentOf(output), false), "") << entry;
  }
}

// Of fdcapture too; what it prints of processes is in the other tests.
TEST_F(HostileNames, AreNotInMessagesOfTheRecorder) {
  const std::string missing = folder / "missing" / kHostile;
  const std::vector<std::vector<std::string>> commands = {
      {"record", "-o", missing, "-p", std::to_string(actor->pid()), "-n", "1"},
      {"record", "-o", database, "-p", kHostile},
      {"record", "-o", database, "--interval", kHostile},
      {"record", "-o", database, "--max-size", kHostile},
      {"record", "-o", database, "--comm", kHostile, "-n", "1", "-v"},
      {"record", "-o", database, "--cgroup", kHostile, "-n", "1", "-v", "--note", kHostile},
      {"record", std::string("--") + kHostile},
      {"copy", missing, database},
      {"copy", database, missing},
      {kHostile}};
  for (const auto& command : commands) {
    const ProgramResult result = runFdcapture(command);
    EXPECT_EQ(whyUnsafe(result.out + result.err, false), "") << Json(command.size()) << result.err;
  }
}

TEST_F(HostileNames, AreKeptInFull) {
  ASSERT_EQ(runFdcapture({"record", "-o", database, "-p", std::to_string(actor->pid()), "-n", "1"})
                .status,
            0);
  EXPECT_EQ(queryValue(database, "SELECT comm FROM processes"), "a\\nb\\x1b\\xff\\\\");
  const std::string shown = "=1\\n\\x1b[2J\\x1b]0;x\\x07\\u{009b}\\u{202e}\"',\\\\\\t\\xff";
  const Json targets = valuesOf(
      query(database, "SELECT target FROM fd_span WHERE kind = 'file' ORDER BY fd"), "target");
  ASSERT_EQ(targets.size(), 1U);
  EXPECT_EQ(targets[0], directory.path().string() + "/" + shown + "/" + shown);
  const Json found = analyze({"sockets", database, "--comm", "a\\nb\\x1b\\xff\\\\"});
  EXPECT_EQ(found.size(), 1U) << "what is shown can be asked for";
}

}  // namespace
}  // namespace fdmortem::test
