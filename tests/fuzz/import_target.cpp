// A file that may be an archive, through all that is done with one: the import, the views, each
// format of the report, the check, and all again with --salvage.
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "analyze/analysis.h"
#include "analyze/check/check.h"
#include "analyze/report/render.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

namespace {

constexpr LimitOptions kLimits{.memory_bytes = uint64_t{512} << 20,
                               .time = std::chrono::milliseconds(2000)};

/// In memory, where there is such a folder.
std::string makeFolder() {
  const char* shared = "/dev/shm";
  if (std::filesystem::is_directory(shared)) setenv("TMPDIR", shared, 1);
  std::string folder = (std::filesystem::temp_directory_path() / "fdmortem-fuzz-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) std::abort();
  return folder;
}

struct Place {
  std::string folder = makeFolder();
  std::string file = folder + "/a.db";
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }
};

/// One line, as main would print it.
void isOneLine(const std::exception& error) {
  const std::string reason = error.what();
  fuzz::require(!reason.empty() && reason.find('\n') == std::string::npos);
}

void analyse(const std::string& file, bool is_salvage) {
  try {
    const Analysis analysis(file, {.limits = kLimits, .is_salvage = is_salvage});
    Report report;
    addToReport(analysis, {}, report);
    sortReport(report);
    for (auto* render : {&renderReportMarkdown, &renderReportHtml, &renderReportJson})
      fuzz::require(!(*render)(report).empty());
    fuzz::require(!renderReportText(report).empty());
  } catch (const std::exception& error) {
    isOneLine(error);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Place kPlace;
  std::ofstream(kPlace.file, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  analyse(kPlace.file, false);
  analyse(kPlace.file, true);
  try {
    (void)checkArchive({.database = kPlace.file, .limits = kLimits});
  } catch (const std::exception& error) {
    isOneLine(error);
  }
  return 0;
}
