#include <string>

#include "schema/printable.h"
#include "schema/readers/fd.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::textOf(data, size);
  const auto number = parseFdNumber(text);
  if (number) fuzz::require(*number >= 0 && std::to_string(*number) == text);
  const FdLink link = parseFdLink(text);
  if (link.type == LinkType::Text) fuzz::require(link.text == text);
  const auto info = parseFdInfo(text);
  if (!info) fuzz::require(printable(info.error()) == info.error());
  if (info) fuzz::require(info->detail.size() <= text.size());
  return 0;
}
