// The verdicts of sockets that no peer has left: listeners, sockets without a connection, sockets
// that are not TCP.
#include <linux/netlink.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <map>
#include <optional>
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

/// What the kernel's tables alone tell of a socket that they do not list and never listed.
constexpr const char* kNoConnection = "unlisted";

/// Plays a part that tells {name: fd}, records three snapshots of it, and keeps the rows of
/// `fdanalyze sockets`.
class SocketVerdicts : public ::testing::Test {
 protected:
  void record(const Actor::Part& part, const std::vector<std::string>& more = {}) {
    actor_.emplace(part);
    fds_ = actor_->hear();
    std::vector<std::string> arguments = {
        "record", "-o", database(), "-p", std::to_string(actor_->pid()), "-i", "20ms", "-n", "3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = runFdcapture(arguments);
    ASSERT_EQ(result.status, 0) << result.err;
    rows_ = analyze({"sockets", database()});
    EXPECT_EQ(analyze({"outlived", database()}), Json::array());
  }

  std::string database() const { return directory_.file("f.db"); }
  const Json& rows() const { return rows_; }
  Json row(const std::string& name) const {
    return socketRow(rows_, actor_->pid(), fds_.at(name).get<int>());
  }
  Json fd(const std::string& name) const { return fds_.at(name); }
  const TemporaryDirectory& directory() const { return directory_; }

 private:
  const TemporaryDirectory directory_;
  std::optional<Actor> actor_;
  Json fds_;
  Json rows_;
};

std::string verdictOf(const Json& row) {
  EXPECT_EQ(row.at("proof"), nullptr);
  EXPECT_EQ(row.at("leak"), false);
  EXPECT_EQ(row.at("outlived_since"), nullptr);
  EXPECT_EQ(row.at("outlived_seconds"), nullptr);
  EXPECT_EQ(row.at("open_at_end"), true);
  return row.at("verdict");
}

TEST_F(SocketVerdicts, ListenersListen) {
  record([](Cue& cue) {
    const Socket v4 = listenOn("127.0.0.1");
    const Socket v6 = listenOn("::1");
    const Socket any = listenOn("::");
    cue.tell({{"v4", v4.fd()}, {"v6", v6.fd()}, {"any", any.fd()}});
    cue.await();
  });
  EXPECT_EQ(rows().size(), 3U);
  for (const auto& [name, protocol] :
       {std::pair("v4", "TCP"), std::pair("v6", "TCPv6"), std::pair("any", "TCPv6")}) {
    EXPECT_EQ(verdictOf(row(name)), "listening") << name;
    EXPECT_EQ(row(name).at("protocol"), protocol);
    EXPECT_EQ(row(name).at("last_state"), "LISTEN");
    EXPECT_EQ(row(name).at("remote"), nullptr);
    EXPECT_EQ(row(name).at("connection_first_seen"), nullptr);
  }
  EXPECT_TRUE(row("v4").at("local").get<std::string>().starts_with("127.0.0.1:"));
  EXPECT_TRUE(row("v6").at("local").get<std::string>().starts_with("[::1]:"));
  EXPECT_TRUE(row("any").at("local").get<std::string>().starts_with("[::]:"));
}

void playWhatNeverConnected(Cue& cue) {
  const Socket fresh(AF_INET, SOCK_STREAM);
  const Socket fresh6(AF_INET6, SOCK_STREAM);
  const Socket bound(AF_INET, SOCK_STREAM);
  bound.bind(Address("127.0.0.1", 0));
  const Socket refused(AF_INET, SOCK_STREAM);
  {
    const Socket nobody(AF_INET, SOCK_STREAM);  // bound: nobody else can listen there meanwhile
    nobody.bind(Address("127.0.0.1", 0));
    if (::connect(refused.fd(), nobody.local().get(), nobody.local().size()) == 0 ||
        errno != ECONNREFUSED) {
      throw std::runtime_error("not refused");
    }
  }
  const Socket stopped = listenOn("127.0.0.1");
  if (::shutdown(stopped.fd(), SHUT_RD) != 0) throw std::runtime_error("shutdown");
  cue.tell({{"fresh", fresh.fd()},
            {"fresh6", fresh6.fd()},
            {"bound", bound.fd()},
            {"refused", refused.fd()},
            {"stopped listener", stopped.fd()}});
  cue.await();
}

TEST_F(SocketVerdicts, TheTablesSayNothingOfWhatNeverConnected) {
  record(playWhatNeverConnected, {"--no-autopsy"});
  EXPECT_EQ(rows().size(), 5U);
  for (const char* name : {"fresh", "fresh6", "bound", "refused", "stopped listener"}) {
    EXPECT_EQ(verdictOf(row(name)), kNoConnection) << name;
    EXPECT_EQ(row(name).at("protocol"), name == std::string("fresh6") ? "TCPv6" : "TCP");
    EXPECT_EQ(row(name).at("local"), nullptr) << name;
    EXPECT_EQ(row(name).at("last_state"), nullptr) << name;
  }
}

TEST_F(SocketVerdicts, TheKernelKnowsWhatNeverConnected) {
  record(playWhatNeverConnected);
  EXPECT_EQ(rows().size(), 5U);
  for (const char* name : {"fresh", "fresh6", "bound", "refused", "stopped listener"}) {
    EXPECT_EQ(verdictOf(row(name)), "never-connected") << name;
    EXPECT_EQ(row(name).at("remote"), nullptr) << name;
    EXPECT_EQ(row(name).at("last_data_at"), nullptr) << name;
  }
  EXPECT_EQ(row("fresh").at("local"), nullptr);
  EXPECT_TRUE(row("bound").at("local").get<std::string>().starts_with("127.0.0.1:"));
}

TEST_F(SocketVerdicts, OthersHaveTheKernelsProtocol) {
  const std::string stream_name = directory().file("stream");
  const std::string datagram_name = directory().file("datagram");
  const std::string abstract_name = "@" + stream_name;
  record([&](Cue& cue) {
    std::vector<std::pair<std::string, Socket>> sockets;
    const auto add = [&](const std::string& name, Socket socket) -> const Socket& {
      return sockets.emplace_back(name, std::move(socket)).second;
    };
    sockets.reserve(20);
    add("udp", Socket(AF_INET, SOCK_DGRAM)).bind(Address("127.0.0.1", 0));
    add("udp6", Socket(AF_INET6, SOCK_DGRAM)).bind(Address("::1", 0));
    const Socket& connected = add("connected udp", Socket(AF_INET, SOCK_DGRAM));
    connected.connect(sockets[0].second.local());
    add("unused udp", Socket(AF_INET, SOCK_DGRAM));
    const Socket& stream = add("stream", Socket(AF_UNIX, SOCK_STREAM));
    bindUnix(stream, stream_name);
    stream.listen(4);
    connectUnix(add("stream client", Socket(AF_UNIX, SOCK_STREAM)), stream_name);
    add("stream server", stream.accept());
    const Socket& abstract = add("abstract", Socket(AF_UNIX, SOCK_STREAM));
    bindUnix(abstract, abstract_name);
    bindUnix(add("datagram", Socket(AF_UNIX, SOCK_DGRAM)), datagram_name);
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) != 0) {
      throw std::runtime_error("socketpair");
    }
    add("pair a", Socket(FileHandle(pair[0])));
    add("pair b", Socket(FileHandle(pair[1])));
    add("unused unix", Socket(AF_UNIX, SOCK_STREAM));
    add("netlink", Socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
    Json fds;
    for (const auto& [name, socket] : sockets)
      fds[name] = socket.fd();
    cue.tell(fds);
    cue.await();
  });
  EXPECT_EQ(rows().size(), 13U);
  const std::map<std::string, std::string> protocols = {{"udp", "UDP"},
                                                        {"udp6", "UDPv6"},
                                                        {"connected udp", "UDP"},
                                                        {"unused udp", "UDP"},
                                                        {"stream", "UNIX-STREAM"},
                                                        {"stream client", "UNIX-STREAM"},
                                                        {"stream server", "UNIX-STREAM"},
                                                        {"abstract", "UNIX-STREAM"},
                                                        {"datagram", "UNIX"},
                                                        {"pair a", "UNIX-STREAM"},
                                                        {"pair b", "UNIX-STREAM"},
                                                        {"unused unix", "UNIX-STREAM"},
                                                        {"netlink", "NETLINK"}};
  for (const auto& [name, protocol] : protocols) {
    EXPECT_EQ(verdictOf(row(name)), "other") << name;
    EXPECT_EQ(row(name).at("protocol"), protocol) << name;
    EXPECT_EQ(row(name).at("last_state"), nullptr) << name;
  }
  EXPECT_EQ(row("connected udp").at("remote"), row("udp").at("local"));
  EXPECT_EQ(row("stream").at("local"), stream_name);
  EXPECT_EQ(row("abstract").at("local"), abstract_name);
  EXPECT_EQ(row("datagram").at("local"), datagram_name);
  EXPECT_EQ(row("pair a").at("local"), nullptr);
}

