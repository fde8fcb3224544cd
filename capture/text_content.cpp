#include "capture/text_content.h"

#include <algorithm>

#include "schema/format.h"

namespace fdmortem {

TextContent textContentOf(std::string_view path) {
  const size_t slash = path.find('/');
  const std::string_view folder = path.substr(0, slash);
  const std::string_view name = path.substr(std::min(folder.size() + 1, path.size()));
  if (folder.starts_with("net:")) {
    if (name == netTableName(NetTable::Unix)) return TextContent::Paths;
    for (size_t i = 1; i <= kNetTableNames.size(); ++i) {
      const auto table = static_cast<NetTable>(i);
      if (isInetTable(table) && name == netTableName(table)) return TextContent::Addresses;
    }
    return TextContent::Plain;
  }
  if (name == "environ") return TextContent::Environment;
  const bool has_paths = name == "cgroup" || name == "mountinfo" || name.starts_with("fdinfo/");
  return has_paths ? TextContent::Paths : TextContent::Plain;
}

bool isKept(TextContent content, const Redaction& redaction) {
  switch (content) {
    case TextContent::Plain:
      return true;
    case TextContent::Addresses:
      return !redaction.addresses;
    case TextContent::Paths:
      return !redaction.paths;
    case TextContent::Environment:
      return !redaction.any();
  }
  return false;
}

}  // namespace fdmortem
