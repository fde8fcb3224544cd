#include "analyze/import/private_copy.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <tuple>

#include <fmt/core.h>

#include "schema/archive_file.h"

namespace fdmortem {
namespace {

namespace fs = std::filesystem;

constexpr int kAttempts = 5;

/// What tells one version of a file from the next; empty if there is none.
using FileVersion = std::optional<std::tuple<dev_t, ino_t, off_t, time_t, long>>;

FileVersion versionOf(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  return std::tuple(status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
                    status.st_mtim.tv_nsec);
}

/// Where temporary files go, and how to say it.
[[noreturn]] void failInTemporaryFolder(const std::string& folder, const std::string& reason) {
  throw std::runtime_error(fmt::format(
      "{}: {}; temporary files go there, and elsewhere with TMPDIR=FOLDER", folder, reason));
}

std::string temporaryFolder() {
  std::error_code error;
  const fs::path folder = fs::temp_directory_path(error);
  if (!error) return folder.string();
  const char* const given = std::getenv("TMPDIR");
  failInTemporaryFolder(given == nullptr ? "/tmp" : given, error.message());
}

std::string makeFolder() {
  const std::string folder = temporaryFolder();
  std::string name = folder + "/fdanalyze-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    failInTemporaryFolder(folder, std::generic_category().message(errno));
  }
  return name;
}

/// Copies one of the files of the archive `path`.
void copyFile(const std::string& from, const std::string& to, const std::string& path,
              int64_t bytes) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (!error) return;
  // The library tells some failures to write as EIO.
  const std::string folder = temporaryFolder();
  std::error_code ignored;
  const fs::space_info space = fs::space(folder, ignored);
  if (error == std::errc::no_space_on_device || error.value() == EDQUOT ||
      (!ignored && space.available < static_cast<uintmax_t>(bytes))) {
    failInTemporaryFolder(folder,
                          fmt::format("no room for a private copy of {} ({} bytes)", path, bytes));
  }
  throw std::system_error(error, from);
}

}  // namespace

PrivateCopy::PrivateCopy(const std::string& path, bool is_salvage) {
  const auto header = readArchiveHeader(path, is_salvage);
  if (!header) throw std::runtime_error(fmt::format("{}: {}", path, header.error()));
  // What lies beside it has the name of the file itself, not of a symbolic link to it.
  const std::string file = fs::canonical(path).string();
  if (versionOf(file + "-journal")) {
    throw std::runtime_error(
        fmt::format("{}: there is a -journal beside it, which no fdcapture leaves behind", path));
  }
  const auto wal = versionOf(file + "-wal");
  if (wal && std::get<2>(*wal) > kMaximumArchiveBytes) {
    throw std::runtime_error(fmt::format("{}-wal: larger than 4 GiB, the most that is read", path));
  }
  is_wal_ = header->is_wal;
  file_bytes_ = header->file_bytes;
  if (is_salvage) missing_bytes_ = std::max(header->whole_bytes - file_bytes_, int64_t{0});
  {
    const SignalsHeld held;
    folder_.emplace(makeFolder());
  }
  copy(path, file);
}

std::string PrivateCopy::cutInWords() const {
  if (missing_bytes_ == 0) return {};
  return fmt::format("the file is cut: {} of {} bytes are there", file_bytes_,
                     file_bytes_ + missing_bytes_);
}

void PrivateCopy::fill() const {
  if (missing_bytes_ > 0)
    fs::resize_file(path_, static_cast<uintmax_t>(file_bytes_ + missing_bytes_));
}

void PrivateCopy::copy(const std::string& path, const std::string& from) {
  path_ = folder_->path() + "/archive.db";
  const std::string wal = from + "-wal";
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto before = std::pair(versionOf(from), versionOf(wal));
    copyFile(from, path_, from, file_bytes_);
    fs::remove(path_ + "-wal");
    has_wal_ = before.second.has_value() && is_wal_;
    try {
      if (has_wal_) copyFile(wal, path_ + "-wal", from, file_bytes_);
    } catch (const std::system_error& error) {
      // The recorder ended meanwhile.
      if (error.code() == std::errc::no_such_file_or_directory) continue;
      throw;
    }
    // Two files make one database only if neither changed meanwhile.
    if (before == std::pair(versionOf(from), versionOf(wal))) return;
  }
  throw std::runtime_error(
      fmt::format("{}: is being written to; make a copy of it with 'fdcapture copy'", path));
}

}  // namespace fdmortem
