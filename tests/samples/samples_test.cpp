// What fdanalyze says of the recorded incidents.
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

std::string sample(const std::string& name) {
  return FDMORTEM_SAMPLES_DIR "/" + name + ".db";
}

Json report(const std::string& name) {
  return analyze({"report", sample(name)});
}

/// "critical outlived-connections", ...
std::set<std::string> findingsOf(const Json& report) {
  std::set<std::string> findings;
  for (const Json& finding : report.at("findings")) {
    findings.insert(finding.at("severity").get<std::string>() + " " +
                    finding.at("id").get<std::string>());
  }
  return findings;
}

/// Of the only process.
int64_t countOf(const Json& report, const std::string& verdict) {
  return report.at("processes").at(0).at("verdicts").value(verdict, int64_t{0});
}

using Findings = std::set<std::string>;

TEST(Samples, PushgatewayHasLiveClientsAndNoLeak) {
  const Json it = report("pushgateway");
  EXPECT_EQ(findingsOf(it),
            (Findings{"critical limit-reached", "critical accept-queue", "info tcp6-only"}));
  EXPECT_EQ(it.at("processes").size(), 1U);
  EXPECT_EQ(it.at("processes").at(0).at("comm"), "prometheus-push");
  EXPECT_EQ(it.at("processes").at(0).at("fds").at("last"), 128);
  EXPECT_GE(countOf(it, "connected"), 100);
  EXPECT_EQ(countOf(it, "outlived") + countOf(it, "unlisted") + countOf(it, "peer-closed"), 0);
  EXPECT_EQ(analyze({"outlived", sample("pushgateway")}), Json::array());
}

// The story that this tool is about, told in the first lines.
TEST(Samples, PushgatewayHasItsVerdictInTheFirstLines) {
  const Json it = report("pushgateway");
  std::string summary = it.at("summary").at("verdict");
  for (const Json& statement : it.at("summary").at("statements"))
    summary += "\n" + statement.at("basis").get<std::string>() + " " +
               statement.at("text").get<std::string>();
  for (const std::string_view part :
       {"too many live clients for a limit of 128 open files", "no fd leak of dead sockets",
        "observed The limit of 128 open files was reached between",
        "connections wait in the accept queue of [::]:9091, and no fd is free",
        "connections are alive", "listed in tcp6 and none in tcp", "none outlived",
        "inferred So no fd leak"}) {
    EXPECT_NE(summary.find(part), std::string::npos) << part << '\n' << summary;
  }
}

TEST(Samples, PushgatewaySaidWhatTheReportSays) {
  EXPECT_NE(contentOf(FDMORTEM_SAMPLES_DIR "/pushgateway.log").find("accept4: too many open files"),
            std::string::npos);
}

size_t count(const std::string& text, const std::string& part) {
  size_t number = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++number;
  return number;
}

/// "2026/11/22 09:47:05" of the first line with that.
std::string firstSecondOf(const std::string& log, const std::string& part) {
  const size_t line = log.rfind('\n', log.find(part)) + 1;
  return log.substr(line, 19);
}

std::string isoOf(std::string second) {
  second[4] = second[7] = '-';
  second[10] = 'T';
  return second + ".000Z";
}

std::string timeOf(const std::string& path, int snapshot) {
  return queryValue(path, "SELECT taken_at FROM snapshot WHERE id = " + std::to_string(snapshot))
      .get<std::string>();
}

