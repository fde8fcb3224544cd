#include "capture/archive/text_archive.h"

#include <utility>

namespace fdmortem {

std::vector<EncodedText> TextArchive::encode(int64_t snapshot, const SnapshotTexts& texts,
                                             bool is_keyframe) {
  std::vector<EncodedText> encoded;
  const auto add = [&](int part, const std::string& text, std::optional<int64_t> base,
                       std::string_view base_text) {
    encoded.push_back({.part = part,
                       .base = base,
                       .size = text.size(),
                       .digest = digestOf(text),
                       .frame = encoder_.encode(text, base_text)});
  };
  const std::string& first = texts.first.bytes();
  stands_alone_ = is_keyframe || !base_ || since_alone_ + 1 >= kMaximumTextsInARow;
  if (stands_alone_) {
    add(1, first, {}, {});
  } else {
    add(1, first, base_snapshot_, base_->first.bytes());
  }
  const std::string& again = texts.again.bytes();
  if (!again.empty()) add(2, again, snapshot, first);
  return encoded;
}

void TextArchive::stored(int64_t snapshot, std::shared_ptr<const SnapshotTexts> texts) {
  since_alone_ = stands_alone_ ? 0 : since_alone_ + 1;
  base_ = std::move(texts);
  base_snapshot_ = snapshot;
}

}  // namespace fdmortem
