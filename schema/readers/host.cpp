#include "schema/readers/host.h"

#include <algorithm>
#include <limits>

#include "schema/readers/scan.h"

namespace fdmortem {

namespace {

/// The only line of the text, empty optional where there are none, more or a part of one.
std::optional<std::string_view> onlyLine(std::string_view text) {
  scan::Lines lines(text);
  std::string_view line;
  std::string_view second;
  if (!lines.next(line) || lines.isCut() || lines.next(second)) return std::nullopt;
  return line;
}

bool isLowerHexDigit(char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

}  // namespace

Parsed<FileNr> parseFileNr(std::string_view text) {
  const std::optional<std::string_view> line = onlyLine(text);
  if (!line) return tl::make_unexpected("not one line");
  scan::Cursor cursor(*line);
  FileNr file_nr;
  if (!cursor.column(file_nr.allocated) || !cursor.column(file_nr.free) ||
      !cursor.column(file_nr.maximum) || !cursor.isAtEnd()) {
    return tl::make_unexpected("not three decimal numbers");
  }
  return file_nr;
}

Parsed<uint64_t> parseUptimeMs(std::string_view text) {
  const std::optional<std::string_view> line = onlyLine(text);
  if (!line) return tl::make_unexpected("not one line");
  scan::Cursor cursor(*line);
  uint64_t seconds = 0;
  uint64_t hundredths = 0;
  if (!cursor.number(seconds) || !cursor.literal('.') || cursor.isAtBoundary()) {
    return tl::make_unexpected("not a number of seconds");
  }
  const std::string_view decimals = cursor.word();
  if (decimals.size() != 2 || !scan::isNumber(decimals, hundredths)) {
    return tl::make_unexpected("not two decimals");
  }
  if (seconds > std::numeric_limits<uint64_t>::max() / 1000 - 1) {
    return tl::make_unexpected("too many seconds");
  }
  return seconds * 1000 + hundredths * 10;
}

Parsed<uint64_t> parseSingleNumber(std::string_view text) {
  const std::optional<std::string_view> line = onlyLine(text);
  uint64_t number = 0;
  if (!line || !scan::isNumber(*line, number)) {
    return tl::make_unexpected("not a line of one decimal number");
  }
  return number;
}

Parsed<std::string> parseBootId(std::string_view text) {
  constexpr std::string_view kPattern = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  const std::optional<std::string_view> line = onlyLine(text);
  const auto fits = [](char byte, char pattern) {
    return pattern == 'x' ? isLowerHexDigit(byte) : byte == pattern;
  };
  if (!line || !std::equal(line->begin(), line->end(), kPattern.begin(), kPattern.end(), fits)) {
    return tl::make_unexpected("not a line of one UUID");
  }
  return std::string(*line);
}

}  // namespace fdmortem
