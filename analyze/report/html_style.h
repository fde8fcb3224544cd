// The style sheet of the HTML report.
#pragma once

#include <string_view>

namespace fdmortem {

/// The text of its style element, of which the page's policy names the hash.
std::string_view reportStyle();

}  // namespace fdmortem