TEST(Samples, PushgatewaysLogIsPutOnTheTimeline) {
  // Its lines begin with 2026/11/22 09:47:05, in UTC.
  const std::string path = FDMORTEM_SAMPLES_DIR "/pushgateway.log";
  const std::string log = contentOf(path);
  const std::string second = firstSecondOf(log, "too many open files");
  const std::string at = isoOf(second);
  const auto lines = static_cast<int64_t>(count(log, "too many open files"));
  const Json it = analyze({"report", sample("pushgateway"), "--log", path, "--mark",
                           "2026-11-22T01:00:00Z more clients <b>\x1b[31m"});
  ASSERT_EQ(it.at("logs").size(), 1U);
  EXPECT_EQ(it.at("logs")[0].at("matched"), lines);
  EXPECT_EQ(it.at("logs")[0].at("without_time"), 0);
  EXPECT_EQ(it.at("logs")[0].at("without_zone"), lines);
  const Json& marks = it.at("marks");
  ASSERT_GE(marks.size(), 3U);
  EXPECT_EQ(marks[0].at("kind"), "other");
  EXPECT_EQ(marks[0].at("source"), nullptr);
  EXPECT_EQ(marks[0].at("text"), "more clients <b>\\x1b[31m");
  EXPECT_EQ(marks[1].at("at"), at);
  EXPECT_EQ(marks[1].at("kind"), "EMFILE");
  EXPECT_EQ(marks[1].at("count"), count(log, second));
  // The snapshot before it, and none in between.
  const std::string snapshot = marks[1].at("snapshot").dump();
  EXPECT_EQ(queryValue(sample("pushgateway"),
                       "SELECT max(id) FROM snapshot WHERE taken_at <= '" + at + "'")
                .dump(),
            snapshot);
  // Earlier, as if the log were of another zone: before the recording.
  const Json early =
      analyze({"report", sample("pushgateway"), "--log", path, "--log-timezone", "+14:00"});
  EXPECT_LT(early.at("marks")[0].at("at"), at);
  EXPECT_EQ(early.at("marks")[0].at("snapshot"), nullptr);
  EXPECT_EQ(report("pushgateway").at("marks"), Json::array());
}

TEST(Samples, AReportOfAPartOfTheTime) {
  const std::string path = sample("leak-reset");
  const std::string from = timeOf(path, 11);
  const std::string to = timeOf(path, 31);
  const Json part = analyze({"report", path, "--from", from, "--to", to});
  EXPECT_EQ(part.at("coverage").at("snapshots"), 21);
  EXPECT_EQ(part.at("from"), from);
  EXPECT_EQ(part.at("to"), to);
  const Json& fds = part.at("processes")[0].at("fds");
  const Json listed = analyze({"snapshots", path, "--from", from, "--to", to});
  ASSERT_EQ(listed.size(), 21U);
  EXPECT_EQ(fds.at("first"), listed.front().at("fds"));
  EXPECT_EQ(fds.at("last"), listed.back().at("fds"));
  EXPECT_EQ(part.at("processes")[0].at("first_seen"), listed.front().at("taken_at"));
  const Json doubts = part.at("databases")[0].at("doubts");
  EXPECT_EQ(doubts, Json({"only snapshots 11 to 31 were looked at, as was asked"}));
  // What leaked before is known from the autopsies.
  EXPECT_EQ(countOf(part, "outlived"),
            analyze({"sql", path,
                     "SELECT 1 FROM verdict_span WHERE verdict = 'outlived' AND 31"
                     " BETWEEN first_snapshot AND last_snapshot"})
                .size());
  const Json evidence = part.at("findings")[0].at("evidence")[0];
  const Json rows =
      analyze({"sql", path, evidence.at("query").get<std::string>(), "--from", from, "--to", to});
  EXPECT_EQ(valuesOf(rows, "fd"), valuesOf(evidence.at("rows"), "fd"));
  EXPECT_EQ(valuesOf(rows, "outlived_seconds"), valuesOf(evidence.at("rows"), "outlived_seconds"));
}

