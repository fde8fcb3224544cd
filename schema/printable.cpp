#include "schema/printable.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <fmt/core.h>

namespace fdmortem {
namespace {

struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;  ///< in bytes; 0: the bytes are not UTF-8
};

/// The first character of `bytes`, by RFC 3629: shortest forms, no surrogates, up to U+10FFFF.
CodePoint decode(std::string_view bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || bytes.size() < length) return {};
  uint32_t value = first & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(i) & 0x3F);
  }
  const bool is_too_long = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool is_surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (is_too_long || is_surrogate || value > 0x10FFFF) return {};
  return {value, length};
}

struct Range {
  uint32_t first;
  uint32_t last;
};

/// Characters that are not seen, or change how others are seen (Unicode 15: general categories Cc,
/// Cf, Zl, Zp, the noncharacters and variation selectors).
constexpr Range kDeceptive[] = {
    {0x00, 0x1F},       {0x7F, 0x9F},       {0xAD, 0xAD},       {0x034F, 0x034F},
    {0x0600, 0x0605},   {0x061C, 0x061C},   {0x06DD, 0x06DD},   {0x070F, 0x070F},
    {0x0890, 0x0891},   {0x08E2, 0x08E2},   {0x115F, 0x1160},   {0x17B4, 0x17B5},
    {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},   {0x2060, 0x206F},
    {0x3164, 0x3164},   {0xFDD0, 0xFDEF},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},
    {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},   {0xFFFE, 0xFFFF},   {0x110BD, 0x110BD},
    {0x110CD, 0x110CD}, {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A},
    {0xE0000, 0xE0FFF}, {0xF0000, 0x10FFFF}};

bool isDeceptive(uint32_t value) {
  for (const auto& [first, last] : kDeceptive) {
    if (value >= first && value <= last) return true;
  }
  return false;
}

void appendEscaped(std::string& text, uint32_t value) {
  switch (value) {
    case '\n':
      text += "\\n";
      break;
    case '\t':
      text += "\\t";
      break;
    case '\r':
      text += "\\r";
      break;
    default:
      text += value < 0x80 ? fmt::format("\\x{:02x}", value) : fmt::format("\\u{{{:04x}}}", value);
  }
}

}  // namespace

std::string printable(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const CodePoint character = decode(bytes);
    const size_t length = character.length == 0 ? 1 : character.length;
    if (character.length == 0) {
      text += fmt::format("\\x{:02x}", static_cast<uint8_t>(bytes[0]));
    } else if (character.value == '\\') {
      text += "\\\\";
    } else if (isDeceptive(character.value)) {
      appendEscaped(text, character.value);
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return text;
}

std::string printableOnce(std::string_view text) {
  std::string safe = printable(text);
  const auto backslashes = std::count(text.begin(), text.end(), '\\');
  if (safe.size() == text.size() + static_cast<size_t>(backslashes)) return std::string(text);
  return safe;
}

}  // namespace fdmortem
