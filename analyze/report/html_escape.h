// Text in HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace fdmortem {

/// As text or as a quoted attribute's value: nothing in it is markup. It is made printable first.
std::string htmlText(std::string_view text);

/// The same, with times such as 2026-11-22T08:12:39Z as time elements, which stay in one line.
std::string htmlTextWithTimes(std::string_view text);

}  // namespace fdmortem
