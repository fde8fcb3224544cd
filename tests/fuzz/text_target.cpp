// What the command line takes, and what makes names safe to show.
#include <optional>
#include <string>

#include "analyze/report/html_escape.h"
#include "schema/command_line/duration.h"
#include "schema/command_line/size.h"
#include "schema/printable.h"
#include "schema/time_text.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

namespace {

void times(std::string_view text) {
  const auto time = parseTime(text);
  if (time) {
    // What is shown can be asked for; it has milliseconds.
    const auto again = parseTime(formatTime(*time));
    if (*time >= 0) fuzz::require(again && *again == *time / 1'000'000 * 1'000'000);
  }
  const auto prefix = parseTimePrefix(text);
  if (prefix) fuzz::require(prefix->length > 0 && prefix->length <= text.size());
}

/// Nothing that a terminal, a page or another program could take for anything but letters.
void names(std::string_view text) {
  const std::string safe = printable(text);
  for (const char c : safe) {
    const auto byte = static_cast<unsigned char>(c);
    fuzz::require(byte >= 0x20 && byte != 0x7f);
  }
  fuzz::require(printableOnce(safe) == safe);
  fuzz::require(printable(safe).size() >= safe.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::textOf(data, size);
  times(text);
  names(text);
  std::string duration(text);
  (void)durationInMs()(duration);
  std::string bytes(text);
  (void)sizeInBytes()(bytes);
  return 0;
}
