#include "analyze/shorten.h"

namespace fdmortem {

std::string shortened(std::string_view text) {
  if (text.size() <= kMaximumShownBytes) return std::string(text);
  size_t end = kMaximumShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace fdmortem
