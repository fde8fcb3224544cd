#include "schema/evidence/digest.h"

#include <algorithm>

namespace fdmortem {

Hasher::Hasher() {
  // Without it the slowest of its implementations is used.
  static const int kInitialized = sodium_init();
  static_cast<void>(kInitialized);
  start();
}

void Hasher::start() {
  crypto_generichash_init(&state_, nullptr, 0, sizeof(Digest));
}

Digest digestOf(std::string_view bytes) {
  Hasher hasher;
  hasher.add(bytes);
  return hasher.finish();
}

std::string_view bytesOf(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string toHex(const Digest& digest) {
  std::array<char, 2 * sizeof(Digest) + 1> text;
  sodium_bin2hex(text.data(), text.size(), digest.data(), digest.size());
  return text.data();
}

std::optional<Digest> parseDigest(std::string_view hex) {
  Digest digest;
  size_t length = 0;
  const char* end = nullptr;
  if (hex.size() != 2 * digest.size() ||
      sodium_hex2bin(digest.data(), digest.size(), hex.data(), hex.size(), nullptr, &length,
                     &end) != 0 ||
      length != digest.size() || end != hex.data() + hex.size()) {
    return {};
  }
  return digest;
}

std::optional<Digest> digestFromBytes(std::string_view bytes) {
  Digest digest;
  if (bytes.size() != digest.size()) return {};
  std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

}  // namespace fdmortem
