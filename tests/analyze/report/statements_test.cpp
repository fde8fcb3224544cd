// What a report says of what happened: its verdict, and the statements of its first screen.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "analyze/report/render.h"
#include "analyze/report/report.h"
#include "tests/analyze/report/example.h"
#include "tests/support/contains.h"

namespace fdmortem::test {

namespace {

// Of a process that has ended nothing is open, and no restart frees anything.
TEST(ReportText, SpeaksOfWhatHasEndedInThePast) {
  Report report = leakReport();
  report.processes[0].has_ended = true;
  const std::string text = renderReportText(report, {.width = 1000});
  for (const std::string_view part :
       {"gateway (pid 4711) did not close sockets whose connections were gone, and ended.",
        "; its limit was 128.",
        "50 of its 70 fds at the end were sockets whose connections were gone",
        "they are gone with it", "The fds are gone with the process;"})
    EXPECT_TRUE(contains(text, part)) << part << '\n' << text.substr(0, 2000);
  EXPECT_FALSE(contains(text, "A restart frees")) << text.substr(0, 2000);
}

TEST(ReportText, WhatCameThroughForkIsSaidOfWhoHoldsIt) {
  Report report = leakReport();
  Finding inherited = report.findings[0];
  inherited.id = "inherited-sockets";
  inherited.pid = 4000;
  inherited.also = {{report.processes[0].pid, report.processes[0].start_ticks}};
  report.findings.push_back(inherited);
  EXPECT_TRUE(contains(renderReportText(report, {.width = 1000}),
                       "Sockets without a live peer came to it through fork: see what is found of "
                       "pid 4000."));
}

TEST(ReportText, FdsAboveTheLimitAreCountedExactly) {
  Report report = leakReport();
  report.processes[0].soft_limit = 60;
  report.processes[0].fds_above = 12;
  EXPECT_TRUE(contains(renderReportText(report, {.width = 1000}),
                       "; its limit is 60 (12 fds have numbers not below it: opened before the "
                       "limit was lowered, or inherited)."));
}

TEST(ReportText, ThatPeersMayBeGoneIsSaidWhereItDecides) {
  Report report = leakReport();
  report.findings.clear();
  ProcessReport& process = report.processes[0];
  process.verdicts = {{"connected", 60}};
  process.peers = {{.verdict = "connected",
                    .last_state = "ESTABLISHED",
                    .direction = "in",
                    .local_port = 9091,
                    .peer = "198.51.100.7",
                    .count = 60}};
  constexpr std::string_view kNotKnown = "Whether the peers of 60 connections are still there";
  EXPECT_FALSE(contains(renderReportText(report, {.width = 1000}), kNotKnown));
  process.silent_connections = 60;
  EXPECT_TRUE(contains(renderReportText(report, {.width = 1000}), kNotKnown));
  EXPECT_FALSE(contains(renderReportText(leakReport(), {.width = 1000}), "still there"));
}

TEST(ReportText, EachLimitThatWasReachedIsInTheVerdict) {
  Report report = leakReport();
  report.processes[0].limit_reached_at = "2026-01-01T00:10:00.000Z";
  report.processes[0].reached_limits = {32, 64};
  EXPECT_TRUE(contains(renderReportText(report, {.width = 1000}),
                       "; its limits of 32 and 64 open files were reached."));
}

TEST(ReportText, PseudonymsAreToldOnTheFirstScreen) {
  Report report = leakReport();
  report.databases[0].redacted = "paths, addresses";
  EXPECT_TRUE(contains(renderReportText(report, {.width = 200}),
                       "The real paths, addresses: those here are pseudonyms (--redact)."));
}

TEST(ReportText, ManySocketsOfWhichNothingIsKnownAreNoAllClear) {
  Report report = leakReport();
  report.findings.clear();
  report.processes[0].verdicts = {{"unlisted", 40}};
  report.processes[0].hours_left.reset();
  report.processes[0].exhaustion_from.reset();
  const std::string text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(
      text.starts_with("Verdict    what 40 of the 70 fds of gateway (pid 4711) are is not "
                       "known: no table lists these sockets"))
      << text;
  EXPECT_TRUE(contains(text, "To do      If it was recorded with --no-autopsy")) << text;
}

TEST(ReportText, OneSocketIsSaidOfInTheSingular) {
  Report report = leakReport();
  report.processes[0].verdicts = {{"unlisted", 1}};
  EXPECT_TRUE(contains(
      renderReportText(report, {.width = 200}),
      "What 1 socket is: no table lists it, and nothing tells whether it ever had a connection."));
}

TEST(ReportText, ALimitThatWasReachedIsNoForecast) {
  Report report = leakReport();
  report.processes[0].limit_reached_at = "2026-01-01T00:50:00.000Z";
  report.processes[0].limit_reached_snapshot = 7;
  report.processes[0].limit_before_at = "2026-01-01T00:49:50.000Z";
  report.processes[0].is_full = true;
  report.processes[0].exhaustion_at = report.processes[0].limit_reached_at;
  const std::string text = renderReportText(report, {.width = 200});
  EXPECT_TRUE(contains(text, "its limit of 128 open files is used up"));
  EXPECT_TRUE(contains(text,
                       "between 2026-01-01T00:49:50Z and 2026-01-01T00:50:00Z (snapshot 7, "
                       "observed)"));
  EXPECT_FALSE(contains(text, "(inferred)"));
}

TEST(ReportText, TheVerdictIsOfItsOwnProcess) {
  Report report = leakReport();
  ProcessReport larger = leakingProcess();
  larger.pid = 8;
  larger.fds_peak = 90;
  larger.hours_left.reset();
  report.processes[0].hours_left.reset();
  report.processes.push_back(larger);
  Finding finding = report.findings[0];
  finding.id = "limit-reached";
  finding.severity = "warning";
  finding.title = "80 of 90";
  report.findings = {finding, finding};
  report.findings[1].pid = 8;
  report.findings[1].title = "96 of 100";
  sortReport(report);
  const std::string text = renderReportText(report);
  EXPECT_TRUE(text.starts_with("Verdict    gateway (pid 8): 96 of 100.\n")) << text;
  EXPECT_TRUE(contains(text, "Also gateway (pid 4711) on host-1: 80 of 90.")) << text;
}

Finding growthOf(const std::string& title, size_t fds) {
  return {.database = "leak.db",
          .id = "kind-growth",
          .severity = "warning",
          .title = title,
          .pid = 4711,
          .start_ticks = 99,
          .explanation = "Observed: more.",
          .advice = "Close " + title + ".",
          .query = "SELECT 1",
          .rows = {},
          .all_rows = fds,
          .held_by = {},
          .also = {}};
}

TEST(ReportText, TheVerdictIsOnTheLargestOfSeveralLeaks) {
  Report report = leakReport();
  report.findings = {growthOf("eventfds", 36), growthOf("pipes", 55), growthOf("timers", 9)};
  const std::string text = renderReportText(report, {.width = 200});
  EXPECT_TRUE(contains(text, "fd leak, most likely: in gateway (pid 4711) pipes;")) << text;
  EXPECT_TRUE(contains(text, "Observed   Besides: eventfds; timers.\n")) << text;
  EXPECT_TRUE(contains(text, "To do      Close pipes.\n")) << text;
}

TEST(ReportText, WhatIsCertainCountsTwice) {
  Report report = leakReport();
  report.findings[0].all_rows = 50;
  report.findings.push_back(growthOf("pipes", 99));
  EXPECT_TRUE(contains(renderReportText(report), "does not close sockets whose"));
  report.findings.back().all_rows = 101;
  EXPECT_TRUE(contains(renderReportText(report, {.width = 200}), "in gateway (pid 4711) pipes"));
}

TEST(ReportText, AShortRecordingDoesNotTellHowLongFdsOutlived) {
  Report report = leakReport();
  report.processes[0].seconds = 5;
  report.processes[0].peers[0].leaks = 0;
  const std::string text = renderReportText(report, {.width = 200});
  EXPECT_FALSE(contains(text, "none for longer")) << text;
  EXPECT_TRUE(contains(text,
                       "Not known  For how long these fds have outlived their connections: they "
                       "were recorded for 5.0 s only, and the grace period is 30 s.\n"))
      << text;
}

Report closeWaitReport() {
  Report report = leakReport();
  Finding& finding = report.findings[0];
  finding.id = "close-wait";
  finding.judgement = "held";
  finding.title = "4 stay";
  finding.trend = "their number did not grow in the second half of the recording";
  finding.all_rows = 4;
  report.processes[0].verdicts = {{"peer-closed", 4}};
  report.processes[0].verdicts_over_time = {{"peer-closed", {4, 4, 4}}};
  return report;
}

TEST(ReportText, WhatTheVerdictTellsIsNotToldAgain) {
  Report report = leakReport();
  report.processes[0].verdicts = {{"other", 5}};
  report.findings[0].id = "plateau";
  report.findings[0].severity = "warning";
  report.findings[0].title = "128 inotify fds are open";
  report.processes[0].limit_reached_at.reset();
  const std::string text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(text.starts_with("Verdict    gateway (pid 4711): 128 inotify fds are open.\n"))
      << text;
  EXPECT_FALSE(contains(text, "Besides: 128 inotify fds")) << text;
}

TEST(ReportText, AFewInCloseWaitThatStayTheSameAreNoLeak) {
  Report report = closeWaitReport();
  EXPECT_TRUE(contains(
      renderReportText(report, {.width = 200}),
      "Verdict    gateway (pid 4711) keeps 4 connections in CLOSE_WAIT, whose peers "
      "have ended their side; their number did not grow in the second half of the recording"));
  report.findings[0].judgement = "leak";
  EXPECT_TRUE(contains(renderReportText(report, {.width = 200}), "fd leak, most likely: gateway"));
}

TEST(ReportText, OneSnapshotOfSlowHandlersIsNoLeak) {
  Report report = leakReport();
  report.findings[0].severity = "info";
  report.findings[0].judgement = "undecided";
  report.findings[0].advice = "Record it for at least 60 s.";
  ProcessReport& process = report.processes[0];
  process.seconds = 0;
  process.last_snapshot = process.first_snapshot;
  process.hours_left.reset();
  process.peers[0].leaks = 0;
  const std::string text = renderReportText(report, {.width = 240});
  EXPECT_TRUE(text.starts_with(
      "Verdict    50 of 70 fds of gateway (pid 4711) outlived their connections, none known for "
      "longer than 30 s: a leak, or handlers that are slow to close; one snapshot can't tell "
      "which.\n"))
      << text;
  EXPECT_TRUE(contains(text, "To do      Record it for at least 60 s.\n")) << text;
  EXPECT_FALSE(contains(text, "Find the path")) << text;
  EXPECT_FALSE(contains(text, "lost or ignored")) << text;
}

TEST(ReportText, DeadSocketsThatDoNotBecomeMoreAreHeld) {
  Report report = leakReport();
  report.findings[0].judgement = "held";
  report.findings[0].title = "12 stay";
  report.findings[0].trend = "their number hardly grew in the second half of the recording";
  report.findings[0].all_rows = 12;
  report.processes[0].hours_left.reset();
  const std::string text = renderReportText(report, {.width = 240});
  EXPECT_TRUE(
      text.starts_with("Verdict    gateway (pid 4711) holds 12 sockets whose connections are gone; "
                       "their number hardly grew in the second half of the recording.\n"))
      << text;
  EXPECT_TRUE(contains(text, "To do      Close them.\n")) << text;
}

TEST(ReportText, HeldOrClosedLateIsNotLost) {
  Report report = leakReport();
  report.processes[0].has_ended = true;
  report.findings[0].judgement = "held";
  const std::string held = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(
      contains(held, "did not see, or ignored, that they were dead; they are gone with it."))
      << held;
  EXPECT_FALSE(contains(held, "lost or ignored")) << held;
  report.processes[0].has_ended = false;
  report.findings[0].judgement = "late";
  const std::string late = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(late, "The program closes these fds, but late.")) << late;
  EXPECT_FALSE(contains(late, "nobody else can close them")) << late;
}

TEST(ReportText, NothingInAPartOfAnArchiveSaysSo) {
  Report report = leakReport();
  report.findings.clear();
  report.processes[0].exhaustion_from.reset();
  report.databases[0].loss = "it is damaged, and a part of it is missing";
  const std::string text = renderReportText(report, {.width = 240});
  EXPECT_TRUE(
      text.starts_with("Verdict    nothing was found that needs attention as far as leak.db "
                       "tells: it is damaged, and a part of it is missing.\n"))
      << text;
  EXPECT_TRUE(contains(text, "Not known  Whether all of leak.db is there: it is damaged")) << text;
}

TEST(ReportText, AGrowthThatStoppedIsSaid) {
  Report report = leakReport();
  report.processes[0].growth_stopped_at = "2026-01-01T00:50:00.000Z";
  const std::string text = renderReportText(report, {.width = 240});
  EXPECT_TRUE(contains(text, "It grew until 2026-01-01T00:50:00Z and stands still since.")) << text;
  EXPECT_TRUE(contains(text, "fds a minute, none since 2026-01-01T00:50:00Z")) << text;
}

TEST(ReportText, AnotherLeakHasItsAdviceOnTheFirstScreen) {
  Report report = leakReport();
  Finding pipes = report.findings[0];
  pipes.id = "kind-growth";
  pipes.title = "pipe fds only grow, from 7 to 225";
  pipes.advice = "Look where they are made.";
  report.findings.push_back(pipes);
  const auto first_screen = [&] {
    const std::string text = renderReportText(report, {.width = 240});
    return text.substr(0, text.find("Findings\n"));
  };
  EXPECT_TRUE(contains(first_screen(),
                       "To do      Pipe fds only grow, from 7 to 225: Look where they are made.\n"))
      << first_screen();
  // What is small beside the verdict's has its advice below.
  report.findings.front().all_rows = 50;
  report.findings.back().severity = "warning";
  EXPECT_FALSE(contains(first_screen(), "Look where they are made.")) << first_screen();
}

TEST(ReportText, AProcessAtItsLimitIsAlwaysNamed) {
  Report report = leakReport();
  for (int i = 0; i < 9; ++i) {
    ProcessReport process = leakingProcess();
    process.pid = 100 + i;
    process.comm = process.name = "worker";
    if (i == 8) process.pressure = "near";
    Finding finding = report.findings[0];
    finding.pid = process.pid;
    report.processes.push_back(process);
    report.findings.push_back(finding);
  }
  const std::string text = renderReportText(report, {.width = 240});
  EXPECT_TRUE(contains(text,
                       "And 4 processes more with findings of their own, below; at their limits, "
                       "near them, or there within a day: worker (pid 108).\n"))
      << text;
}

TEST(ReportText, WhatIsUndecidedOfAnotherProcessIsNamed) {
  Report report = leakReport();
  ProcessReport other = leakingProcess();
  other.pid = 8;
  Finding finding = report.findings[0];
  finding.pid = 8;
  finding.severity = "info";
  finding.title = "29 fds outlived";
  report.processes.push_back(other);
  report.findings.push_back(finding);
  EXPECT_FALSE(contains(renderReportText(report), "Also gateway (pid 8)"));
  report.findings[1].judgement = "undecided";
  EXPECT_TRUE(
      contains(renderReportText(report), "Also gateway (pid 8) on host-1: 29 fds outlived."));
}

TEST(ReportText, ProcessesThatHoldTheSameSocketsShareAFinding) {
  Report report = closeWaitReport();
  report.findings[0].also = {{4712, 100}, {4713, 100}};
  report.findings[0].holders = {4712};
  ProcessReport child = leakingProcess();
  child.pid = 4712;
  child.start_ticks = 100;
  report.processes.push_back(child);
  const std::string text = renderReportText(report, {.width = 200});
  EXPECT_TRUE(contains(text, "To close them in this process alone ends none that pid 4712 holds"))
      << text;
  EXPECT_TRUE(contains(text, "1 other process\n")) << text;
  EXPECT_TRUE(contains(text, "critical  close-wait  gateway  4712")) << text;
}

TEST(ReportText, AForecastIsNotNothing) {
  Report report = leakReport();
  report.findings.clear();
  report.processes[0].verdicts = {{"connected", 10}};
  EXPECT_TRUE(renderReportText(report, {.width = 200})
                  .starts_with("Verdict    nothing was found that is wrong, but gateway (pid 4711) "
                               "grows: its limit of 128 is reached between 2026-01-01T01:50:00Z"));
}

}  // namespace
}  // namespace fdmortem::test
