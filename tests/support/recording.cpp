#include "tests/support/recording.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace fdmortem::test {

namespace {

std::vector<std::string> commandLine(const char* program, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program);
  return arguments;
}

std::vector<std::string> recordCommand(const std::string& file, const std::string& interval,
                                       std::vector<std::string> arguments) {
  std::vector<std::string> argv = {FDCAPTURE_PATH, "record", "-o", file, "-v", "-i", interval};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

constexpr std::string_view kPrefix = "fdcapture: snapshot ";

Json onlyOne(const Json& rows, const std::string& what) {
  if (rows.size() != 1) throw std::runtime_error(what + ": " + rows.dump(1));
  return rows.front();
}

}  // namespace

std::vector<std::string> namesIn(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

ProgramResult runFdcapture(std::vector<std::string> arguments) {
  return runProgram(commandLine(FDCAPTURE_PATH, std::move(arguments)));
}

ProgramResult runFdanalyze(std::vector<std::string> arguments) {
  return runProgram(commandLine(FDANALYZE_PATH, std::move(arguments)), {},
                    std::chrono::seconds(60));
}

Json analyze(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"-f", "json"});
  const ProgramResult result = runFdanalyze(arguments);
  if (result.status != 0) {
    throw std::runtime_error(arguments.front() + " ended with " + std::to_string(result.status) +
                             ": " + result.err);
  }
  return Json::parse(result.out);
}

Json query(const std::string& database, const std::string& sql) {
  return analyze({"sql", database, sql});
}

Json queryValue(const std::string& database, const std::string& sql) {
  const Json row = onlyOne(query(database, sql), sql);
  return onlyOne(row, sql);
}

Recording::Recording(std::string file, std::vector<std::string> arguments,
                     const std::string& interval)
    : file_(std::move(file)), process_(recordCommand(file_, interval, std::move(arguments))) {}

int64_t Recording::awaitSnapshots(int count) {
  // Those that were there before the call say nothing.
  errors_ += process_.takeErrors();
  const bool is_cut = !errors_.empty() && errors_.back() != '\n';
  if (is_cut) errors_ += process_.readErrorLine().value_or("") + "\n";
  int64_t number = 0;
  while (count > 0) {
    const auto line = process_.readErrorLine();
    if (!line) throw std::runtime_error("no snapshot: " + errors_);
    errors_ += *line + "\n";
    if (!line->starts_with(kPrefix)) continue;
    std::from_chars(line->data() + kPrefix.size(), line->data() + line->size(), number);
    --count;
  }
  return number;
}

void Recording::awaitFirstSnapshot() {
  while (errors_.find(kPrefix) == std::string::npos) {
    const auto line = process_.readErrorLine();
    if (!line) throw std::runtime_error("no snapshot: " + errors_);
    errors_ += *line + "\n";
  }
}

int Recording::stop() {
  process_.signal(SIGTERM);
  return wait();
}

int Recording::wait() {
  const auto status = process_.wait();
  errors_ += process_.takeErrors();
  if (!status) throw std::runtime_error("fdcapture does not end: " + errors_);
  return *status;
}

std::vector<std::string> selectPids(const std::vector<pid_t>& pids) {
  std::vector<std::string> arguments;
  for (const pid_t pid : pids)
    arguments.insert(arguments.end(), {"-p", std::to_string(pid)});
  return arguments;
}

Json rowsWhere(const Json& rows, const std::string& key, const Json& value) {
  Json found = Json::array();
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(found),
               [&](const Json& row) { return row.at(key) == value; });
  return found;
}

Json socketRow(const Json& rows, pid_t pid, int fd) {
  return onlyOne(rowsWhere(rowsWhere(rows, "pid", pid), "fd", fd),
                 "fd " + std::to_string(fd) + " of " + std::to_string(pid));
}

Json valuesOf(const Json& rows, const std::string& key) {
  Json values = Json::array();
  for (const Json& row : rows)
    values.push_back(row.at(key));
  std::sort(values.begin(), values.end());
  return values;
}

Json findingOf(const Json& report, const std::string& id) {
  const Json found = rowsWhere(report.at("findings"), "id", id);
  return found.empty() ? Json(nullptr) : onlyOne(found, id);
}

Json processOf(const Json& report, pid_t pid) {
  return onlyOne(rowsWhere(report.at("processes"), "pid", pid), std::to_string(pid));
}

}  // namespace fdmortem::test
