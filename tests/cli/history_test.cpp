// The life of one fd of a real process, event by event.
#include <fcntl.h>
#include <sys/epoll.h>

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

/// Both ends of a connection in one process. Each cue is a step in the life of the server's end.
void playLife(Cue& cue) {
  Socket listener = listenOn("127.0.0.1");
  cue.await();
  Socket client = connectTo(listener.local());
  Socket server = listener.accept();
  cue.tell(describe(server));
  cue.await();
  const FileHandle epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{.events = EPOLLIN, .data = {.fd = server.fd()}};
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, server.fd(), &event);
  ::fcntl(server.fd(), F_SETFL, O_NONBLOCK);
  client.send("hello");
  cue.tell(epoll.get());
  cue.await();
  client.close();
  cue.tell("done");
  cue.await();
  listener.close();
  server.close();
  cue.tell("done");
  cue.await();
}

std::vector<std::string> kindsOf(const Json& history) {
  std::vector<std::string> kinds;
  for (const Json& event : history.at("events"))
    kinds.push_back(event.at("kind"));
  return kinds;
}

/// The text of the only event of a kind.
std::string eventOf(const Json& history, const std::string& kind) {
  const Json events = rowsWhere(history.at("events"), "kind", kind);
  EXPECT_EQ(events.size(), 1U) << kind << " " << history;
  return events.empty() ? "" : events[0].at("event").get<std::string>();
}

TEST(History, OfAConnectionFromOpeningToClosing) {
  const TemporaryDirectory directory;
  Actor actor(playLife);
  Recording recording(directory.file("f.db"), selectPids({actor.pid()}));
  recording.awaitSnapshots();
  const Json server = actor.ask();
  recording.awaitSnapshots();
  const Json epoll = actor.ask();
  recording.awaitSnapshots();
  actor.ask();
  recording.awaitSnapshots();
  actor.ask();
  recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  const std::string pid = std::to_string(actor.pid());
  const std::string fd = std::to_string(server.at("fd").get<int>());
  const Json histories = analyze({"history", recording.file(), "--pid", pid, "--fd", fd});
  // The actor may still have had one of the test's own fds under that number at first.
  ASSERT_FALSE(histories.empty());
  const Json& history = histories.back();
  EXPECT_EQ(history.at("pid"), actor.pid());
  EXPECT_EQ(history.at("fd"), server.at("fd"));
  EXPECT_EQ(history.at("inode"), server.at("inode"));
  EXPECT_EQ(history.at("target"), "socket:[" + server.at("inode").dump() + "]");
  EXPECT_LT(history.at("first_seen").get<std::string>(),
            history.at("last_seen").get<std::string>());
  auto kinds = kindsOf(history);
  EXPECT_EQ(kinds.front(), "opened");
  EXPECT_EQ(kinds.back(), "closed");
  std::sort(kinds.begin(), kinds.end());
  EXPECT_EQ(kinds, (std::vector<std::string>{"closed", "flags", "listed", "opened", "queue",
                                             "state", "watched"}));
  const std::string local = server.at("local");
  const std::string remote = server.at("remote");
  EXPECT_EQ(eventOf(history, "listed"),
            "listed in tcp: " + local + " -> " + remote + " ESTABLISHED");
  EXPECT_EQ(eventOf(history, "state"), "state ESTABLISHED became CLOSE_WAIT");
  EXPECT_EQ(eventOf(history, "watched"), "watched by epoll fd " + epoll.dump());
  EXPECT_EQ(eventOf(history, "flags").find("flags 02"), 0U) << history;
  const std::string queue = eventOf(history, "queue");
  EXPECT_EQ(queue, "most: 5 bytes that the program has not read");

  // The same by its inode; the other formats; a stretch of time.
  EXPECT_EQ(analyze({"history", recording.file(), "--inode", server.at("inode").dump()}),
            histories);
  const ProgramResult table = runFdanalyze({"history", recording.file(), "--pid", pid, "--fd", fd});
  EXPECT_EQ(std::count(table.out.begin(), table.out.end(), '\n'), 8) << table.out;
  const ProgramResult lines =
      runFdanalyze({"history", recording.file(), "--pid", pid, "--fd", fd, "-f", "ndjson"});
  EXPECT_EQ(Json::parse(lines.out), history);
  const Json until = analyze({"history", recording.file(), "--pid", pid, "--fd", fd, "--to",
                              history.at("first_seen").get<std::string>()});
  ASSERT_EQ(until.size(), 1U);
  EXPECT_EQ(kindsOf(until[0]), (std::vector<std::string>{"opened", "listed"}));
  EXPECT_EQ(until[0].at("last_seen"), history.at("last_seen"));
}

TEST(History, OfWhatIsNotThereFails) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) { cue.await(); });
  const std::string file = directory.file("f.db");
  ASSERT_EQ(
      runFdcapture({"record", "-o", file, "-p", std::to_string(actor.pid()), "-n", "1"}).status, 0);
  const ProgramResult fd = runFdanalyze({"history", file, "--pid", "1", "--fd", "99"});
  EXPECT_EQ(fd.status, 1);
  EXPECT_EQ(fd.err, "fdanalyze: " + file + ": there is no fd 99 of a process 1 in it\n");
  const ProgramResult inode = runFdanalyze({"history", file, "--inode", "1"});
  EXPECT_EQ(inode.status, 1);
  EXPECT_EQ(inode.err, "fdanalyze: " + file + ": there is no socket with inode 1 in it\n");
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{
           {}, {"--pid", "1"}, {"--fd", "1"}, {"--pid", "1", "--fd", "1", "--inode", "1"}}) {
    std::vector<std::string> arguments = {"history", file};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    EXPECT_EQ(runFdanalyze(arguments).status, 2) << Json(wrong);
  }
}

}  // namespace
}  // namespace fdmortem::test
