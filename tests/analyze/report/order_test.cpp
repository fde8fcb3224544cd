// The order of a report's processes and findings.
#include <string>

#include <gtest/gtest.h>

#include "analyze/report/render.h"
#include "analyze/report/report.h"
#include "tests/analyze/report/example.h"

namespace fdmortem::test {
namespace {

TEST(SortReport, TheWorstFirst) {
  Report report = leakReport();
  const auto of = [](const char* id, const char* severity, int64_t place) {
    Finding made{.database = "a", .id = id, .severity = severity};
    made.place = place;
    return made;
  };
  report.findings = {of("tcp6-only", "info", 17), of("limit-reached", "critical", 5),
                     of("close-wait", "warning", 1), of("outlived-connections", "critical", 0)};
  sortReport(report);
  std::string order;
  for (const Finding& finding : report.findings)
    order += finding.id + " ";
  EXPECT_EQ(order, "outlived-connections limit-reached close-wait tcp6-only ");
}

// The verdict, the table of archives, the processes and the findings agree who is the worst.
TEST(SortReport, AFullProcessBeforeOneThatIsOnlyLarger) {
  Report report = leakReport();
  ProcessReport full = leakingProcess();
  full.database = "z.db";
  full.pid = 8;
  full.fds_peak = 20;
  full.pressure = "full";
  full.pressure_place = 0;
  Finding finding = report.findings[0];
  finding.database = "z.db";
  finding.id = "limit-reached";
  finding.place = 5;
  finding.pid = 8;
  report.databases.push_back(report.databases[0]);
  report.databases[1].path = "z.db";
  report.processes.push_back(full);
  report.findings.push_back(finding);
  sortReport(report);
  EXPECT_EQ(report.processes[0].pid, 8);
  EXPECT_EQ(report.findings[0].pid, 8);
  const std::string text = renderReportText(report, {.width = 240});
  EXPECT_TRUE(text.substr(0, text.find('\n')).find("(pid 8)") != std::string::npos) << text;
  const size_t archives = text.find("archives, worst first");
  EXPECT_LT(text.find("z.db", archives), text.find("leak.db", archives)) << text;
}

TEST(SortReport, WhatIsFullSoonerFirst) {
  Report report = leakReport();
  ProcessReport& later = report.processes[0];
  later.pressure = "soon";
  later.pressure_place = 1;
  later.hours_left = 3;
  ProcessReport sooner = later;
  sooner.pid = 8;
  sooner.fds_peak = 20;
  sooner.hours_left = 0.01;
  Finding finding = report.findings[0];
  finding.pid = 8;
  report.processes.push_back(sooner);
  report.findings.push_back(finding);
  sortReport(report);
  EXPECT_EQ(report.processes[0].pid, 8);
}

TEST(SortReport, ProcessesWithFindingsBeforeThoseWithMoreFds) {
  Report report = leakReport();
  ProcessReport larger = leakingProcess();
  larger.pid = 8;
  larger.fds_peak = 1000;
  report.processes.insert(report.processes.begin(), larger);
  sortReport(report);
  EXPECT_EQ(report.processes[0].pid, 4711);
}

}  // namespace

}  // namespace fdmortem::test
