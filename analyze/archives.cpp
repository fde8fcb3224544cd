#include "analyze/archives.h"

#include <cstdio>
#include <filesystem>
#include <optional>
#include <system_error>

#include <fmt/core.h>

#include "schema/command_line/exit_status.h"
#include "schema/printable.h"
#include "schema/sha256.h"

namespace fdmortem {
namespace {

/// Messages begin with what they are about.
std::string withoutPath(const std::string& message, const std::string& path) {
  return message.starts_with(path + ": ") ? message.substr(path.size() + 2) : message;
}

/// False where one can't be read: that is said when it is opened.
bool haveSameContent(const std::string& a, const std::string& b) {
  std::error_code error;
  const auto size = std::filesystem::file_size(a, error);
  if (error || size != std::filesystem::file_size(b, error) || error) return false;
  try {
    return sha256OfFile(a) == sha256OfFile(b);
  } catch (const std::exception&) {
    return false;
  }
}

/// What is in an archive that is given twice would be counted twice.
void refuseTwice(const std::vector<std::string>& paths) {
  for (size_t i = 1; i < paths.size(); ++i) {
    for (size_t earlier = 0; earlier < i; ++earlier) {
      std::error_code error;  // what can't be read is said when it is opened
      if (paths[i] == paths[earlier]) {
        throw UsageError(fmt::format("{}: was given twice", paths[i]));
      }
      if (std::filesystem::equivalent(paths[i], paths[earlier], error)) {
        throw UsageError(fmt::format("{}: is the same file as {}", paths[i], paths[earlier]));
      }
      if (haveSameContent(paths[i], paths[earlier])) {
        throw UsageError(fmt::format("{}: is a copy of {} (SHA-256)", paths[i], paths[earlier]));
      }
    }
  }
}

}  // namespace

int forEachArchive(const std::vector<std::string>& paths, const AnalysisOptions& options,
                   bool says_doubts, const std::function<void(const Analysis&)>& visit,
                   const std::function<void(const std::string&, const std::string&)>& on_unread) {
  refuseTwice(paths);
  size_t unread = 0;
  bool is_partial = false;
  for (const std::string& path : paths) {
    std::optional<Analysis> analysis;
    try {
      ProgressLine progress(path, writeToTerminal());
      AnalysisOptions shown = options;
      shown.on_progress = [&](std::string_view stage, int percent) {
        progress.show(stage, percent);
      };
      analysis.emplace(path, shown);
    } catch (const std::exception& error) {
      if (++unread == paths.size()) throw;
      const std::string reason = printable(error.what());
      fmt::print(stderr, "fdanalyze: {}\n", reason);
      if (on_unread) on_unread(path, withoutPath(reason, printable(path)));
      continue;
    }
    is_partial = is_partial || analysis->isDamaged();
    // What is missing is said in any case.
    if (says_doubts || analysis->isDamaged()) {
      for (const std::string& doubt : analysis->doubts()) {
        fmt::print(stderr, "fdanalyze: {}: {}\n", printable(path), doubt);
      }
    }
    visit(*analysis);
  }
  return unread > 0 || is_partial ? kPartlyRead : 0;
}

}  // namespace fdmortem
