// schema/findings/: when a rule fires, and that its evidence can be asked for.
#include <string>

#include <gtest/gtest.h>

#include "schema/sql.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

/// `id severity pid`, a line a finding.
std::string findingsOf(std::string_view drawing) {
  Timeline timeline(drawing);
  std::string found;
  for (const sql::SqlFile& rule : sql::findings()) {
    const std::string query(rule.text);
    const std::string name(rule.name);
    found += timeline.rows("SELECT '" + name + "', severity, pid FROM (" + query + ")");
    EXPECT_EQ(timeline.rows("SELECT 1 FROM (" + query +
                            ") WHERE title IS NULL OR explanation IS "
                            "NULL OR advice IS NULL OR evidence IS NULL"),
              "")
        << name;
    std::string evidence = timeline.rows("SELECT evidence FROM (" + query + ") LIMIT 1");
    if (!evidence.empty()) {
      EXPECT_NE(timeline.rows(evidence), "") << evidence;
    }
  }
  return found;
}

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

TEST(Findings, FdsThatOutlivedTheirConnections) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .  .
    process a:  ok         .  .  .  .  .
    limit a:    1024/4096  .  .  .  .  .
    fd a/3:     s500       .  .  .  .  .
    fd a/4:     p9         .  .  .  .  .
    tcp 500:    EST        -  .  .  .  .
  )"),
            "outlived-connections warning 100\n");
}

TEST(Findings, NotWithinTheGracePeriod) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .  .
    process a:  ok         .  .  .  .  .
    limit a:    1024/4096  .  .  .  .  .
    fd a/3:     s500       .  .  .  .  .
    tcp 500:    EST        .  .  .  -  .
  )"),
            "");
}

TEST(Findings, WhatOutlivedInARecordingShorterThanTheGracePeriod) {
  constexpr const char* kDrawing = R"(
    snapshots:  R          .  .
    process a:  ok         .  .
    limit a:    1024/4096  .  .
    fd a/3:     s500       .  .
    tcp 500:    EST        -  .
  )";
  EXPECT_EQ(findingsOf(kDrawing), "outlived-connections critical 100\n");
}

TEST(Findings, NotWhenItWasClosedAfterAll) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .  .  .  .  .  .
    process a:  ok         .  .  .  .  .  .
    limit a:    1024/4096  .  .  .  .  .  .
    fd a/3:     s500       .  .  .  .  .  -
    tcp 500:    EST        -  .  .  .  .  .
  )"),
            "");
}

TEST(Findings, ConnectionsThatStayInCloseWait) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R          .   .  .  .  .
    process a:  ok         .   .  .  .  .
    limit a:    1024/4096  .   .  .  .  .
    fd a/3:     s500       .   .  .  .  .
    fd a/4:     p9         .   .  .  .  .
    tcp 500:    EST        CW  .  .  .  .
  )"),
            "close-wait warning 100\n");
}

TEST(Findings, ALimitThatIsReached) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R     .   .
    process a:  ok    .   .
    limit a:    2/9   .   .
    fd a/3:     p8    .   .
    fd a/4:     _     p9  .
  )"),
            "limit-reached critical 100\n");
}

TEST(Findings, ConnectionsThatNobodyCanAccept) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:  R       .     .
    process a:  ok      .     .
    limit a:    2/9     .     .
    fd a/3:     s500    .     .
    fd a/4:     _       p9    .
    tcp 500:    LISTEN  .     .
    queue 500:  _       .     5
  )"),
            "accept-queue critical 100\nlimit-reached critical 100\n");
}

TEST(Findings, AProcessThatWasStartedAgain) {
  EXPECT_EQ(findingsOf(R"(
    snapshots:                     R   .  .   .
    process a pid=7:               ok  .  -   .
    process b pid=8 comm=a:        _   .  ok  .
    fd a/3:                        p8  .  .   .
    fd b/3:                        _   .  =p9 .
  )"),
            "restarted info 7\n");
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

}  // namespace

}  // namespace fdmortem::test
