// Text in Markdown (CommonMark, with the tables of GitHub and GitLab).
#pragma once

#include <string>
#include <string_view>

#include "analyze/analysis.h"

namespace fdmortem {

/// A text that is shown as it is: no markup, link, HTML or mention comes of it. One line.
std::string markdownText(std::string_view text);

/// A block of code that nothing in the text can end. With its newline.
std::string markdownCode(std::string_view text);

/// A table: numbers to the right, `-` for what is not known. With its newline.
std::string markdownTable(const ResultTable& table);

}  // namespace fdmortem
