// What an archive's evidence is decoded by: a frame against a base text, and the bundle in it. The
// input: a byte, the length of the base; the base; a byte, the length of the text in 64 bytes; the
// frame.
#include <algorithm>
#include <string>

#include "schema/evidence/digest.h"
#include "schema/evidence/text_bundle.h"
#include "schema/evidence/text_codec.h"
#include "schema/printable.h"
#include "tests/fuzz/target.h"

using namespace fdmortem;

namespace {

void readBundle(std::string_view bytes) {
  const auto texts = parseTextBundle(bytes);
  if (!texts) return fuzz::require(printable(texts.error()) == texts.error());
  TextBundle again;
  for (const BundledText& text : *texts)
    again.add(text.path, text.text);
  fuzz::require(again.bytes() == bytes);
}

std::string_view take(std::string_view& rest, size_t length) {
  const std::string_view taken = rest.substr(0, std::min(length, rest.size()));
  rest.remove_prefix(taken.size());
  return taken;
}

size_t takeByte(std::string_view& rest) {
  const std::string_view byte = take(rest, 1);
  return byte.empty() ? 0 : static_cast<unsigned char>(byte[0]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = fuzz::textOf(data, size);
  readBundle(rest);
  const auto digest = parseDigest(rest);
  if (digest) fuzz::require(parseDigest(toHex(*digest)) == digest);
  const std::string_view base = take(rest, takeByte(rest));
  const size_t length = takeByte(rest) * 64;
  const auto text = decodeText(rest, length, base);
  if (!text) {
    fuzz::require(printable(text.error()) == text.error());
  } else {
    fuzz::require(text->size == length);
    readBundle(text->view());
  }
  TextEncoder encoder;
  const std::string frame = encoder.encode(rest, base);
  const auto decoded = decodeText(frame, rest.size(), base);
  fuzz::require(decoded && decoded->view() == rest);
  return 0;
}
