// What a report says of the connections of a process.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "analyze/report/render.h"
#include "analyze/report/report.h"
#include "tests/analyze/report/example.h"
#include "tests/support/contains.h"

namespace fdmortem::test {

namespace {

// That no table which was read lists a socket does not mean that nothing is known of it.
TEST(ReportText, WhatTheKernelSaysOfSocketsThatNoTableLists) {
  Report report = leakReport();
  report.processes[0].verdicts = {{"unlisted", 9}};
  report.processes[0].told = {{"CLOSE_WAIT", 5}, {"ESTABLISHED", 3}};
  report.processes[0].unread_netns = {{"4026532454", 8}};
  const std::string text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(text,
                       "8 of its 70 fds at the end are sockets that no table lists, and the kernel "
                       "itself says of them: 5 CLOSE_WAIT, 3 ESTABLISHED; the tables of their "
                       "network namespace were not read."))
      << text.substr(0, 3000);
  EXPECT_TRUE(contains(text, "What 1 socket is: no table lists it")) << text.substr(0, 3000);
  EXPECT_TRUE(contains(text, "; 8 sockets are of 4026532454, which was not read\n"));
  EXPECT_FALSE(contains(text, "No fd outlived its"));
  EXPECT_FALSE(contains(text, "none outlived"));
}

// SYN_SENT is an attempt, and what the program has shut down is not alive.
TEST(ReportText, OnlyWhatIsEstablishedIsAlive) {
  Report report = leakReport();
  report.findings.clear();
  ProcessReport& process = report.processes[0];
  process.verdicts = {{"connected", 60}};
  process.peers = {{.verdict = "connected",
                    .last_state = "SYN_SENT",
                    .direction = "out",
                    .peer = "192.0.2.9:443",
                    .count = 60}};
  std::string text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(text,
                       "60 of its sockets try to connect (60 with 192.0.2.9:443) and are not "
                       "connected (SYN_SENT)."))
      << text.substr(0, 2000);
  EXPECT_FALSE(contains(text, "alive")) << text.substr(0, 2000);
  EXPECT_TRUE(contains(text, "connections and attempts (SYN_SENT), by peer and port"));
  process.verdicts = {{"closing", 50}, {"connected", 10}};
  process.peers = {{.verdict = "closing",
                    .last_state = "FIN_WAIT2",
                    .direction = "in",
                    .local_port = 9091,
                    .peer = "198.51.100.7",
                    .count = 50},
                   {.verdict = "connected",
                    .last_state = "ESTABLISHED",
                    .direction = "in",
                    .local_port = 9091,
                    .peer = "198.51.100.7",
                    .count = 10}};
  text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(text,
                       "50 connections the program has shut down and not closed (50 with "
                       "198.51.100.7)."))
      << text.substr(0, 2000);
  EXPECT_TRUE(contains(text, "10 connections are alive (10 with 198.51.100.7);"))
      << text.substr(0, 2000);
  EXPECT_TRUE(contains(text, "live connections, by peer and port"));
}

TEST(ReportText, ConnectionsWhosePeersDoNotAnswerAreNotCalledAlive) {
  Report report = leakReport();
  ProcessReport& process = report.processes[0];
  process.verdicts = {{"connected", 60}};
  process.peers = {{.verdict = "connected",
                    .last_state = "ESTABLISHED",
                    .direction = "in",
                    .peer = "198.51.100.7",
                    .count = 60}};
  Finding& finding = report.findings[0];
  finding.id = "unanswered";
  finding.severity = "warning";
  finding.title = "the peers of 20 ESTABLISHED connections have not answered";
  finding.all_rows = 20;
  process.hours_left.reset();
  const std::string some = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(
      some.starts_with("Verdict    gateway (pid 4711) holds 20 ESTABLISHED connections "
                       "whose peers do not answer any more.\n"))
      << some;
  EXPECT_TRUE(contains(some,
                       "All its 60 connections are listed as ESTABLISHED (60 with 198.51.100.7), "
                       "though the peers of 20 do not answer; none outlived"))
      << some;
  EXPECT_TRUE(contains(some, "Not known  Whether the 20 peers that do not answer are still there"))
      << some;
  finding.severity = "info";
  finding.all_rows = 1;
  const std::string one = renderReportText(report, {.width = 1000});
  EXPECT_FALSE(contains(one, "alive")) << one;
  EXPECT_TRUE(contains(one, "though the peer of one does not answer")) << one;
}

TEST(ReportText, AConnectionThatSeveralFdsHoldIsOne) {
  Report report = leakReport();
  report.findings.clear();
  report.processes[0].verdicts = {{"connected", 60}};
  report.processes[0].peers = {{.verdict = "connected",
                                .last_state = "ESTABLISHED",
                                .direction = "out",
                                .peer = "198.51.100.7:5432",
                                .count = 60}};
  report.processes[0].duplicate_fds = 59;
  const std::string one = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(
      contains(one, "Its only connection is alive, held by 60 fds (60 with 198.51.100.7:5432)"))
      << one;
  report.processes[0].duplicate_fds = 10;
  const std::string some = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(some, "All its 50 connections are alive, held by 60 fds (60 with")) << some;
}

TEST(ReportText, OnlyOfTcpConnectionsNoneOutlivedIsSaid) {
  Report report = leakReport();
  report.findings.clear();
  report.processes[0].peers.clear();
  report.processes[0].verdicts = {{"other", 118}};
  report.processes[0].unix_without_peer = 117;
  const std::string text = renderReportText(report, {.width = 1000});
  EXPECT_FALSE(contains(text, "No fd outlived")) << text;
  EXPECT_TRUE(contains(text,
                       "Inferred   The peers of 117 UNIX sockets have closed: they are connected, "
                       "and no other socket refers to them"))
      << text;
  report.processes[0].verdicts = {{"other", 118}, {"listening", 1}};
  EXPECT_TRUE(contains(renderReportText(report), "No fd outlived its TCP connection."));
}

TEST(ReportText, WhatIsNotReadIsNotCalledAlive) {
  Report report = leakReport();
  report.processes[0].verdicts = {{"connected", 60}};
  report.processes[0].peers = {{.verdict = "connected", .last_state = "ESTABLISHED", .count = 60}};
  report.findings[0].id = "unread-data";
  const std::string text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(text, "All its 60 connections are listed as ESTABLISHED")) << text;
  EXPECT_TRUE(contains(text, "Not known  Whether the peers are still there")) << text;
}

}  // namespace
}  // namespace fdmortem::test
