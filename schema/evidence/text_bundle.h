// Many texts as one: what was read in a snapshot, each under its path.
//
// A bundle is a sequence of entries, each a line `LENGTH PATH` (the length in bytes as ten decimal
// digits) followed by so many bytes. One that is made here has no path twice.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/readers/result.h"

namespace fdmortem {

struct BundledText {
  std::string_view path;  ///< "4711/limits", "net:[4026531840]/tcp"
  std::string_view text;

  bool operator==(const BundledText&) const = default;
};

/// Makes a bundle. Texts are read into its own memory, so that none is copied.
class TextBundle {
 public:
  /// Memory for so many bytes, so that they need not be moved as more come.
  void reserve(size_t bytes) { bytes_.reserve(bytes); }
  /// The bytes that it has memory for.
  size_t capacity() const { return bytes_.capacity(); }

  /// Adds what `append` appends to the string it is given, and which it must leave as it was before
  /// if it returns false: then there is no entry. `path` is printable and has no newline.
  bool add(std::string_view path, const std::function<bool(std::string&)>& append);
  void add(std::string_view path, std::string_view text);

  /// The text that was added last; valid until the next one.
  std::string_view last() const { return std::string_view(bytes_).substr(last_); }

  /// Takes entries away again: all that came when it had `size` bytes already.
  void cutTo(size_t size);

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  size_t last_ = 0;  ///< where the text of the last entry begins
};

/// The entries of a bundle, in its order; they are parts of `bytes`. An error if it is none: a
/// length or path that is missing, a text that is cut.
Parsed<std::vector<BundledText>> parseTextBundle(std::string_view bytes);

/// The text at `path`, the last one where several have it; empty: there is none.
std::optional<std::string_view> findText(const std::vector<BundledText>& bundle,
                                         std::string_view path);

}  // namespace fdmortem
