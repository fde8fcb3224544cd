#include "analyze/evidence/saved_texts.h"

#include <algorithm>

#include <fmt/core.h>

#include "analyze/import/limits.h"

namespace fdmortem {

SavedTexts::SavedTexts(SQLite::Database& archive) : texts_(archive, TextRows::Reachable) {}

Parsed<std::vector<BundledText>> SavedTexts::read(int64_t snapshot, TextPart part) {
  if (!texts_.has(snapshot, part))
    return tl::make_unexpected(fmt::format("no text of snapshot {} can be reached", snapshot));
  try {
    const auto bytes = texts_.read(snapshot, part);
    if (!bytes) return tl::make_unexpected("its texts are damaged: " + bytes.error());
    return parseTextBundle(*bytes);
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
    return tl::make_unexpected(fmt::format("its texts can't be read: {}", error.what()));
  }
}

Parsed<std::string> SavedTexts::text(int64_t snapshot, const std::string& path, bool is_second) {
  const auto bundle = read(snapshot, is_second ? TextPart::Second : TextPart::First);
  if (!bundle) return tl::make_unexpected(bundle.error());
  const auto found = findText(*bundle, path);
  if (!found) {
    return tl::make_unexpected(
        "no such text is archived; without the rows only what 'show' lists without a path is "
        "there, by the names that it has there");
  }
  return std::string(*found);
}

Parsed<std::vector<ArchivedPath>> SavedTexts::paths(int64_t snapshot) {
  std::vector<ArchivedPath> paths;
  for (const auto part : {TextPart::First, TextPart::Second}) {
    if (part == TextPart::Second && !texts_.has(snapshot, part)) continue;
    const auto bundle = read(snapshot, part);
    if (!bundle) return tl::make_unexpected(bundle.error());
    for (const auto& [path, bytes] : *bundle)
      paths.push_back({std::string(path), bytes.size(), part == TextPart::Second});
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace fdmortem
