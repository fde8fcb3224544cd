#include "schema/evidence/text_bundle.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace fdmortem {
namespace {

constexpr size_t kLengthDigits = 10;

bool isDigit(char byte) {
  return byte >= '0' && byte <= '9';
}

bool isPathByte(char byte) {
  return byte > ' ' && byte < '\x7f';
}

}  // namespace

bool TextBundle::add(std::string_view path, const std::function<bool(std::string&)>& append) {
  const size_t entry = bytes_.size();
  fmt::format_to(std::back_inserter(bytes_), "{:0{}} {}\n", 0, kLengthDigits, path);
  const size_t begin = bytes_.size();
  if (!append(bytes_)) {
    bytes_.resize(entry);
    return false;
  }
  fmt::format_to(bytes_.begin() + static_cast<std::ptrdiff_t>(entry), "{:0{}}",
                 bytes_.size() - begin, kLengthDigits);
  last_ = begin;
  return true;
}

void TextBundle::add(std::string_view path, std::string_view text) {
  add(path, [&](std::string& bytes) {
    bytes.append(text);
    return true;
  });
}

void TextBundle::cutTo(size_t size) {
  if (size < bytes_.size()) bytes_.resize(size);
  last_ = bytes_.size();
}

Parsed<std::vector<BundledText>> parseTextBundle(std::string_view bytes) {
  std::vector<BundledText> texts;
  while (!bytes.empty()) {
    size_t length = 0;
    const size_t end_of_line = bytes.find('\n');
    if (end_of_line == std::string_view::npos || end_of_line < kLengthDigits + 2 ||
        bytes[kLengthDigits] != ' ' ||
        !std::all_of(bytes.begin(), bytes.begin() + kLengthDigits, isDigit)) {
      return tl::make_unexpected(fmt::format("entry {} has no length and path", texts.size() + 1));
    }
    std::from_chars(bytes.data(), bytes.data() + kLengthDigits, length);
    const auto path = bytes.substr(kLengthDigits + 1, end_of_line - kLengthDigits - 1);
    if (!std::all_of(path.begin(), path.end(), isPathByte)) {
      return tl::make_unexpected(fmt::format("the path of entry {} is none", texts.size() + 1));
    }
    bytes.remove_prefix(end_of_line + 1);
    if (length > bytes.size()) {
      return tl::make_unexpected(fmt::format("entry {} is cut", texts.size() + 1));
    }
    texts.push_back({path, bytes.substr(0, length)});
    bytes.remove_prefix(length);
  }
  return texts;
}

std::optional<std::string_view> findText(const std::vector<BundledText>& bundle,
                                         std::string_view path) {
  const auto found = std::find_if(bundle.rbegin(), bundle.rend(),
                                  [&](const BundledText& entry) { return entry.path == path; });
  return found == bundle.rend() ? std::nullopt : std::optional(found->text);
}

}  // namespace fdmortem