TEST(Samples, ADiffBetweenTimes) {
  const std::string path = sample("leak-reset");
  const std::string from = timeOf(path, 11);
  const std::string to = timeOf(path, 31);
  const Json rows = analyze({"diff", path, from, to});
  EXPECT_EQ(rows, analyze({"diff", path, "11", "31"}));
  ASSERT_GT(rows.size(), 20U);
  const Json kinds = analyze({"diff", path, from, "31", "--by", "kind"});
  ASSERT_EQ(kinds.size(), 1U) << kinds;
  EXPECT_EQ(kinds[0].at("kind"), "socket");
  EXPECT_EQ(kinds[0].at("opened"), rowsWhere(rows, "change", "opened").size());
  EXPECT_EQ(kinds[0].at("changed"), rowsWhere(rows, "change", "changed").size());
  const Json peers = analyze({"diff", path, "first", "last", "--by", "peer", "--pid", "14"});
  EXPECT_TRUE(valuesOf(peers, "peer").dump().find("192.0.2.21") != std::string::npos) << peers;
  const Json ports = analyze({"diff", path, "first", "last", "--by", "port"});
  EXPECT_EQ(rowsWhere(ports, "port", 8080).size(), 1U) << ports;
  EXPECT_EQ(runFdanalyze({"diff", path, "2025-01-01", "last"}).status, 1);
  EXPECT_EQ(runFdanalyze({"diff", path, to, from}).status, 2);
  EXPECT_EQ(runFdanalyze({"diff", path, "first", "noon"}).status, 2);
  EXPECT_EQ(runFdanalyze({"diff", path, "first", "last", "--by", "fd"}).status, 2);
}

// --- several archives ---

TEST(Samples, SeveralArchivesAreKeptApartAndSummedUp) {
  const std::vector<std::string> paths = {sample("healthy"), sample("leak-reset"),
                                          sample("pushgateway")};
  std::vector<std::string> arguments = {"report"};
  arguments.insert(arguments.end(), paths.begin(), paths.end());
  const Json it = analyze(arguments);
  ASSERT_EQ(it.at("databases").size(), 3U);
  EXPECT_EQ(it.at("databases")[0].at("worst_finding"), nullptr);
  EXPECT_EQ(it.at("databases")[1].at("worst_finding"), "outlived-connections");
  EXPECT_EQ(it.at("databases")[2].at("worst_finding"), "limit-reached");
  EXPECT_EQ(
      it.at("summary").at("statements")[0].at("text"),
      "3 archives of 1 host: 2 with critical findings, 0 with warnings only, 1 with neither.");
  // Two processes have the pid 14; each is as it is alone, under its archive's name.
  for (const std::string name : {"healthy", "leak-reset", "pushgateway"}) {
    EXPECT_EQ(rowsWhere(it.at("processes"), "database", sample(name)),
              report(name).at("processes"));
    EXPECT_EQ(rowsWhere(it.at("findings"), "database", sample(name)), report(name).at("findings"));
  }
  // The worst first: no fd is free in one of them.
  EXPECT_EQ(it.at("processes")[0].at("database"), sample("pushgateway"));
  EXPECT_EQ(it.at("findings")[0].at("database"), sample("pushgateway"));
  EXPECT_TRUE(it.at("summary").at("verdict").get<std::string>().starts_with("prometheus-pushgate"));
  for (const std::string format : {"text", "markdown", "html"}) {
    std::vector<std::string> formatted = arguments;
    formatted.insert(formatted.end(), {"-f", format});
    const std::string text = runFdanalyze(formatted).out;
    const size_t table = text.find("3 archives");
    ASSERT_NE(table, std::string::npos) << format;
    const size_t findings = text.find("What to do");
    for (const std::string& path : paths)
      EXPECT_LT(text.find(path, text.find("worst", table)), findings) << format << ' ' << path;
  }
}

TEST(Samples, ALogIsOfTheHostThatItIsSaidToBeOf) {
  const std::string log = FDMORTEM_SAMPLES_DIR "/pushgateway.log";
  const std::vector<std::string> both = {"report", sample("healthy"), sample("pushgateway")};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = both;
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  };
  // By its path, since both hosts have one name.
  const Json it = analyze(with({"--log", sample("pushgateway") + "=" + log}));
  EXPECT_EQ(valuesOf(it.at("logs"), "database"), Json({sample("pushgateway")}));
  EXPECT_EQ(rowsWhere(it.at("marks"), "database", sample("healthy")), Json::array());
  const Json alone = analyze({"report", sample("pushgateway"), "--log", log});
  EXPECT_EQ(it.at("marks"), alone.at("marks"));
  EXPECT_EQ(analyze({"report", sample("pushgateway"), "--log", "vm=" + log}).at("marks"),
            alone.at("marks"));
  EXPECT_EQ(analyze(with({"--log", "vm=" + log})).at("logs").size(), 2U);

  const ProgramResult whose = runFdanalyze(with({"--log", log}));
  EXPECT_EQ(whose.status, 2);
  EXPECT_EQ(whose.err, "fdanalyze: --log " + log +
                           ": of several archives, say of which host it is: --log HOST=FILE\n");
  const ProgramResult nobody = runFdanalyze(with({"--log", "web1=" + log}));
  EXPECT_EQ(nobody.status, 2);
  EXPECT_EQ(nobody.err,
            "fdanalyze: --log web1=" + log + ": no archive is of that host; there are vm\n");
  EXPECT_EQ(nobody.out, "");
}

