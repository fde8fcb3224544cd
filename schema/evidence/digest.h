// BLAKE2b-256 (RFC 7693, unkeyed, 32 bytes), the hash of everything that is evidence in an archive:
// what `b2sum -l 256` computes.
#pragma once

#include <sodium.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace fdmortem {

using Digest = std::array<unsigned char, 32>;

/// Computes the digest of bytes that come piece by piece.
class Hasher {
 public:
  Hasher();

  void add(std::string_view bytes) {
    crypto_generichash_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  }

  /// The digest of all that was added; then it begins anew.
  Digest finish() {
    Digest digest;
    crypto_generichash_final(&state_, digest.data(), digest.size());
    start();
    return digest;
  }

 private:
  void start();

  crypto_generichash_state state_;
};

Digest digestOf(std::string_view bytes);

/// Its bytes; valid as long as the digest.
std::string_view bytesOf(const Digest& digest);

/// 64 hexadecimal digits, lower case.
std::string toHex(const Digest& digest);

/// Of 64 hexadecimal digits, upper or lower case; empty if it is anything else.
std::optional<Digest> parseDigest(std::string_view hex);

/// Of 32 bytes; empty if there are more or fewer.
std::optional<Digest> digestFromBytes(std::string_view bytes);

}  // namespace fdmortem
