// schema/findings/ on connections that only become more, stay idle, or have no fd: when a rule
// fires and when not.
#include <string>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "tests/sql/findings.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// A connection more in each snapshot, from `local` to `remote`; `{}` stands for a number.
std::string connections(const std::string& local, const std::string& remote, size_t count = 12) {
  std::string drawing = timeOf(count) + limitOf("2000/2000", count);
  for (size_t i = 0; i < count; ++i) {
    std::string before;
    for (size_t j = 0; j < i; ++j)
      before += j == 0 ? " _" : " .";
    std::string after;
    for (size_t j = i + 1; j < count; ++j)
      after += " .";
    const std::string number = std::to_string(40000 + i);
    const auto address = [&](const std::string& text) {
      return text.ends_with(':') ? text + number : text;
    };
    drawing += fmt::format("fd a/{0}:{1} s{2}{3}\n", 10 + i, before, 500 + i, after);
    drawing += fmt::format("tcp {2} local={4} remote={5}:{1} EST{3}\n", 10 + i, before, 500 + i,
                           after, address(local), address(remote));
  }
  return drawing;
}

TEST(ConnectionFindings, APoolThatOnlyGrows) {
  const std::string drawing = connections("192.0.2.1:", "198.51.100.9:5432");
  EXPECT_EQ(findingsOf(drawing), "growing-pool warning 100\n");
  EXPECT_EQ(titleOf(drawing, "growing-pool"),
            "connections to 198.51.100.9:5432 only grow, from 1 to 12");
}

/// As `connections`, all fds of the first socket.
std::string duplicates(const std::string& local, const std::string& remote) {
  std::string drawing = timeOf(12) + limitOf("2000/2000", 12) + "tcp 500 local=" + local +
                        " remote=" + remote + ": EST . . . . . . . . . . .\n";
  for (int i = 0; i < 12; ++i) {
    drawing += fmt::format("fd a/{}:", 10 + i);
    for (int j = 0; j < 12; ++j)
      drawing += j == i ? " s500" : j == 0 ? " _" : " .";
    drawing += "\n";
  }
  return drawing;
}

TEST(ConnectionFindings, FdsOfOneSocketAreOneConnection) {
  const std::string drawing = duplicates("192.0.2.1:40000", "198.51.100.9:5432");
  EXPECT_EQ(findingsOf(drawing), "kind-growth warning 100\n");
  EXPECT_EQ(titleOf(drawing, "kind-growth"),
            "fds of one and the same connection with 198.51.100.9:5432 only grow, from 1 to 12");
  EXPECT_NE(adviceOf(drawing, "kind-growth").find("duplicates this fd"), std::string::npos);
  EXPECT_EQ(findingsOf(duplicates("192.0.2.1:9091", "198.51.100.9:40000") +
                       "fd a/3: s400 . . . . . . . . . . .\n"
                       "tcp 400 local=0.0.0.0:9091: LISTEN . . . . . . . . . . .\n"),
            "kind-growth warning 100\n")
      << "an accepted one";
}

TEST(ConnectionFindings, APoolWhoseConnectionsAreHeldTwiceIsCountedOnce) {
  std::string drawing = connections("192.0.2.1:", "198.51.100.9:5432");
  for (const std::string line : {"fd a/10: s500", "fd a/15: _ . . . . s505"}) {
    const size_t place = drawing.find(line);
    ASSERT_NE(place, std::string::npos) << drawing;
    std::string copy = drawing.substr(place, drawing.find('\n', place) + 1 - place);
    drawing += copy.replace(5, 1, "8");
  }
  EXPECT_EQ(titleOf(drawing, "growing-pool"),
            "connections to 198.51.100.9:5432 only grow, from 1 to 12");
}

TEST(ConnectionFindings, AConnectHasFailedWhenItHas) {
  std::string drawing = timeOf(12) + limitOf("2000/2000", 12);
  for (int i = 0; i < 12; ++i) {
    std::string before, cells = " SYN -";
    for (int j = 0; j < i; ++j)
      before += j == 0 ? " _" : " .";
    for (int j = i + 2; j < 12; ++j)
      cells += " .";
    if (i == 11) cells = " SYN";
    std::string said = before + " . refused";
    for (int j = i + 2; j < 12; ++j)
      said += " .";
    drawing += fmt::format("fd a/{}:{} s{}", 10 + i, before, 500 + i);
    for (int j = i + 1; j < 12; ++j)
      drawing += " .";
    drawing += fmt::format("\ntcp {} remote=198.51.100.9:443:{}{}\n", 500 + i, before, cells);
    if (i < 11) drawing += fmt::format("autopsy a/{} inode={}:{}\n", 10 + i, 500 + i, said);
  }
  EXPECT_EQ(titleOf(drawing, "kind-growth"),
            "sockets whose connect() failed only grow, from 0 to 11");
}

