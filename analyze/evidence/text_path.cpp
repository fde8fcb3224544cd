#include "analyze/evidence/text_path.h"

#include <algorithm>

#include <fmt/core.h>

#include "schema/readers/fd.h"
#include "schema/readers/process.h"

namespace fdmortem {

std::optional<ProcessPath> parseProcessPath(std::string_view path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {};
  // A pid is written as the number of an fd is: without sign and leading zeros.
  const auto pid = parseFdNumber(path.substr(0, slash));
  if (!pid) return {};
  return ProcessPath{*pid, path.substr(slash + 1)};
}

std::optional<NetTable> netTableOf(std::string_view name) {
  const auto* const found = std::find(kNetTableNames.begin(), kNetTableNames.end(), name);
  if (found == kNetTableNames.end()) return {};
  return static_cast<NetTable>(found - kNetTableNames.begin() + 1);
}

std::optional<NetPath> parseNetPath(std::string_view path) {
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos || !path.starts_with("net:[")) return {};
  const auto inode = parseNamespaceLink(path.substr(0, slash));
  const auto table = netTableOf(path.substr(slash + 1));
  if (!inode || !table) return {};
  return NetPath{*inode, *table};
}

std::string netPath(uint64_t netns, NetTable table) {
  return fmt::format("net:[{}]/{}", netns, netTableName(table));
}

}  // namespace fdmortem
