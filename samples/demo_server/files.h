// Small files by which the programs tell others where they are.
#pragma once

#include <string>
#include <string_view>

namespace fdmortem::demo {

/// Who reads `path` finds what was there before or all of `text`, never a part.
void writeFileAtomically(const std::string& path, std::string_view text);

/// The first line of the file without its newline; empty where there is no such file.
std::string readFirstLine(const std::string& path);

}  // namespace fdmortem::demo
