// What a program is made of, for --version.
#pragma once

#include <string>

namespace fdmortem {

/// Three lines, the last without its end: the program's name and version, the version of the
/// archive format that it knows, and the libraries that it was linked with or built of.
std::string versionsOf(const std::string& program);

}  // namespace fdmortem
