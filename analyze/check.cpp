#include "analyze/check.h"

#include <cstdio>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "analyze/archive_reader.h"
#include "analyze/archive_rules.h"
#include "analyze/doubts.h"
#include "analyze/import.h"
#include "analyze/private_copy.h"
#include "schema/printable.h"
#include "schema/sha256.h"
#include "schema/sql.h"

namespace fdmortem {
namespace {

constexpr int kMaximumDamageLines = 20;

/// What a function throws is a problem; true: it threw nothing.
template <class Function>
bool holds(CheckResult& result, Function check) {
  try {
    check();
    return true;
  } catch (const SQLite::Exception& error) {
    // It tells nothing of the archive that it was not read to its end.
    if (isLimit(error)) throw;
    result.problems.push_back(printable(error.what()));
    return false;
  } catch (const std::runtime_error& error) {
    result.problems.push_back(printable(error.what()));
    return false;
  }
}

void checkRows(const PrivateCopy& copy, ArchiveReader& archive, LimitGuard& limits,
               CheckResult& result) {
  SQLite::Database rows(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  limits.watch(rows);
  for (const auto& file : sql::analysis())
    rows.exec(std::string(file.text));
  const bool is_imported = holds(result, [&] {
    importArchive(archive.database(), rows,
                  [&](const std::string& problem) { result.problems.push_back(problem); });
  });
  if (!is_imported) return;
  result.recordings = rows.execAndGet("SELECT count(*) FROM recording").getInt64();
  result.snapshots = rows.execAndGet("SELECT count(*) FROM snapshot").getInt64();
  result.doubts = doubtsOf(copy, rows);
  if (result.problems.empty()) result.problems = brokenRules(archive.database());
}

std::string withoutPath(const std::string& text, const std::string& path) {
  return text.starts_with(path + ": ") ? text.substr(path.size() + 2) : text;
}

std::string countOf(const CheckResult& result) {
  const size_t count = result.problems.size();
  return fmt::format("{} problem{}", count, count == 1 ? "" : "s");
}

std::string asText(const std::string& path, const CheckResult& result) {
  std::string text = fmt::format("{}: ", printable(path));
  text += result.problems.empty() ? "ok" : countOf(result);
  if (result.problems.empty()) {
    text += fmt::format("; snapshots: {}; recordings: {}; SHA-256: {}", result.snapshots,
                        result.recordings, result.sha256);
  }
  text += "\n";
  for (const std::string& problem : result.problems)
    text += "  " + problem + "\n";
  for (const std::string& doubt : result.doubts)
    text += "  to be known: " + doubt + "\n";
  return text;
}

std::string asJson(const std::string& path, const CheckResult& result) {
  nlohmann::ordered_json object = {
      {"ok", result.problems.empty()},   {"problems", result.problems},
      {"path", printable(path)},         {"sha256", nullptr},
      {"recordings", result.recordings}, {"snapshots", result.snapshots},
      {"doubts", result.doubts}};
  if (!result.sha256.empty()) object["sha256"] = result.sha256;
  return object.dump(2) + "\n";
}

}  // namespace

CheckResult checkArchive(const std::string& path, const LimitOptions& limit_options) {
  // That a file can't be opened says nothing about it.
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw std::system_error(
        error ? error : std::make_error_code(std::errc::no_such_file_or_directory), path);
  }
  CheckResult result;
  std::optional<PrivateCopy> copy;
  holds(result, [&] { copy.emplace(path); });
  if (!copy) {
    result.problems.back() = withoutPath(result.problems.back(), printable(path));
    return result;
  }
  result.sha256 = sha256OfFile(copy->path());
  LimitGuard limits(Limits(limit_options, static_cast<uint64_t>(copy->fileBytes())));
  try {
    holds(result, [&] {
      ArchiveReader archive(copy->path(), limits);
      result.problems = archive.damage(kMaximumDamageLines);
      if (result.problems.empty()) checkRows(*copy, archive, limits, result);
    });
  } catch (const std::exception& reason) {
    throw std::runtime_error(fmt::format("{}: {}", path, limits.reasonOf(reason)));
  }
  return result;
}

int runCheck(const CheckOptions& options) {
  const CheckResult result = checkArchive(options.database, options.limits);
  fmt::print("{}", options.format == CheckFormat::Json ? asJson(options.database, result)
                                                       : asText(options.database, result));
  if (result.problems.empty()) return 0;
  fmt::print(stderr, "fdanalyze: {}: {}\n", printable(options.database), countOf(result));
  return 1;
}

}  // namespace fdmortem
