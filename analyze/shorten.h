// Texts that would fill a page.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fdmortem {

/// The most bytes of a line of a log, a mark or a command line that are shown.
constexpr size_t kMaximumShownBytes = 300;

/// A text of UTF-8 as it is, or its first kMaximumShownBytes and "..."; never a part of a
/// character.
std::string shortened(std::string_view text);

}  // namespace fdmortem
