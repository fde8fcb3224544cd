#include "analyze/import/file_check.h"

#include <stdexcept>
#include <system_error>
#include <utility>

#include "analyze/import/archive_reader.h"
#include "schema/sha256.h"

namespace fdmortem {
namespace {

std::string checkFile(const std::string& path, LimitGuard& limits) {
  std::string sha256 = sha256OfFile(path);
  const auto damage = ArchiveReader(path, limits).damage(1);
  if (damage.empty()) return sha256;
  limits.end();
  throw std::runtime_error(damage.front());
}

}  // namespace

FileCheck::FileCheck(std::string path, LimitGuard& limits) {
  const auto check = [path = std::move(path), &limits] { return checkFile(path, limits); };
  try {
    result_ = std::async(std::launch::async, check);
  } catch (const std::system_error&) {
    result_ = std::async(std::launch::deferred, check);
  }
}

}  // namespace fdmortem