/// Without the fds, at a port on which the process listens.
std::string withoutFds(std::string drawing) {
  for (size_t place = 0; (place = drawing.find("fd a/", place)) != std::string::npos;)
    drawing.erase(place, drawing.find('\n', place) + 1 - place);
  return drawing +
         "fd a/3: s400 . . . . . . . . . . .\n"
         "tcp 400 local=0.0.0.0:9091: LISTEN . . . . . . . . . . .\n";
}

TEST(ConnectionFindings, ConnectionsThatNoFdHolds) {
  const std::string drawing = withoutFds(connections("192.0.2.1:9091", "198.51.100.9:"));
  EXPECT_EQ(findingsOf(drawing), "connections-without-fd warning 100\n");
  EXPECT_EQ(titleOf(drawing, "connections-without-fd"),
            "connections at port 9091 that no recorded fd holds only grow, from 1 to 12");
  std::string still = withoutFds(timeOf(12) + limitOf("2000/2000", 12));
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(findingsOf(still), "") << "a few";
    still += fmt::format(
        "tcp {} local=192.0.2.1:9091 remote=198.51.100.9:{}: EST . . . . . . . . . . .\n", 500 + i,
        40000 + i);
  }
  EXPECT_EQ(findingsOf(still), "connections-without-fd info 100\n");
  EXPECT_EQ(findingsOf(still + "fd a/10: s500 . . . . . . . . . . .\n"), "") << "one has an fd";
  EXPECT_EQ(findingsOf(still + "fd a/10: s500 . . . . - . . . . . .\n"),
            "connections-without-fd info 100\n")
      << "it had one";
  EXPECT_EQ(findingsOf(still + "fd a/10: s500 . . . . . . . - . . .\n"), "") << "30 s ago";
  EXPECT_EQ(titleOf(still, "connections-without-fd"),
            "8 connections at port 9091 stay for longer than 30 s, and no recorded fd holds them");
}

TEST(ConnectionFindings, AttemptsThatNobodyAnswersAreNoPoolOfConnections) {
  std::string drawing = connections("192.0.2.1:", "198.51.100.9:5432");
  for (size_t place = 0; (place = drawing.find("EST", place)) != std::string::npos; ++place)
    drawing.replace(place, 3, "SYN");
  EXPECT_EQ(titleOf(drawing, "growing-pool"),
            "connections to 198.51.100.9:5432 only grow, from 1 to 12, none of them connected "
            "(SYN_SENT)");
  // The first three were answered.
  for (int i = 0; i < 3; ++i)
    drawing.replace(drawing.find("SYN"), 3, "EST");
  EXPECT_EQ(titleOf(drawing, "growing-pool"),
            "connections to 198.51.100.9:5432 only grow, from 1 to 12, 9 of them not connected "
            "(SYN_SENT)");
}

TEST(ConnectionFindings, SeveralPoolsAreOneFinding) {
  std::string another = connections("192.0.2.1:", "198.51.100.8:5432");
  another = another.substr(another.find("fd a/"));
  for (const auto& [from, to] :
       {std::pair("fd a/", "fd a/9"), std::pair(" s5", " s75"), std::pair("tcp 5", "tcp 75")}) {
    for (size_t place = 0; (place = another.find(from, place)) != std::string::npos; place += 5)
      another.replace(place, std::string(from).size(), to);
  }
  const std::string drawing = connections("192.0.2.1:", "198.51.100.9:5432") + another;
  EXPECT_EQ(findingsOf(drawing), "growing-pool critical 100\nsteady-growth critical 100\n");
  EXPECT_EQ(titleOf(drawing, "growing-pool"),
            "connections to 198.51.100.8:5432 only grow, from 1 to 12, and so do those to another "
            "peer");
}

TEST(ConnectionFindings, ConnectionsToManyPeersAreNoPool) {
  EXPECT_EQ(findingsOf(connections("192.0.2.1:", "198.51.100.9:")), "");
}

/// With a listener on the port.
std::string accepted() {
  return connections("192.0.2.1:9091", "198.51.100.9:") +
         "fd a/3: s400 . . . . . . . . . . .\n"
         "tcp 400 local=0.0.0.0:9091: LISTEN . . . . . . . . . . .\n";
}

TEST(ConnectionFindings, IdleConnectionsWithoutKeepalive) {
  EXPECT_EQ(findingsOf(accepted()), "idle-connections warning 100\n");
  EXPECT_EQ(titleOf(accepted(), "idle-connections"),
            "connections without keepalive at port 9091 only grow, from 1 to 12");
}

TEST(ConnectionFindings, ConnectionsWithKeepaliveAreNotIdle) {
  std::string timers;
  for (int i = 0; i < 12; ++i)
    timers += fmt::format("queue {} timer=2: _ . . . . . . . . . . 0\n", 500 + i);
  EXPECT_EQ(findingsOf(accepted() + timers), "");
}

TEST(ConnectionFindings, ConnectionsWithDataAreNotIdle) {
  std::string queues;
  for (int i = 0; i < 12; ++i)
    queues += fmt::format("queue {}: _ . . . . . . . . . . 20\n", 500 + i);
  EXPECT_EQ(findingsOf(accepted() + queues), "");
}

}  // namespace

}  // namespace fdmortem::test
