#include "analyze/archives.h"

#include <cstdio>
#include <optional>

#include <fmt/core.h>

#include "schema/printable.h"

namespace fdmortem {
namespace {

constexpr int kPartlyRead = 3;

}  // namespace

int forEachArchive(const std::vector<std::string>& paths, const AnalysisOptions& options,
                   bool says_doubts, const std::function<void(const Analysis&)>& visit) {
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
      fmt::print(stderr, "fdanalyze: {}\n", printable(error.what()));
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
