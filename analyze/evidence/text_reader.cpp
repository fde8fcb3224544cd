#include "analyze/evidence/text_reader.h"

#include <vector>

#include <fmt/core.h>

#include "analyze/import/limits.h"
#include "schema/evidence/digest.h"

namespace fdmortem {
namespace {

std::string_view bytesOfColumn(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<size_t>(column.getBytes())};
}

}  // namespace

TextReader::TextReader(SQLite::Database& archive, TextRows rows)
    : row_(archive, "SELECT base, size, digest, frame FROM verbatim WHERE rowid = ?") {
  if (rows == TextRows::All) {
    findPlaces(archive, "ASC");
    return;
  }
  for (const char* order : {"ASC", "DESC"}) {
    try {
      findPlaces(archive, order);
    } catch (const SQLite::Exception& error) {
      if (isLimit(error)) throw;
    }
  }
}

void TextReader::findPlaces(SQLite::Database& archive, const char* order) {
  SQLite::Statement rows(
      archive, fmt::format("SELECT snapshot, part, rowid FROM verbatim ORDER BY rowid {}", order));
  while (rows.executeStep()) {
    const auto at = [&](int column) { return rows.getColumn(column).getInt64(); };
    // A page of zeros, where a file was cut, has rows of none.
    if (at(0) > 0) places_.emplace(Place(at(0), at(1)), at(2));
  }
}

std::optional<std::pair<int64_t, int64_t>> TextReader::snapshots() const {
  if (places_.empty()) return {};
  return std::pair(places_.begin()->first.first, places_.rbegin()->first.first);
}

Parsed<std::optional<int64_t>> TextReader::baseOf(const Place& place) {
  const auto row = places_.find(place);
  if (row == places_.end()) {
    return tl::make_unexpected(fmt::format("there is no text of snapshot {}", place.first));
  }
  row_.reset();
  row_.bind(1, row->second);
  row_.executeStep();
  std::optional<int64_t> base;
  if (!row_.isColumnNull(0)) base = row_.getColumn(0).getInt64();
  const bool is_second = place.second == static_cast<int64_t>(TextPart::Second);
  if (base && (is_second ? *base != place.first : *base >= place.first)) {
    return tl::make_unexpected(fmt::format("it can't build on snapshot {}", *base));
  }
  return base;
}

Parsed<DecodedText> TextReader::decode(const Place& place, std::string_view base) {
  row_.reset();
  row_.bind(1, places_.at(place));
  row_.executeStep();
  const int64_t size = row_.getColumn(1).getInt64();
  if (size < 0) return tl::make_unexpected("its size is below 0");
  auto text = decodeText(bytesOfColumn(row_.getColumn(3)), static_cast<size_t>(size), base);
  if (!text) return text;
  if (bytesOf(digestOf(text->view())) != bytesOfColumn(row_.getColumn(2))) {
    return tl::make_unexpected("it is not the text that its digest speaks for");
  }
  return text;
}

Parsed<bool> TextReader::readFirst(int64_t snapshot) {
  const auto part = static_cast<int64_t>(TextPart::First);
  std::vector<int64_t> missing;
  for (std::optional<int64_t> next = snapshot; next && next != first_snapshot_;) {
    if (missing.size() == kMaximumTextsInARow) {
      return tl::make_unexpected(
          fmt::format("more than {} texts build on each other", missing.size()));
    }
    missing.push_back(*next);
    const auto base = baseOf({*next, part});
    if (!base) return tl::make_unexpected(base.error());
    next = *base;
    // What is decoded already is no use for one that stands alone.
    if (!next) first_snapshot_.reset();
  }
  for (; !missing.empty(); missing.pop_back()) {
    auto text =
        decode({missing.back(), part}, first_snapshot_ ? first_.view() : std::string_view());
    first_snapshot_.reset();
    if (!text) {
      if (missing.back() == snapshot) return tl::make_unexpected(text.error());
      return tl::make_unexpected(
          fmt::format("that of snapshot {}, which it builds on: {}", missing.back(), text.error()));
    }
    first_ = std::move(*text);
    first_snapshot_ = missing.back();
  }
  return true;
}

Parsed<std::string_view> TextReader::read(int64_t snapshot, TextPart part) {
  if (part == TextPart::First) {
    const auto done = readFirst(snapshot);
    if (!done) return tl::make_unexpected(done.error());
    return first_.view();
  }
  const Place place(snapshot, static_cast<int64_t>(part));
  const auto base = baseOf(place);
  if (!base) return tl::make_unexpected(base.error());
  if (*base) {
    const auto done = readFirst(snapshot);
    if (!done) return tl::make_unexpected(done.error());
  }
  auto text = decode(place, *base ? first_.view() : std::string_view());
  if (!text) return tl::make_unexpected(text.error());
  second_ = std::move(*text);
  return second_.view();
}

}  // namespace fdmortem
