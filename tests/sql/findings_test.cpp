// schema/findings/ as a whole, and the rules on epolls and tcp6: when a rule fires and when not.
#include "tests/sql/findings.h"

#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "schema/sql.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

TEST(Findings, NoneForAHealthyServer) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                         R          .    .    .    .  .
    process a:                         ok         .    .    .    .  .
    limit a:                           1024/4096  .    .    .    .  .
    fd a/3:                            s500       .    .    .    .  .
    fd a/4:                            _          s501 .    .    -  .
    tcp 500:                           LISTEN     .    .    .    .  .
    tcp 501 remote=198.51.100.7:1001:  _          EST  .    CW   -  .
  )"),
            "");
}

TEST(Findings, EachRuleHasItsPlace) {
  Timeline timeline("snapshots: R\nprocess a: ok\n");
  std::string places;
  for (const sql::SqlFile& rule : sql::findings()) {
    EXPECT_NE(timeline.rows(fmt::format("SELECT place FROM rule WHERE id = '{}'", rule.name)), "")
        << rule.name;
  }
  EXPECT_EQ(timeline.rows("SELECT count(*) FROM rule"),
            fmt::format("{}\n", sql::findings().size()));
}

TEST(Findings, AnEpollRegistrationWhoseNumberIsAnotherFile) {
  const std::string drawing = R"(
    snapshots:                       R                       .    .    .
    process a:                       ok                      .    .    .
    fd a/3:                          anon_inode:[eventpoll]  .    .    .
    fd a/5:                          s500                    .    .    .
    epoll a/3 watched=5 inode=500:   on                      .    .    .
  )";
  EXPECT_EQ(titleOf(drawing, "stale-epoll"), "");
  const std::string reused = R"(
    snapshots:                       R                       .      .    .
    process a:                       ok                      .      .    .
    fd a/3:                          anon_inode:[eventpoll]  .      .    .
    fd a/5:                          s500                    +s501  .    .
    epoll a/3 watched=5 inode=500:   on                      .      .    .
  )";
  EXPECT_EQ(titleOf(reused, "stale-epoll"),
            "1 epoll registration watches a file that its fd number does not name any more");
}

TEST(Findings, ConnectionsInTcp6Only) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                                                                R     .
    process a:                                                                ok    .
    fd a/3 protocol=TCPv6:                                                    s500  .
    tcp6 500 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4000: EST   .
  )"),
            "tcp6-only info 100\n");
}

TEST(Findings, Tcp6OnlyIsSaidOnceForSeveralProcesses) {
  EXPECT_EQ(titleOf(R"(
    snapshots:                                                                 R     .
    process a:                                                                 ok    .
    process b:                                                                 ok    .
    fd a/3 protocol=TCPv6:                                                     s500  .
    fd b/3 protocol=TCPv6:                                                     s501  .
    tcp6 500 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4000:  EST   .
    tcp6 501 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4001:  EST   .
  )",
                    "tcp6-only"),
            "2 connections are listed in tcp6 and none in tcp (of 2 processes): a grep of "
            "/proc/net/tcp finds nothing");
}

TEST(Findings, Tcp6OnlyNotWhereTcpListsSome) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                                                                 R     .
    process a:                                                                 ok    .
    fd a/3 protocol=TCPv6:                                                     s500  .
    fd a/4:                                                                    s501  .
    tcp6 500 local=[::ffff:192.0.2.1]:9091 remote=[::ffff:198.51.100.7]:4000:  EST   .
    tcp 501:                                                                   EST   .
  )"),
            "");
}

}  // namespace

}  // namespace fdmortem::test
