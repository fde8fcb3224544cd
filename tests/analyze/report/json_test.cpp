// The report as JSON.
#include <algorithm>
#include <set>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "analyze/report/render.h"
#include "analyze/report/report.h"
#include "tests/analyze/report/example.h"

namespace fdmortem::test {
namespace {

using Json = nlohmann::json;

std::set<std::string> keysOf(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items())
    keys.insert(key);
  return keys;
}

void expectKeys(const Json& object, const std::set<std::string>& wanted) {
  const auto keys = keysOf(object);
  for (const std::string& key : wanted)
    EXPECT_TRUE(keys.contains(key)) << key;
}

TEST(ReportJson, HasTheKeysThatScriptsRelyOn) {
  const Json json = Json::parse(renderReportJson(leakReport()));
  EXPECT_EQ(json["report_version"], 1);
  expectKeys(json, {"report_version", "databases", "coverage", "processes", "findings"});
  expectKeys(json["databases"][0], {"path", "sha256", "host", "boot_id", "kernel", "recordings"});
  EXPECT_EQ(json["processes"][0]["fds"]["growth_range_per_hour"], Json({50, 70}));
  EXPECT_EQ(json["processes"][0]["fds"]["exhaustion_range"],
            Json({"2026-01-01T01:50:00.000Z", "2026-01-01T02:10:00.000Z"}));
  EXPECT_EQ(json["summary"]["statements"][0]["basis"], "observed");
  expectKeys(json["coverage"], {"snapshots", "missed", "late"});
  expectKeys(json["processes"][0],
             {"pid", "start_ticks", "comm", "exe", "fds", "kinds", "verdicts", "peers"});
  expectKeys(json["processes"][0]["fds"], {"first", "last", "peak", "soft_limit", "hard_limit",
                                           "growth_per_hour", "exhaustion_at"});
  expectKeys(json["findings"][0],
             {"id", "severity", "title", "pid", "explanation", "advice", "evidence"});
  expectKeys(json["findings"][0]["evidence"][0], {"query", "rows"});
}

TEST(ReportJson, SaysWhatTheReportHolds) {
  const Json json = Json::parse(renderReportJson(leakReport()));
  const Json& process = json["processes"][0];
  EXPECT_EQ(process["fds"]["first"], 10);
  EXPECT_EQ(process["fds"]["last"], 70);
  EXPECT_EQ(process["fds"]["peak"], 80);
  EXPECT_EQ(process["fds"]["soft_limit"], 128);
  EXPECT_EQ(process["fds"]["growth_per_hour"], 60.0);
  EXPECT_EQ(process["fds"]["series"].size(), 3U);
  EXPECT_EQ(process["kinds"], Json({{"socket", 60}, {"file", 10}}));
  EXPECT_EQ(process["verdicts"], Json({{"outlived", 50}, {"connected", 10}}));
  EXPECT_EQ(process["peers"][0]["peer"], "198.51.100.7");
  EXPECT_EQ(json["findings"][0]["evidence"][0]["rows"], Json::array({{{"fd", 7}}}));
  EXPECT_EQ(json["databases"][0]["recordings"][0]["ended_at"], nullptr);
}

TEST(ReportJson, AddsUpTheCoverageOfDatabases) {
  Report report = leakReport();
  report.coverage.push_back({.database = "b.db", .snapshots = 40, .missed = 3, .late = 4});
  const Json coverage = Json::parse(renderReportJson(report))["coverage"];
  EXPECT_EQ(coverage["snapshots"], 400);
  EXPECT_EQ(coverage["missed"], 5);
  EXPECT_EQ(coverage["late"], 5);
  EXPECT_EQ(coverage["unreadable"][0]["subject"], "4711/limits");
  EXPECT_EQ(coverage["unreadable"][0]["database"], "leak.db");
}

TEST(ReportJson, NoGrowthHasAReason) {
  Report report = leakReport();
  report.processes[0].growth = {.per_hour = {}, .reason = "fewer than 3 snapshots"};
  const Json fds = Json::parse(renderReportJson(report))["processes"][0]["fds"];
  EXPECT_EQ(fds["growth_per_hour"], nullptr);
  EXPECT_EQ(fds["growth_reason"], "fewer than 3 snapshots");
}

TEST(ReportJson, AProcessThatCouldNotBeReadHasNoNumbers) {
  Report report = leakReport();
  report.processes[0] = {.database = "leak.db", .pid = 4711, .start_ticks = 99, .comm = "gateway"};
  const Json process = Json::parse(renderReportJson(report))["processes"][0];
  EXPECT_EQ(process["fds"], nullptr);
  EXPECT_TRUE(process["kinds"].empty());
}

TEST(ReportJson, OfNothing) {
  const Json json = Json::parse(renderReportJson({}));
  EXPECT_EQ(json["report_version"], 1);
  EXPECT_EQ(json["processes"], Json::array());
  EXPECT_EQ(json["findings"], Json::array());
  EXPECT_EQ(json["coverage"]["snapshots"], 0);
}

}  // namespace
}  // namespace fdmortem::test
