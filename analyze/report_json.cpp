#include <nlohmann/json.hpp>

#include "analyze/report_render.h"

namespace fdmortem {
namespace {

using Json = nlohmann::ordered_json;

template <class Item>
Json orNull(const std::optional<Item>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json cell(const Value& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return *number;
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return nullptr;
}

Json rowObject(const std::vector<std::string>& columns, const std::vector<Value>& row) {
  Json object = Json::object();
  for (size_t i = 0; i < row.size(); ++i)
    object[columns.at(i)] = cell(row[i]);
  return object;
}

Json rowObjects(const ResultTable& table) {
  Json array = Json::array();
  for (const auto& row : table.rows)
    array.push_back(rowObject(table.columns, row));
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
    recordings.push_back(rowObject(report.recording_columns, row));
  }
  return {{"path", database.path},          {"sha256", database.sha256},
          {"host", database.host},          {"boot_id", orNull(database.boot_id)},
          {"kernel", database.kernel},      {"recordings", recordings},
          {"doubts", Json(database.doubts)}};
}

/// One object over all databases: what was taken, and each thing that was not.
Json coverageObject(const Report& report) {
  Json object = {{"snapshots", 0}, {"missed", 0}, {"late", 0}, {"unreadable", Json::array()}};
  for (const Coverage& coverage : report.coverage) {
    object["snapshots"] = object["snapshots"].get<int64_t>() + coverage.snapshots;
    object["missed"] = object["missed"].get<int64_t>() + coverage.missed;
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
          {"growth_reason", process.growth.per_hour ? Json(nullptr) : Json(process.growth.reason)},
          {"limit_reached_at", orNull(process.limit_reached_at)},
          {"exhaustion_at", orNull(process.exhaustion_at)},
          {"series", series}};
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
          {"pid", process.pid},
          {"start_ticks", process.start_ticks},
          {"comm", process.comm},
          {"exe", orNull(process.exe)},
          {"cmdline", orNull(process.cmdline)},
          {"first_seen", process.first_seen},
          {"last_seen", process.last_seen},
          {"has_ended", process.has_ended},
          {"unread_snapshots", process.unread_snapshots},
          {"fds", fdsObject(process)},
          {"kinds", counts(process.kinds)},
          {"verdicts", counts(process.verdicts)},
          {"peers", peers},
          {"last_data", lastData(process)}};
}

Json findingObject(const Finding& finding) {
  return {
      {"id", finding.id},
      {"severity", finding.severity},
      {"title", finding.title},
      {"database", finding.database},
      {"pid", orNull(finding.pid)},
      {"start_ticks", orNull(finding.start_ticks)},
      {"explanation", finding.explanation},
      {"advice", finding.advice},
      {"evidence", Json::array({{{"query", finding.query}, {"rows", rowObjects(finding.rows)}}})}};
}

}  // namespace

std::string renderReportJson(const Report& report) {
  Json object;
  object["report_version"] = 1;
  object["databases"] = Json::array();
  for (const auto& database : report.databases) {
    object["databases"].push_back(databaseObject(report, database));
  }
  object["coverage"] = coverageObject(report);
  object["processes"] = Json::array();
  for (const auto& process : report.processes)
    object["processes"].push_back(processObject(process));
  object["connections_without_fd"] = Json::array();
  for (const auto& without_fd : report.without_fd) {
    for (Json& entry : rowObjects(without_fd.rows)) {
      entry["database"] = without_fd.database;
      object["connections_without_fd"].push_back(entry);
    }
  }
  object["findings"] = Json::array();
  for (const auto& finding : report.findings)
    object["findings"].push_back(findingObject(finding));
  object["marks"] = Json::array();
  object["logs"] = Json::array();
  for (const Marks& marks : report.marks) {
    for (Json& entry : rowObjects(marks.marks)) {
      entry["database"] = marks.database;
      object["marks"].push_back(entry);
    }
    for (Json& entry : rowObjects(marks.logs)) {
      entry["database"] = marks.database;
      object["logs"].push_back(entry);
    }
  }
  return object.dump(2) + "\n";
}

}  // namespace fdmortem
