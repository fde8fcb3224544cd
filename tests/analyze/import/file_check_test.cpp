// What analyze/import/file_check.h promises: of a file that is not whole the damage is told,
// whatever is stumbled over in its rows meanwhile, and with the same words as if it had been looked
// for first.
#include "analyze/import/file_check.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "analyze/analysis.h"
#include "analyze/import/archive_reader.h"
#include "schema/sha256.h"
#include "tests/support/temporary_directory.h"

namespace fdmortem::test {
namespace {

namespace fs = std::filesystem;

const std::string kSample = FDMORTEM_SAMPLES_DIR "/leak-reset.db";
constexpr std::streamoff kPageBytes = 4096;

void clearPage(const std::string& path, std::streamoff page) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(page * kPageBytes);
  file << std::string(kPageBytes, '\xff');
}

/// Empty: there is none, or it can't even be opened.
std::string damageOf(const std::string& path) {
  LimitGuard limits(Limits({}, fs::file_size(path)));
  try {
    const auto damage = ArchiveReader(path, limits).damage(1);
    return damage.empty() ? "" : damage.front();
  } catch (const std::runtime_error&) {
    return "";
  }
}

std::string errorOf(const std::string& path) {
  AnalysisOptions options;
  options.shows_changes = options.shows_closed = false;
  try {
    const Analysis analysis(path, options);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(FileCheck, DamageCountsForMoreThanWhatIsStumbledOver) {
  const TemporaryDirectory folder;
  const std::string path = folder.file("damaged.db");
  const auto pages = static_cast<std::streamoff>(fs::file_size(kSample)) / kPageBytes;
  int damaged = 0;
  for (std::streamoff page = 1; page < pages; page += std::max<std::streamoff>(pages / 40, 1)) {
    fs::copy_file(kSample, path, fs::copy_options::overwrite_existing);
    clearPage(path, page);
    const std::string damage = damageOf(path);
    if (damage.empty()) continue;
    ++damaged;
    EXPECT_EQ(errorOf(path), fmt::format("{}: {}", path, damage)) << "page " << page;
  }
  EXPECT_GT(damaged, 10);
}

TEST(FileCheck, TellsTheSha256OfAWholeFile) {
  LimitGuard limits(Limits({}, fs::file_size(kSample)));
  EXPECT_EQ(FileCheck(kSample, limits).finish(), sha256OfFile(kSample));
  EXPECT_NO_THROW(limits.check());
}

}  // namespace
}  // namespace fdmortem::test
