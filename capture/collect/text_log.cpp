#include "capture/collect/text_log.h"

#include <algorithm>
#include <utility>

#include "schema/evidence/text_codec.h"
#include "schema/format.h"

namespace fdmortem {

TextLog::TextLog(const TextPolicy& policy) : policy_(policy) {}

TextLog::TextLog(const TextPolicy& policy, size_t expected_bytes, TextBundle spare)
    : policy_(policy) {
  if (!policy.keeps_texts) return;
  // A table grows or shrinks by a little from one snapshot to the next.
  const size_t margin = expected_bytes / 8;
  const size_t capacity = spare.capacity();
  if (capacity >= expected_bytes + margin / 2 && capacity <= expected_bytes + 4 * margin) {
    bundle_ = std::move(spare);
    bundle_.cutTo(0);
  } else {
    spare = {};
    bundle_.reserve(expected_bytes + margin);
  }
}

bool TextLog::keeps(TextContent content) const {
  if (content == TextContent::Environment && !policy_.keeps_environ) return false;
  return policy_.keeps_texts && isKept(content, policy_.redaction);
}

OrErrno<std::string_view> TextLog::read(int directory, const char* name, std::string_view path) {
  return readBy(ProcSource::append, directory, name, path);
}

OrErrno<std::string_view> TextLog::readWhole(int directory, const char* name,
                                             std::string_view path) {
  return readBy(ProcSource::appendWhole, directory, name, path);
}

OrErrno<std::string_view> TextLog::readTable(int directory, const char* name,
                                             std::string_view path) {
  return readBy(ProcSource::appendTable, directory, name, path);
}

OrErrno<std::string_view> TextLog::readBy(Append append, int directory, const char* name,
                                          std::string_view path) {
  if (!keeps(textContentOf(path)) || !hasRoom()) {
    text_.clear();
    const int error = append(directory, name, text_);
    if (error != 0) return tl::unexpected(error);
    return text_;
  }
  int error = 0;
  bundle_.add(path, [&](std::string& bytes) {
    error = append(directory, name, bytes);
    return error == 0;
  });
  if (error != 0) return tl::unexpected(error);
  return bundle_.last();
}

void TextLog::keep(std::string_view path, std::string_view text) {
  if (keeps(textContentOf(path)) && hasRoom()) bundle_.add(path, text);
}

bool TextLog::isTooLong() const {
  return is_too_long_ || mark() > kMaximumTextBytes;
}

bool TextLog::hasRoom() {
  if (isTooLong()) {
    is_too_long_ = true;
    bundle_ = {};
  }
  return !is_too_long_;
}

}  // namespace fdmortem
