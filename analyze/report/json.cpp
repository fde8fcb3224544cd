#include <nlohmann/json.hpp>

#include "analyze/json_value.h"
#include "analyze/report/render.h"
#include "analyze/report/summary.h"
#include "analyze/report/words.h"
#include "schema/printable.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

using Json = nlohmann::ordered_json;

template <class Item>
Json orNull(const std::optional<Item>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json rowObjects(const ResultTable& table) {
  Json array = Json::array();
  for (const auto& row : table.rows)
    array.push_back(jsonRow(table.columns, row));
  return array;
}

Json counts(const std::vector<NamedCount>& named_counts) {
  Json object = Json::object();
  for (const auto& [name, count] : named_counts)
    object[name] = count;
  return object;
}

Json databaseObject(const Report& report, const DatabaseReport& database) {
  Json recordings = Json::array();
  for (const auto& row : database.recordings) {
    recordings.push_back(jsonRow(report.recording_columns, row));
  }
  const Finding* worst = worstFindingOf(report, database);
  return {{"path", database.path},
          {"sha256", database.sha256},
          {"host", database.host},
          {"boot_id", orNull(database.boot_id)},
          {"kernel", database.kernel},
          {"recordings", recordings},
          {"head", orNull(database.head)},
          {"doubts", Json(database.doubts)},
          {"worst_severity", worst == nullptr ? Json(nullptr) : Json(worst->severity)},
          {"worst_finding", worst == nullptr ? Json(nullptr) : Json(worst->id)}};
}

/// One object over all databases: what was taken, and each thing that was not.
Json coverageObject(const Report& report) {
  Json object = {{"snapshots", 0},
                 {"missed", 0},
                 {"missed_is_estimate", false},
                 {"late", 0},
                 {"unreadable", Json::array()},
                 {"recorder", Json::array()},
                 {"logs", Json(report.log_notes)}};
  for (const Coverage& coverage : report.coverage) {
    for (const std::string& note : coverage.recorder_notes)
      object["recorder"].push_back({{"database", coverage.database}, {"text", note}});
    object["snapshots"] = object["snapshots"].get<int64_t>() + coverage.snapshots;
    object["missed"] = object["missed"].get<int64_t>() + coverage.missed;
    if (coverage.is_missed_estimate) object["missed_is_estimate"] = true;
    object["late"] = object["late"].get<int64_t>() + coverage.late;
    for (Json& entry : rowObjects(coverage.unreadable)) {
      entry["database"] = coverage.database;
      object["unreadable"].push_back(entry);
    }
  }
  return object;
}

Json peerObject(const PeerGroup& group) {
  return {{"verdict", group.verdict},
          {"proof", orNull(group.proof)},
          {"last_state", orNull(group.last_state)},
          {"direction", orNull(group.direction)},
          {"local_port", orNull(group.local_port)},
          {"peer", orNull(group.peer)},
          {"count", group.count},
          {"leaks", group.leaks},
          {"first_lost", orNull(group.first_lost)},
          {"last_lost", orNull(group.last_lost)},
          {"first_data", orNull(group.first_data)},
          {"last_data", orNull(group.last_data)}};
}

Json textOrNull(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

/// Of a time as it was typed.
Json timeOrNull(const std::string& typed) {
  const auto wall_ns = parseTime(typed);
  return wall_ns ? Json(formatTime(*wall_ns)) : Json(nullptr);
}

Json growthRange(const Growth& growth) {
  if (!growth.per_hour) return nullptr;
  return Json::array({growth.low_per_hour, growth.high_per_hour});
}

/// Of a forecast; null where the limit was reached.
Json forecastRange(const ProcessReport& process) {
  if (!process.exhaustion_from || !process.exhaustion_to) return nullptr;
  return Json::array({*process.exhaustion_from, *process.exhaustion_to});
}

/// null where the fds could never be read: 0 would be a claim.
Json fdsObject(const ProcessReport& process) {
  if (!process.has_fds) return nullptr;
  Json series = Json::array();
  for (const CountAt& count : process.counts) {
    series.push_back({{"snapshot", count.snapshot},
                      {"taken_at", count.taken_at},
                      {"fds", count.fds},
                      {"soft_limit", orNull(count.soft_limit)}});
  }
  return {{"first", process.fds_first},
          {"last", process.fds_last},
          {"peak", process.fds_peak},
          {"peak_at", process.peak_at},
          {"soft_limit", orNull(process.soft_limit)},
          {"hard_limit", orNull(process.hard_limit)},
          {"growth_per_hour", orNull(process.growth.per_hour)},
          {"growth_range_per_hour", growthRange(process.growth)},
          {"growth_reason", process.growth.per_hour ? Json(nullptr) : Json(process.growth.reason)},
          {"limit_changed", process.limit_changed},
          {"limit_reached_at", orNull(process.limit_reached_at)},
          {"exhaustion_at", orNull(process.exhaustion_at)},
          {"exhaustion_range", forecastRange(process)},
          {"exhaustion_reason", textOrNull(process.forecast_reason)},
          {"series", series}};
}

Json targets(const ProcessReport& process) {
  Json groups = Json::array();
  for (const TargetGroup& group : process.targets) {
    groups.push_back({{"kind", group.name},
                      {"target", group.target},
                      {"fds", group.fds},
                      {"first_seen", group.first_seen}});
  }
  return groups;
}

Json lastData(const ProcessReport& process) {
  Json buckets = Json::array();
  for (const LastDataBucket& bucket : process.last_data) {
    buckets.push_back({{"from", bucket.from}, {"to", bucket.to}, {"count", bucket.count}});
  }
  return buckets;
}

Json processObject(const ProcessReport& process) {
  Json peers = Json::array();
  for (const PeerGroup& group : process.peers)
    peers.push_back(peerObject(group));
  return {{"database", process.database},
          {"process", process.process},
          {"pid", process.pid},
          {"start_ticks", process.start_ticks},
          {"comm", process.comm},
          {"name", process.name},
          {"exe", orNull(process.exe)},
          {"cmdline", orNull(process.cmdline)},
          {"first_seen", process.first_seen},
          {"last_seen", process.last_seen},
          {"netns", orNull(process.netns)},
          {"has_ended", process.has_ended},
          {"unread_snapshots", process.unread_snapshots},
          {"unread_reason", textOrNull(process.unread_reason)},
          {"fds", fdsObject(process)},
          {"kinds", counts(process.kinds)},
          {"verdicts", counts(process.verdicts)},
          {"peers", peers},
          {"targets", targets(process)},
          {"last_data", lastData(process)}};
}

Json findingObject(const Finding& finding) {
  Json also = Json::array();
  for (const auto& [pid, start_ticks] : finding.also)
    also.push_back({{"pid", pid}, {"start_ticks", start_ticks}});
  return {{"id", finding.id},
          {"severity", finding.severity},
          {"title", finding.title},
          {"database", finding.database},
          {"pid", orNull(finding.pid)},
          {"start_ticks", orNull(finding.start_ticks)},
          {"also", std::move(also)},
          {"explanation", finding.explanation},
          {"advice", finding.advice},
          {"evidence", Json::array({{{"query", finding.query},
                                     {"row_count", finding.all_rows},
                                     {"rows", rowObjects(finding.rows)}}})}};
}

Json summaryObject(const Report& report) {
  const Summary summary = summarize(report);
  Json statements = Json::array();
  for (const Statement& statement : summary.statements) {
    statements.push_back({{"basis", keyOf(statement.basis)}, {"text", statement.text}});
  }
  return {{"verdict", summary.verdict}, {"statements", statements}};
}

Json marks(const Report& report) {
  Json array = Json::array();
  for (const MarkReport& mark : report.marks) {
    array.push_back({{"database", mark.database},
                     {"at", mark.at},
                     {"last_at", mark.last_at},
                     {"kind", mark.kind},
                     {"source", textOrNull(mark.source)},
                     {"count", mark.count},
                     {"text", mark.text},
                     {"snapshot", mark.snapshot ? Json(*mark.snapshot) : Json(nullptr)}});
  }
  return array;
}

/// A report holds printable text; whatever else it is given does no harm.
Json madePrintable(const Json& value) {
  if (value.is_string()) return printableOnce(value.get_ref<const std::string&>());
  if (value.is_array()) {
    Json array = Json::array();
    for (const Json& item : value)
      array.push_back(madePrintable(item));
    return array;
  }
  if (value.is_object()) {
    Json object = Json::object();
    for (const auto& [key, item] : value.items())
      object[printableOnce(key)] = madePrintable(item);
    return object;
  }
  return value;
}

}  // namespace

std::string renderReportJson(const Report& report) {
  Json object;
  object["report_version"] = 1;
  object["summary"] = summaryObject(report);
  object["grace_seconds"] = static_cast<double>(report.grace_ms) / 1000;
  object["from"] = timeOrNull(report.from);
  object["to"] = timeOrNull(report.to);
  object["databases"] = Json::array();
  for (const auto& database : report.databases) {
    object["databases"].push_back(databaseObject(report, database));
  }
  object["unread_databases"] = Json::array();
  for (const UnreadDatabase& unread : report.unread)
    object["unread_databases"].push_back({{"path", unread.path}, {"reason", unread.reason}});
  object["coverage"] = coverageObject(report);
  object["processes"] = Json::array();
  for (const auto& process : report.processes)
    object["processes"].push_back(processObject(process));
  object["connections_without_fd"] = Json::array();
  object["waiting_connections"] = Json::array();
  for (const auto& without_fd : report.without_fd) {
    for (Json& entry : rowObjects(without_fd.rows)) {
      entry["database"] = without_fd.database;
      object["connections_without_fd"].push_back(entry);
    }
    for (Json& entry : rowObjects(without_fd.waiting)) {
      entry["database"] = without_fd.database;
      object["waiting_connections"].push_back(entry);
    }
  }
  object["marks"] = marks(report);
  object["findings"] = Json::array();
  for (const auto& finding : report.findings)
    object["findings"].push_back(findingObject(finding));
  object["logs"] = Json::array();
  for (const Logs& logs : report.logs) {
    for (Json& entry : rowObjects(logs.logs)) {
      entry["database"] = logs.database;
      object["logs"].push_back(entry);
    }
  }
  return madePrintable(object).dump(2) + "\n";
}

}  // namespace fdmortem
