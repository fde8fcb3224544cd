// SHA-256 of a file.
#pragma once

#include <string>

namespace fdmortem {

/// 64 hexadecimal digits. Throws std::system_error, with the path, if the file can't be read.
std::string sha256OfFile(const std::string& path);

}  // namespace fdmortem
