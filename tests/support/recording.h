// The real programs, run by tests.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/process.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {

using Json = nlohmann::json;

/// The names in a directory, sorted.
std::vector<std::string> namesIn(const std::filesystem::path& directory);

ProgramResult runFdcapture(std::vector<std::string> arguments);
ProgramResult runFdanalyze(std::vector<std::string> arguments);
/// `fdanalyze ARGUMENTS... -f json` with status 0, parsed. Throws std::runtime_error otherwise.
Json analyze(std::vector<std::string> arguments);
/// `fdanalyze sql`.
Json query(const std::string& database, const std::string& sql);
/// The single cell of a query's result.
Json queryValue(const std::string& database, const std::string& sql);

/// fdcapture record, while the test changes what it looks at.
class Recording {
 public:
  /// Starts it, with `arguments` (the selection at least) after `-o FILE -v`.
  Recording(std::string file, std::vector<std::string> arguments,
            const std::string& interval = "100ms");

  const std::string& file() const { return file_; }
  ChildProcess& process() { return process_; }

  /// Waits until `count` more snapshots are in the archive and returns the number of the last. The
  /// second one began after the call, so it sees all that was so by then. Throws
  /// std::runtime_error if none comes.
  int64_t awaitSnapshots(int count = 2);
  /// Waits until the first is there, if it is not yet: where the next one is far away.
  void awaitFirstSnapshot();
  /// Sends SIGTERM and waits for the end: its exit status.
  int stop();
  /// Waits for the end: its exit status.
  int wait();
  /// All that it wrote on stderr so far.
  const std::string& errors() const { return errors_; }

 private:
  std::string file_;
  ChildProcess process_;
  std::string errors_;
};

/// `-p PID`, for the arguments of a Recording.
std::vector<std::string> selectPids(const std::vector<pid_t>& pids);

/// One row of `fdanalyze sockets`, by pid and fd; throws if there is none or more than one.
Json socketRow(const Json& rows, pid_t pid, int fd);

/// The rows for which `key` has `value`.
Json rowsWhere(const Json& rows, const std::string& key, const Json& value);

/// What the rows have under a key, sorted.
Json valuesOf(const Json& rows, const std::string& key);

/// The finding with that id; null if there is none. Throws if there is more than one.
Json findingOf(const Json& report, const std::string& id);

/// The process with that pid in a report. Throws if there is none or more than one.
Json processOf(const Json& report, pid_t pid);

}  // namespace fdmortem::test
