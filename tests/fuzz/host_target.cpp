#include "schema/printable.h"
#include "schema/readers/host.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

namespace {

template <class Record>
void isOneLine(const Parsed<Record>& parsed) {
  if (!parsed) fuzz::require(printable(parsed.error()) == parsed.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::textOf(data, size);
  isOneLine(parseFileNr(text));
  isOneLine(parseUptimeMs(text));
  isOneLine(parseSingleNumber(text));
  const auto boot_id = parseBootId(text);
  isOneLine(boot_id);
  if (boot_id) fuzz::require(boot_id->size() == 36 && text.size() == 37);
  return 0;
}
