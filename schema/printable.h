// Names made safe to show.
#pragma once

#include <string>
#include <string_view>

namespace fdmortem {

/// Any bytes as one line of printable UTF-8 that looks as it is: control characters, newlines,
/// bytes that are not UTF-8, and characters that change how their neighbours are shown
/// (bidirectional controls, zero-width and line separators, tags) become \n, \t, \xNN or \u{NNNN};
/// a backslash becomes two, so that the text can be read back. Plain names stay as they are.
std::string printable(std::string_view bytes);

/// The same for a text that printable() may have made already: that stays as it is, since a
/// backslash of it would be doubled again.
std::string printableOnce(std::string_view text);

}  // namespace fdmortem
