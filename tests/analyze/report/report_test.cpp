// The text of a report: its lines, tables and charts.
#include "analyze/report/report.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "analyze/report/render.h"
#include "analyze/report/words.h"
#include "tests/analyze/report/example.h"
#include "tests/support/contains.h"

namespace fdmortem::test {

namespace {

using Json = nlohmann::json;

TEST(ReportText, SaysInTheFirstLinesWhatHappened) {
  const std::string text = renderReportText(leakReport());
  EXPECT_EQ(
      text.substr(0, text.find("\n\n") + 1),
      "Verdict    fd leak: gateway (pid 4711) does not close sockets whose connections are gone; "
      "its "
      "limit\n"
      "           of 128 is reached between 2026-01-01T01:50:00Z and 2026-01-01T02:10:00Z if that "
      "goes "
      "on.\n"
      "Observed   gateway (pid 4711) on host-1 went from 10 to 70 fds (peak 80), from "
      "2026-01-01T00:00:00Z\n"
      "           (snapshot 1) to 2026-01-01T01:00:00Z (snapshot 360); its limit is 128.\n"
      "Observed   50 of its 70 fds at the end are sockets whose connections are gone (50 with\n"
      "           198.51.100.7), 49 for longer than the grace period of 30 s; proof: history 50.\n"
      "Observed   The log complains 3 times from 2026-01-01T00:20:00Z to 2026-01-01T00:20:00Z, "
      "first:\n"
      "           accept4: too many open files\n"
      "Inferred   The program lost or ignored these fds; nobody else can close them, and a higher "
      "limit\n"
      "           only moves the day.\n"
      "Inferred   At the growth so far, +0.8 to +1.2 fds a minute, its limit is reached between\n"
      "           2026-01-01T01:50:00Z and 2026-01-01T02:10:00Z.\n"
      "To do      Find the path in the program on which a connection ends without close(). A "
      "restart "
      "frees\n"
      "           the fds for a time.\n");
}

TEST(ReportText, NamesEveryNumber) {
  const std::string text = renderReportText(leakReport());
  for (const std::string_view part :
       {"[critical] pid 4711: 50 fds outlived their connections (outlived-connections)",
        "What to do: Close them.", "Proof: fdanalyze sql leak.db \"SELECT fd FROM outlived\"",
        "gateway (pid 4711) on host-1", "/usr/bin/gateway", "+0.8 to +1.2 fds a minute",
        "between 2026-01-01T01:50:00Z and 2026-01-01T02:10:00Z", "60  socket", "50  outlived",
        "198.51.100.7", "360 snapshots over 60 min, 2 missed, 1 late", "recording 1 has no end",
        "4711/limits", "after the alarm", "SELECT * FROM kind_at_end WHERE process = 3"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
  EXPECT_TRUE(contains(text, std::string(64, 'a')));
}

TEST(ReportText, FitsTheTerminal) {
  for (const size_t width : {60U, 80U, 100U, 140U}) {
    const std::string text = renderReportText(leakReport(), {.width = width});
    for (size_t start = 0; start < text.size();) {
      const size_t end = text.find('\n', start);
      const std::string line = text.substr(start, end - start);
      // Tables are as wide as they are, a digest is one word, and commands are to be copied.
      const bool is_wide = contains(line, "  history  ") || contains(line, "last state") ||
                           contains(line, "aaaaaa") || contains(line, "cccccc") ||
                           contains(line, "Proof: ") || contains(line, "Command: ");
      if (!is_wide) {
        EXPECT_LE(line.size(), width) << line;
      }
      start = end + 1;
    }
  }
}

TEST(ReportText, ColoursOnlyWhenAskedTo) {
  EXPECT_FALSE(contains(renderReportText(leakReport()), "\x1b"));
  const std::string text = renderReportText(leakReport(), {.has_colour = true});
  EXPECT_TRUE(contains(text, "\x1b[1;31m[critical]\x1b[0m")) << text;
}

TEST(ReportText, ProofsCarryTheGracePeriodAndAQuotedName) {
  Report report = leakReport();
  report.grace_ms = 2500;
  for (auto* database : {&report.databases[0].path, &report.coverage[0].database,
                         &report.processes[0].database, &report.findings[0].database}) {
    *database = "my leak.db";
  }
  report.findings[0].query = "SELECT \"a$b`c\" FROM outlived";
  const std::string text = renderReportText(report, {.width = 140});
  EXPECT_TRUE(contains(text,
                       "Proof: fdanalyze sql 'my leak.db' --grace 2500ms "
                       "\"SELECT \\\"a\\$b\\`c\\\" FROM outlived\""))
      << text;
  EXPECT_TRUE(contains(text, "the grace period of 2500 ms"));
}

TEST(ReportText, SpansAreInTheLargestUnit) {
  EXPECT_EQ(spanInWords(500), "500 ms");
  EXPECT_EQ(spanInWords(2500), "2500 ms");
  EXPECT_EQ(spanInWords(30'000), "30 s");
  EXPECT_EQ(spanInWords(90'000), "90 s");
  EXPECT_EQ(spanInWords(300'000), "5 min");
  EXPECT_EQ(spanInWords(864'000'000), "10 d");
}

// Who looks in another network namespace sees nothing of it.
TEST(ReportText, TellsTheNetworkNamespaceAndHowToGetThere) {
  Report report = leakReport();
  EXPECT_TRUE(contains(
      renderReportText(report),
      "network     namespace 4026532177; its tables by hand: nsenter -t 4711 -n ss -tanp\n"));
  report.processes[0].has_ended = true;
  EXPECT_TRUE(contains(renderReportText(report), "network     namespace 4026532177\n"));
}

// What a log says at an unknown time must not vanish.
TEST(ReportFormats, LinesOfALogWithoutATimeAreTold) {
  Report report = leakReport();
  report.logs = {
      {.database = "leak.db",
       .logs = {.columns = {"path", "without_time"}, .rows = {{"app.log", int64_t{1}}}}}};
  EXPECT_TRUE(contains(
      renderReportText(report, {.width = 200}),
      "Not known  When 1 line of the log complained: it has no date or time that is known."));
  report.log_notes = {"app.log: 1 line that tells of it has no known time"};
  for (const std::string& text : {renderReportText(report, {.width = 200}),
                                  renderReportMarkdown(report), renderReportHtml(report)})
    EXPECT_TRUE(contains(text, "1 line that tells of it has no known time")) << text;
  EXPECT_EQ(Json::parse(renderReportJson(report))["coverage"]["logs"][0], report.log_notes[0]);
}

// A log in local time is easily taken for one in UTC.
TEST(ReportText, LinesOfALogOutsideTheRecordingAreTold) {
  Report report = leakReport();
  ASSERT_EQ(report.coverage[0].last_at, "2026-01-01T01:00:00.000Z");
  const auto mark = [](const std::string& at, int64_t count) {
    return MarkReport{.database = "leak.db",
                      .at = at,
                      .kind = "EMFILE",
                      .source = "app.log",
                      .count = count,
                      .text = "too many open files",
                      .last_at = at};
  };
  report.marks = {mark("2026-01-01T00:10:00.000Z", 1), mark("2026-01-01T02:10:00.000Z", 2)};
  std::string text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(text,
                       "The log complains 3 times from 2026-01-01T00:10:00Z to "
                       "2026-01-01T02:10:00Z, 2 of them outside the recording, first: too many"))
      << text.substr(0, 2000);
  EXPECT_FALSE(contains(text, "--log-timezone"));
  report.logs = {
      {.database = "leak.db",
       .logs = {.columns = {"path", "without_zone"}, .rows = {{"app.log", int64_t{2}}}}}};
  text = renderReportText(report, {.width = 1000});
  EXPECT_TRUE(contains(text,
                       "Whether the times of the log are right: 2 of them have no zone, and lines "
                       "lie outside the recording (--log-timezone gives the zone)."))
      << text.substr(0, 2000);
  // A recording goes on for a while after its last snapshot.
  report.marks = {mark("2026-01-01T00:10:00.000Z", 3), mark("2026-01-01T01:00:02.000Z", 1)};
  text = renderReportText(report, {.width = 1000});
  EXPECT_FALSE(contains(text, "outside the recording")) << text.substr(0, 2000);
}

// A line break would end the command, or get into the name.
TEST(ReportText, CommandsAreNeverWrapped) {
  Report report = leakReport();
  for (auto* database : {&report.databases[0].path, &report.coverage[0].database,
                         &report.processes[0].database, &report.findings[0].database}) {
    *database = "my leak's  $x.db";
  }
  const std::string text = renderReportText(report, {.width = 60});
  EXPECT_TRUE(
      contains(text, "Proof: fdanalyze sql 'my leak'\\''s  $x.db' \"SELECT fd FROM outlived\"\n"))
      << text;
  EXPECT_TRUE(contains(text, "Command: fdcapture record -o '/var/lib/leak db' --all\n")) << text;
}

// Lines of a second are one mark; the others may say something else.
TEST(ReportText, AMarkOfSeveralLinesDoesNotClaimThatAllSayTheSame) {
  Report report = leakReport();
  MarkReport& mark = report.marks[0];
  mark.kind = "EMFILE";
  mark.at = "2026-01-01T00:20:00.100Z";
  mark.last_at = "2026-01-01T00:20:00.900Z";
  EXPECT_EQ(markInWords(mark),
            "accept4: too many open files (and 2 more EMFILE lines in that second)");
  EXPECT_TRUE(contains(renderReportText(report, {.width = 140}),
                       "too many open files (and 2 more EMFILE lines in that second)"));
  EXPECT_TRUE(contains(renderReportMarkdown(report), "(and 2 more EMFILE lines in that second)"));
  mark.last_at = "2026-01-01T00:20:59.900Z";
  mark.count = 2;
  EXPECT_EQ(markInWords(mark),
            "accept4: too many open files (and 1 more EMFILE line until 2026-01-01T00:20:59Z)");
}

// Or they would give other numbers than the report.
TEST(ReportText, ProofsCarryThePartOfTheTimeAndTheSalvage) {
  Report report = leakReport();
  report.from = "2026-01-01 00:20";
  report.to = "2026-01-01T00:40:00Z";
  EXPECT_TRUE(contains(renderReportText(report, {.width = 200}),
                       "Proof: fdanalyze sql leak.db --from '2026-01-01 00:20' --to "
                       "2026-01-01T00:40:00Z \"SELECT fd FROM outlived\""));
  report.is_salvaged = true;
  EXPECT_TRUE(contains(renderReportMarkdown(report), "2026-01-01T00:40:00Z --salvage \"SELECT"));
}

TEST(ReportText, AChartShowsTheLimitWhereItIsNear) {
  Report report = leakReport();
  report.processes[0].counts[0].soft_limit = 20'000;
  EXPECT_TRUE(
      contains(renderReportText(report), "fds over time, | is the soft limit where it is near\n"));
  for (CountAt& count : report.processes[0].counts)
    count.soft_limit = 20'000;
  report.processes[0].soft_limit = 20'000;
  EXPECT_TRUE(contains(renderReportText(report), "fds over time (the soft limit is far away)\n"));
}

TEST(ReportText, AProcessThatCouldNotBeReadShowsNoZeros) {
  Report report = leakReport();
  report.findings.clear();
  report.processes = {{.database = "leak.db",
                       .pid = 4711,
                       .start_ticks = 99,
                       .comm = "gateway",
                       .first_seen = "2026-01-01T00:00:00.000Z",
                       .last_seen = "2026-01-01T01:00:00.000Z",
                       .unread_snapshots = 360}};
  const std::string text = renderReportText(report);
  EXPECT_TRUE(text.starts_with(
      "Verdict    nothing is known: the fds of gateway (pid 4711) could not be read.\n"))
      << text;
  EXPECT_TRUE(contains(text, "its fds could not be read in 360 snapshots")) << text;
  EXPECT_FALSE(contains(text, " 0 ")) << text;
  EXPECT_FALSE(contains(text, "outlived its connection.")) << text;
  EXPECT_FALSE(contains(text, "needs attention")) << text;
}

TEST(ReportText, ProcessesWithoutAFindingAreALineEach) {
  Report report = leakReport();
  ProcessReport quiet = leakingProcess();
  quiet.pid = 8;
  quiet.comm = quiet.name = "quiet";
  ProcessReport unread{.database = "leak.db", .pid = 9, .start_ticks = 1, .comm = "unread"};
  report.processes.push_back(quiet);
  report.processes.push_back(unread);
  const std::string text = renderReportText(report);
  EXPECT_TRUE(contains(text, "2 other processes")) << text;
  EXPECT_TRUE(contains(text, "  quiet (pid 8): 10 to 70 fds, limit 128\n")) << text;
  EXPECT_TRUE(contains(text, "  unread (pid 9): its fds could not be read\n")) << text;
}

TEST(ReportText, OfNothing) {
  const std::string text = renderReportText({});
  EXPECT_TRUE(
      text.starts_with("Verdict    no process was recorded, so there is nothing to judge.\n"))
      << text;
  EXPECT_TRUE(contains(text, "0 snapshots")) << text;
}

TEST(ReportText, OnlyALimitThatIsKnownIsFarAway) {
  Report report = leakReport();
  ProcessReport& process = report.processes[0];
  for (CountAt& count : process.counts)
    count.soft_limit = 1'000'000;
  process.soft_limit = 1'000'000;
  EXPECT_TRUE(contains(renderReportText(report), "fds over time (the soft limit is far away)\n"));
  for (CountAt& count : process.counts)
    count.soft_limit.reset();
  process.soft_limit.reset();
  EXPECT_TRUE(contains(renderReportText(report), "fds over time\n"));
}

TEST(ReportText, AProcessWithOneCountHasNoChart) {
  Report report = leakReport();
  report.processes[0].counts.resize(1);
  EXPECT_FALSE(contains(renderReportText(report), "fds over time"));
}

}  // namespace
}  // namespace fdmortem::test