// A connect() that is seen waiting, and then is refused, never was a connection.
TEST(PendingConnect, IsNoConnectionOnceItIsRefused) {
  const TemporaryDirectory directory;
  Socket listener = listenOn("127.0.0.1", 0, 0);
  const Address address = listener.local();
  Actor actor([&](Cue& cue) {
    // Once the accept queue is full the kernel drops what asks for a connection.
    std::vector<Socket> sockets;
    for (int i = 0; i < 4; ++i) {
      const Socket& socket = sockets.emplace_back(address.family(), SOCK_STREAM | SOCK_NONBLOCK);
      if (::connect(socket.fd(), address.get(), address.size()) != 0 && errno != EINPROGRESS) {
        throw std::runtime_error("connect");
      }
    }
    cue.tell(sockets.back().fd());
    cue.await();
    pollfd refused{sockets.back().fd(), POLLOUT, 0};
    ::poll(&refused, 1, -1);
    cue.tell(refused.revents);
    cue.await();
  });
  const int fd = actor.hear().get<int>();
  Recording recording(directory.file("f.db"), selectPids({actor.pid()}));
  const int64_t pending = recording.awaitSnapshots();
  listener.close();
  actor.cue();  // the answer comes with the next SYN, a second after the first
  EXPECT_NE(actor.hear().get<int>() & POLLERR, 0);
  recording.awaitSnapshots(3);
  ASSERT_EQ(recording.stop(), 0) << recording.errors();

  EXPECT_EQ(queryValue(recording.file(),
                       "SELECT name FROM verdict_span v JOIN sockets s USING (id) JOIN tcp_state t"
                       " USING (state) WHERE s.fd = " +
                           std::to_string(fd) + " AND " + std::to_string(pending) +
                           " BETWEEN v.first_snapshot AND v.last_snapshot"),
            "SYN_SENT");
  const Json row = socketRow(analyze({"sockets", recording.file()}), actor.pid(), fd);
  EXPECT_EQ(row.at("verdict"), "connect-failed");
  EXPECT_EQ(row.at("remote"), address.text());
  EXPECT_EQ(row.at("last_state"), "SYN_SENT");
  // The others had been in the queue: the listener's close() reset them.
  for (const Json& outlived : analyze({"outlived", recording.file()}))
    EXPECT_NE(outlived.at("fd"), fd);
}

// A watched socket and one that its program forgot.
TEST_F(SocketVerdicts, EpollsAreNamed) {
  record([](Cue& cue) {
    const Socket watched = listenOn("127.0.0.1");
    const Socket forgotten = listenOn("127.0.0.1");
    const FileHandle first(::epoll_create1(EPOLL_CLOEXEC));
    const FileHandle second(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    for (const FileHandle* epoll : {&first, &second}) {
      if (::epoll_ctl(epoll->get(), EPOLL_CTL_ADD, watched.fd(), &event) != 0) {
        throw std::runtime_error("epoll_ctl");
      }
    }
    cue.tell({{"watched", watched.fd()},
              {"forgotten", forgotten.fd()},
              {"first", first.get()},
              {"second", second.get()}});
    cue.await();
  });
  EXPECT_EQ(row("watched").at("watched_by"), Json({fd("first"), fd("second")}));
  EXPECT_EQ(row("forgotten").at("watched_by"), Json::array());
}

}  // namespace
}  // namespace fdmortem::test
