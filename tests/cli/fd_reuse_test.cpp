// An fd number that belongs to another file in the next snapshot.
#include <fcntl.h>
#include <unistd.h>

#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

std::string describedAs(const Json& connection) {
  return "socket:[" + std::to_string(connection.at("inode").get<uint64_t>()) + "] TCP " +
         connection.at("local").get<std::string>() + " -> " +
         connection.at("remote").get<std::string>() + " ESTABLISHED";
}

/// Records a part that tells the connections it has, and on a cue those that it has then.
struct BeforeAndAfter {
  BeforeAndAfter(Actor& actor, const std::string& database)
      : before(actor.hear()), recording(database, selectPids({actor.pid()})) {
    first = recording.awaitSnapshots();
    after = actor.ask();
    last = recording.awaitSnapshots();
    EXPECT_EQ(recording.stop(), 0) << recording.errors();
    diff = analyze({"diff", database, std::to_string(first), std::to_string(last)});
  }

  Json before;
  Recording recording;
  int64_t first = 0;
  int64_t last = 0;
  Json after;
  Json diff;
};

void expectReplaced(const BeforeAndAfter& scene, const Actor& actor) {
  ASSERT_EQ(scene.diff.size(), scene.before.size()) << scene.diff;
  for (size_t i = 0; i < scene.before.size(); ++i) {
    const Json& row = scene.diff[i];
    ASSERT_EQ(scene.before[i].at("fd"), scene.after[i].at("fd")) << "the test must reuse it";
    EXPECT_EQ(row.at("change"), "replaced");
    EXPECT_EQ(row.at("pid"), actor.pid());
    EXPECT_EQ(row.at("fd"), scene.before[i].at("fd"));
    EXPECT_EQ(row.at("before"), describedAs(scene.before[i]));
    EXPECT_EQ(row.at("after"), describedAs(scene.after[i]));
  }
  const std::string& database = scene.recording.file();
  EXPECT_EQ(analyze({"outlived", database}), Json::array());
  const Json sockets = analyze({"sockets", database});
  const Json open = rowsWhere(sockets, "open_at_end", true);
  EXPECT_EQ(valuesOf(open, "inode"), valuesOf(scene.after, "inode"));
  EXPECT_EQ(valuesOf(open, "verdict"), Json(std::vector<std::string>(open.size(), "connected")));
  EXPECT_EQ(valuesOf(rowsWhere(sockets, "open_at_end", false), "inode"),
            valuesOf(scene.before, "inode"));
}

TEST(FdReuse, ByAnotherConnectionIsAReplacement) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    std::vector<Socket> sockets = connectTimes(address, 6);
    cue.tell(describeAll(sockets));
    cue.await();
    sockets.clear();
    sockets = connectTimes(address, 6);  // the lowest numbers that are free
    cue.tell(describeAll(sockets));
    cue.await();
  });
  const BeforeAndAfter scene(actor, directory.file("f.db"));
  expectReplaced(scene, actor);
}

TEST(FdReuse, ByDup2IsAReplacement) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    const std::vector<Socket> sockets = connectTimes(address, 5);
    cue.tell(describeAll(sockets));
    cue.await();
    for (const Socket& socket : sockets) {
      const Socket other = connectTo(address);
      if (::dup3(other.fd(), socket.fd(), O_CLOEXEC) < 0) throw std::runtime_error("dup3");
    }
    cue.tell(describeAll(sockets));
    cue.await();
  });
  const BeforeAndAfter scene(actor, directory.file("f.db"));
  expectReplaced(scene, actor);
}

// The connection goes on under another number: nothing outlived it, and nothing was opened.
TEST(FdReuse, AMovedConnectionIsStillConnected) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    std::vector<Socket> sockets = connectTimes(address, 1);
    cue.tell(describeAll(sockets));
    cue.await();
    const Socket moved(FileHandle(::fcntl(sockets[0].fd(), F_DUPFD_CLOEXEC, 100)));
    sockets.clear();
    cue.tell(Json::array({describe(moved)}));
    cue.await();
  });
  const BeforeAndAfter scene(actor, directory.file("f.db"));
  ASSERT_EQ(scene.diff.size(), 2U) << scene.diff;
  EXPECT_EQ(scene.diff[0].at("change"), "closed");
  EXPECT_EQ(scene.diff[0].at("before"), describedAs(scene.before[0]));
  EXPECT_EQ(scene.diff[1].at("change"), "opened");
  EXPECT_EQ(scene.diff[1].at("fd"), 100);
  EXPECT_EQ(scene.diff[1].at("after"), describedAs(scene.before[0]));
  EXPECT_EQ(analyze({"outlived", scene.recording.file()}), Json::array());
}

// A file in the place of a socket whose connection is gone.
TEST(FdReuse, EndsAnOutlivedFd) {
  const TemporaryDirectory directory;
  const Socket listener = listenOn("127.0.0.1");
  Actor actor([address = listener.local()](Cue& cue) {
    const Socket socket = connectTo(address);
    cue.tell(describe(socket));
    cue.await();
    const FileHandle null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ::dup3(null.get(), socket.fd(), O_CLOEXEC);
    cue.tell("done");
    cue.await();
  });
  const Json connection = actor.hear();
  Recording recording(directory.file("f.db"), selectPids({actor.pid()}));
  recording.awaitSnapshots();
  listener.accept().reset();
  const int64_t outlived = recording.awaitSnapshots(3);
  actor.ask();
  const int64_t replaced = recording.awaitSnapshots();
  ASSERT_EQ(recording.stop(), 0) << recording.errors();
  const Json rows = analyze({"outlived", recording.file()});
  ASSERT_EQ(rows.size(), 1U) << rows;
  EXPECT_EQ(rows[0].at("inode"), connection.at("inode"));
  EXPECT_EQ(rows[0].at("proof"), "autopsy");
  EXPECT_EQ(rows[0].at("open_at_end"), false);
  const Json diff =
      analyze({"diff", recording.file(), std::to_string(outlived), std::to_string(replaced)});
  const Json change = rowsWhere(diff, "fd", connection.at("fd"));
  ASSERT_EQ(change.size(), 1U) << diff;
  EXPECT_EQ(change[0].at("change"), "replaced");
  EXPECT_TRUE(change[0].at("before").get<std::string>().ends_with(" (outlived)"));
  EXPECT_EQ(change[0].at("after"), "/dev/null");
}

}  // namespace
}  // namespace fdmortem::test
