#include "tests/analyze/report/example.h"

#include <algorithm>

namespace fdmortem::test {

namespace {

constexpr int64_t kStartNs = 1'767'225'600'000'000'000;  // 2026-01-01T00:00:00Z
constexpr int64_t kMinuteNs = 60'000'000'000;

}  // namespace

ProcessReport leakingProcess() {
  ProcessReport process{.database = "leak.db",
                        .host = "host-1",
                        .process = 3,
                        .pid = 4711,
                        .start_ticks = 99,
                        .comm = "gateway",
                        .name = "gateway",
                        .exe = "/usr/bin/gateway",
                        .cmdline = "gateway --port 9091",
                        .first_seen = "2026-01-01T00:00:00.000Z",
                        .last_seen = "2026-01-01T01:00:00.000Z",
                        .first_snapshot = 1,
                        .last_snapshot = 360,
                        .netns = 4026532177,
                        .seconds = 3600,
                        .has_fds = true,
                        .fds_first = 10,
                        .fds_last = 70,
                        .fds_peak = 80,
                        .peak_at = "2026-01-01T00:50:00.000Z",
                        .soft_limit = 128,
                        .hard_limit = 4096,
                        .growth = {.points = 360,
                                   .per_hour = 60,
                                   .low_per_hour = 50,
                                   .high_per_hour = 70,
                                   .reason = {}},
                        .exhaustion_at = "2026-01-01T02:00:00.000Z",
                        .exhaustion_from = "2026-01-01T01:50:00.000Z",
                        .exhaustion_to = "2026-01-01T02:10:00.000Z",
                        .hours_left = 0.8,
                        .kinds = {{"socket", 60}, {"file", 10}},
                        .verdicts = {{"outlived", 50}, {"connected", 10}}};
  process.counts = {{.snapshot = 1,
                     .taken_at = "2026-01-01T00:00:00.000Z",
                     .wall_ns = kStartNs,
                     .fds = 10,
                     .soft_limit = 128},
                    {.snapshot = 180,
                     .taken_at = "2026-01-01T00:30:00.000Z",
                     .wall_ns = kStartNs + 30 * kMinuteNs,
                     .fds = 40,
                     .soft_limit = 128},
                    {.snapshot = 360,
                     .taken_at = "2026-01-01T01:00:00.000Z",
                     .wall_ns = kStartNs + 60 * kMinuteNs,
                     .fds = 70,
                     .soft_limit = 128}};
  process.kinds_over_time = {{"socket", {5, 30, 60}}, {"file", {5, 10, 10}}};
  process.verdicts_over_time = {{"outlived", {0, 20, 50}}, {"connected", {5, 10, 10}}};
  process.peers = {{.verdict = "outlived",
                    .proof = "history",
                    .last_state = "ESTABLISHED",
                    .direction = "in",
                    .local_port = 9091,
                    .peer = "198.51.100.7",
                    .count = 50,
                    .leaks = 49,
                    .first_lost = "2026-01-01T00:10:00.000Z",
                    .last_lost = "2026-01-01T00:40:00.000Z"}};
  process.targets = {{.name = "file",
                      .target = "/var/spool/in-*",
                      .fds = 10,
                      .first_seen = "2026-01-01T00:00:00.000Z"}};
  process.targets_total = 3;
  process.last_data = {{.from = "2025-12-31T23:50:00.000Z",
                        .to = "2026-01-01T00:10:00.000Z",
                        .from_ns = kStartNs - 10 * kMinuteNs,
                        .to_ns = kStartNs + 10 * kMinuteNs,
                        .count = 50}};
  process.lifetimes = {{.fd = 7,
                        .inode = 94859722,
                        .remote = "198.51.100.7:40000",
                        .proof = "history",
                        .first_ns = kStartNs,
                        .last_ns = kStartNs + 60 * kMinuteNs,
                        .connection_last_ns = kStartNs + 10 * kMinuteNs,
                        .since_ns = kStartNs + 11 * kMinuteNs,
                        .last_data_ns = kStartNs - 10 * kMinuteNs,
                        .is_leak = true}};
  process.lifetimes_total = 50;
  return process;
}

Report leakReport() {
  Report report;
  report.recording_columns = {"id",
                              "started_at",
                              "ended_at",
                              "end_reason",
                              "interval_ms",
                              "program_version",
                              "recorder_uid",
                              "recorder_login_uid",
                              "options",
                              "keeps_texts",
                              "redacted",
                              "first_snapshot",
                              "last_snapshot",
                              "host_name",
                              "kernel_release",
                              "boot_id",
                              "note"};
  report.databases = {
      {.path = "leak.db",
       .sha256 = std::string(64, 'a'),
       .host = "host-1",
       .boot_id = "boot",
       .kernel = "6.18",
       .head = std::string(64, 'c'),
       .recordings = {{int64_t{1}, "2026-01-01T00:00:00.000Z", Value(), Value(), int64_t{10'000},
                       "0.1.0", int64_t{0}, int64_t{1000},
                       R"(["record","-o","/var/lib/leak db","--all"])", int64_t{1}, "paths",
                       int64_t{1}, int64_t{7}, "host-1", "6.18", "boot", "after the alarm"}},
       .doubts = {"recording 1 has no end"}}};
  report.coverage = {{.database = "leak.db",
                      .snapshots = 360,
                      .missed = 2,
                      .late = 1,
                      .first_at = "2026-01-01T00:00:00.000Z",
                      .last_at = "2026-01-01T01:00:00.000Z",
                      .first_ns = kStartNs,
                      .last_ns = kStartNs + 60 * kMinuteNs,
                      .seconds = 3600,
                      .unreadable = {.columns = {"operation", "subject", "errno"},
                                     .rows = {{"read", "4711/limits", int64_t{13}}}}}};
  report.processes = {leakingProcess()};
  report.findings = {{.database = "leak.db",
                      .id = "outlived-connections",
                      .severity = "critical",
                      .title = "50 fds outlived their connections",
                      .pid = 4711,
                      .start_ticks = 99,
                      .explanation = "No TCP table lists them.",
                      .advice = "Close them.",
                      .query = "SELECT fd FROM outlived",
                      .rows = {.columns = {"fd"}, .rows = {{int64_t{7}}}}}};
  report.marks = {{.database = "leak.db",
                   .at = "2026-01-01T00:20:00.000Z",
                   .at_ns = kStartNs + 20 * kMinuteNs,
                   .kind = "log",
                   .source = "gateway.log",
                   .count = 3,
                   .text = "accept4: too many open files"}};
  report.without_fd = {
      {.database = "leak.db",
       .rows = {.columns = {"netns", "local_port", "state", "holder", "count"},
                .rows = {{int64_t{4000}, int64_t{9091}, "ESTABLISHED", "nobody", int64_t{5}}}},
       .waiting = {.columns = {"netns", "local_port", "peer", "waiting"},
                   .rows = {{int64_t{4000}, int64_t{9091}, "[::ffff:198.51.100.7]", int64_t{5}}}}}};
  return report;
}

Report reportWith(const std::string& text) {
  Report report = leakReport();
  for (DatabaseReport& database : report.databases) {
    database.host = database.kernel = text;
    database.doubts = {text};
    std::vector<Value>& recording = database.recordings[0];
    std::fill(recording.end() - 4, recording.end(), text);  // from host_name on
  }
  report.coverage[0].unreadable.rows = {{text, text, int64_t{13}}};
  ProcessReport& process = report.processes[0];
  process.comm = process.name = process.host = text;
  process.exe = process.cmdline = text;
  process.kinds.emplace_back(text, 1);
  process.targets[0].target = process.targets[0].name = text;
  process.kinds_over_time.push_back({text, {1, 1, 1}});
  process.peers[0].peer = process.lifetimes[0].remote = text;
  process.peers[0].last_state = text;
  process.forecast_reason = process.growth.reason = text;
  Finding& finding = report.findings[0];
  finding.title = finding.explanation = finding.advice = finding.query = text;
  finding.rows = {.columns = {text}, .rows = {{text}}};
  report.marks[0].text = report.marks[0].source = text;
  report.without_fd[0].rows.rows[0][2] = text;
  report.without_fd[0].waiting.rows[0][2] = text;
  // The name that joins all of them.
  report.databases[0].path = report.coverage[0].database = process.database = text;
  finding.database = report.marks[0].database = report.without_fd[0].database = text;
  return report;
}

}  // namespace fdmortem::test
