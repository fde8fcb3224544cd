#include "analyze/check/check.h"

#include <cstdio>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "analyze/check/archive_rules.h"
#include "analyze/evidence/chain_check.h"
#include "analyze/evidence/text_check.h"
#include "analyze/import/archive_reader.h"
#include "analyze/import/doubts.h"
#include "analyze/import/import.h"
#include "analyze/import/private_copy.h"
#include "analyze/output.h"
#include "analyze/progress.h"
#include "schema/command_line/exit_status.h"
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

void add(CheckResult& result, const std::vector<std::string>& problems) {
  for (const std::string& problem : problems)
    result.problems.push_back(printableOnce(problem));
}

void checkEvidence(SQLite::Database& archive, const std::optional<Digest>& head,
                   const OnProgress& on_progress, CheckResult& result) {
  const bool fits = result.problems.empty();
  const ChainResult chain = checkChain(archive, head);
  result.head = chain.head;
  result.links = chain.links;
  result.known_head = chain.known_head;
  add(result, chain.problems);
  // Rows that do not fit together can't be compared with anything.
  if (!fits) return;
  const TextResult texts = checkTexts(archive, on_progress);
  result.texts = texts.bundles;
  add(result, texts.problems);
}

void checkRows(const PrivateCopy& copy, ArchiveReader& archive, LimitGuard& limits,
               const CheckOptions& options, const OnProgress& on_progress, CheckResult& result) {
  SQLite::Database rows(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  limits.watch(rows);
  for (const auto& file : sql::analysis())
    rows.exec(std::string(file.text));
  const bool is_imported = holds(result, [&] {
    importArchive(
        archive.database(), rows,
        [&](const std::string& problem) { result.problems.push_back(problem); }, on_progress);
  });
  if (!is_imported) return;
  result.recordings = rows.execAndGet("SELECT count(*) FROM recording").getInt64();
  result.snapshots = rows.execAndGet("SELECT count(*) FROM snapshot").getInt64();
  result.doubts = doubtsOf(copy, rows);
  if (result.problems.empty()) result.problems = brokenRules(archive.database());
  checkEvidence(archive.database(), options.head, on_progress, result);
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
  if (!result.head.empty()) {
    text +=
        fmt::format("  head: {}; links: {}; texts: {}\n", result.head, result.links, result.texts);
  }
  if (!result.known_head.empty()) {
    text += fmt::format("  the head given is the value of {}\n", result.known_head);
  }
  for (const std::string& problem : result.problems)
    text += "  " + problem + "\n";
  for (const std::string& doubt : result.doubts)
    text += "  to be known: " + doubt + "\n";
  return text;
}

std::string asJson(const std::string& path, const CheckResult& result) {
  nlohmann::ordered_json object = {{"ok", result.problems.empty()},
                                   {"problems", result.problems},
                                   {"path", printable(path)},
                                   {"sha256", nullptr},
                                   {"recordings", result.recordings},
                                   {"snapshots", result.snapshots},
                                   {"doubts", result.doubts},
                                   {"head", nullptr},
                                   {"links", result.links},
                                   {"texts", result.texts},
                                   {"known_head", nullptr}};
  if (!result.sha256.empty()) object["sha256"] = result.sha256;
  if (!result.head.empty()) object["head"] = result.head;
  if (!result.known_head.empty()) object["known_head"] = result.known_head;
  return object.dump(2) + "\n";
}

}  // namespace

CheckResult checkArchive(const CheckOptions& options, const OnProgress& on_progress) {
  const std::string& path = options.database;
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
  LimitGuard limits(Limits(options.limits, static_cast<uint64_t>(copy->fileBytes())));
  try {
    holds(result, [&] {
      ArchiveReader archive(copy->path(), limits);
      result.problems = archive.damage(kMaximumDamageLines);
      if (result.problems.empty()) checkRows(*copy, archive, limits, options, on_progress, result);
    });
  } catch (const std::exception& reason) {
    throw std::runtime_error(fmt::format("{}: {}", path, limits.reasonOf(reason)));
  }
  return result;
}

int runCheck(const CheckOptions& options) {
  const CheckResult result = [&] {
    ProgressLine progress(options.database, writeToTerminal());
    const auto show = [&](std::string_view stage, int percent) { progress.show(stage, percent); };
    return checkArchive(options, show);
  }();
  writeToStdout(options.format == CheckFormat::Json ? asJson(options.database, result)
                                                    : asText(options.database, result));
  if (result.problems.empty()) return 0;
  fmt::print(stderr, "fdanalyze: {}: {}\n", printable(options.database), countOf(result));
  return kFailed;
}

}  // namespace fdmortem