TEST(Samples, AReportOfOneProcess) {
  const std::string path = sample("restarted");
  const Json both = report("restarted");
  const Json& wanted = both.at("processes")[0];
  const Json one = analyze({"report", path, "--pid", wanted.at("pid").dump()});
  EXPECT_EQ(one.at("processes"), Json::array({wanted}));
  // What is said of the host stays.
  for (const Json& finding : one.at("findings"))
    EXPECT_TRUE(finding.at("pid").is_null() || finding.at("pid") == wanted.at("pid")) << finding;
  EXPECT_EQ(analyze({"report", path, "--comm", "demo-server"}).at("processes").size(), 2U);
  const Json none = analyze({"report", path, "--comm", "other"});
  EXPECT_EQ(none.at("processes"), Json::array());
  EXPECT_EQ(none.at("summary").at("verdict"),
            "no recorded process is one that was asked for, so nothing is judged");
  const Json snapshots = analyze({"snapshots", path, "--pid", wanted.at("pid").dump()});
  EXPECT_EQ(snapshots.front().at("taken_at"), wanted.at("first_seen"));
  EXPECT_EQ(snapshots.back().at("taken_at"), wanted.at("last_seen"));
  EXPECT_EQ(snapshots.back().at("fds"), wanted.at("fds").at("last"));
  EXPECT_EQ(snapshots.back().at("processes"), 1);
  EXPECT_EQ(analyze({"snapshots", path, "--pid", "999"}), Json::array());
}

TEST(Samples, LeakResetHasOutlivedFdsWithProof) {
  const Json it = report("leak-reset");
  EXPECT_EQ(findingsOf(it), (Findings{"critical outlived-connections", "critical steady-growth",
                                      "info tcp6-only"}));
  EXPECT_GE(countOf(it, "outlived"), 50);
  EXPECT_EQ(countOf(it, "peer-closed"), 0);
  int64_t leaks = 0;
  for (const Json& row : analyze({"outlived", sample("leak-reset")})) {
    if (!row.at("leak").get<bool>()) continue;
    ++leaks;
    EXPECT_EQ(row.at("proof"), "autopsy") << row;
    EXPECT_GE(row.at("outlived_seconds"), 30) << row;
  }
  EXPECT_GE(leaks, 30);
}

TEST(Samples, AfterLeakTellsTheHistoryFromOneSnapshot) {
  const Json it = report("after-leak");
  // How fast it grows is not known, so neither is that it fails within a day.
  EXPECT_TRUE(findingsOf(it).contains("warning outlived-connections"));
  EXPECT_EQ(it.at("coverage").at("snapshots"), 1);
  const Json rows = analyze({"outlived", sample("after-leak")});
  EXPECT_GE(rows.size(), 80U);
  for (const Json& row : rows) {
    EXPECT_EQ(row.at("proof"), "autopsy") << row;
    EXPECT_NE(row.at("remote"), nullptr) << row;
    EXPECT_NE(row.at("last_data_at"), nullptr) << row;
  }
  EXPECT_GE(it.at("processes")[0].at("last_data").size(), 5U);
}

TEST(Samples, LeakCloseWaitHasConnectionsThatStay) {
  const Json it = report("leak-close-wait");
  EXPECT_EQ(findingsOf(it),
            (Findings{"critical close-wait", "critical steady-growth", "info tcp6-only"}));
  EXPECT_GE(countOf(it, "peer-closed"), 50);
  EXPECT_EQ(countOf(it, "outlived"), 0);
}

