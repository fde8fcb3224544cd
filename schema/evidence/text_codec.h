// Texts compressed against an earlier text that is mostly the same: a Zstandard frame (RFC 8878)
// whose dictionary is that text, raw. `zstd -d --patch-from=BASE` gives it back, too.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "schema/readers/result.h"

struct ZSTD_CCtx_s;

namespace fdmortem {

/// No text that is kept is longer: what is decompressed is bounded by it.
inline constexpr size_t kMaximumTextBytes = size_t{256} << 20;

/// So many texts build on each other at most: then one stands alone.
inline constexpr size_t kMaximumTextsInARow = 64;

/// A text of a known length in memory that nobody has written to before.
struct DecodedText {
  std::unique_ptr<char[]> bytes;
  size_t size = 0;

  std::string_view view() const { return {bytes.get(), size}; }
};

class TextEncoder {
 public:
  TextEncoder();
  ~TextEncoder();
  TextEncoder(const TextEncoder&) = delete;
  TextEncoder& operator=(const TextEncoder&) = delete;

  /// The frame of `text`; `base` is empty for one that stands alone. Throws std::bad_alloc, or
  /// std::runtime_error if zstd fails otherwise.
  std::string encode(std::string_view text, std::string_view base);

 private:
  struct Free {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

/// The text of `size` bytes that `frame` holds. An error if it holds anything else, or `size` is
/// above kMaximumTextBytes. Takes memory for `size` bytes and some hundred KiB; whatever `frame`
/// is.
Parsed<DecodedText> decodeText(std::string_view frame, size_t size, std::string_view base);

}  // namespace fdmortem