TEST(Samples, HealthyHasNoFinding) {
  const Json it = report("healthy");
  EXPECT_EQ(findingsOf(it), Findings{});
  EXPECT_GE(countOf(it, "connected"), 30);
}

TEST(Samples, RestartedHasTwoProcesses) {
  const Json it = report("restarted");
  EXPECT_TRUE(findingsOf(it).contains("info restarted"));
  ASSERT_EQ(it.at("processes").size(), 2U);
  for (const Json& process : it.at("processes")) {
    EXPECT_EQ(process.at("comm"), "demo-server");
  }
}

class EachSample : public ::testing::TestWithParam<const char*> {};

/// `fdanalyze report NAME.db`, run beside it, with the log if there is one.
std::string textReport(const std::string& name) {
  std::vector<std::string> command = {FDANALYZE_PATH, "report", name + ".db"};
  if (std::filesystem::exists(FDMORTEM_SAMPLES_DIR "/" + name + ".log"))
    command.insert(command.end(), {"--log", name + ".log"});
  const ProgramResult result =
      runProgram(command, {}, kDeadline, {.environment = {}, .directory = FDMORTEM_SAMPLES_DIR});
  EXPECT_EQ(result.status, 0) << result.err;
  return result.out;
}

TEST_P(EachSample, HasTheReportThatWasReviewed) {
  const std::string name = GetParam();
  const std::string text = textReport(name);
  EXPECT_EQ(text, contentOf(FDMORTEM_SAMPLES_DIR "/reports/" + name + ".txt"))
      << "If that is better: samples/reports/make, read it, and commit it.";
  EXPECT_EQ(text, textReport(name)) << "the same archive gives the same report";
}

TEST_P(EachSample, HasEvidenceThatAnybodyCanAskForAgain) {
  const Json it = report(GetParam());
  for (const Json& finding : it.at("findings")) {
    for (const Json& evidence : finding.at("evidence")) {
      const std::string sql = evidence.at("query");
      EXPECT_EQ(query(sample(GetParam()), sql), evidence.at("rows")) << sql;
      EXPECT_FALSE(evidence.at("rows").empty()) << sql;
    }
  }
}

/// The queries of the lines that begin with "Proof:", as a shell gives them to the program.
std::vector<std::string> proofsOf(const std::string& text) {
  std::vector<std::string> queries;
  for (size_t start = 0; (start = text.find("Proof: ", start)) != std::string::npos; ++start) {
    const size_t quote = text.find('"', start);
    const size_t end = text.find('"', quote + 1);
    std::string sql = text.substr(quote + 1, end - quote - 1);
    for (size_t line = 0; (line = sql.find('\n', line)) != std::string::npos;)
      sql.replace(line, sql.find_first_not_of(' ', line + 1) - line, " ");
    queries.push_back(sql);
  }
  return queries;
}

TEST_P(EachSample, HasAProofForEachOfItsTables) {
  const std::vector<std::string> queries = proofsOf(textReport(GetParam()));
  EXPECT_GE(queries.size(), 3U);
  for (const std::string& sql : queries)
    EXPECT_FALSE(query(sample(GetParam()), sql).empty()) << sql;
}

TEST_P(EachSample, IsASmallFinishedArchive) {
  const std::string path = sample(GetParam());
  EXPECT_LT(std::filesystem::file_size(path), 500'000U);
  const std::string content = contentOf(path);
  // The write and read versions of SQLite's file header: 2 would be WAL.
  EXPECT_EQ(content.at(18), 1);
  EXPECT_EQ(content.at(19), 1);
  EXPECT_EQ(queryValue(path, "SELECT count(*) FROM recording WHERE ended_at IS NOT NULL"), 1);
  EXPECT_EQ(analyze({"check", path}).at("problems"), Json::array());
}

INSTANTIATE_TEST_SUITE_P(Samples, EachSample,
                         ::testing::Values("pushgateway", "leak-reset", "after-leak",
                                           "leak-close-wait", "healthy", "restarted"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& letter : name)
                             if (letter == '-') letter = '_';
                           return name;
                         });

}  // namespace
}  // namespace fdmortem::test
