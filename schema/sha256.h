// SHA-256 of a file, and of a text.
#pragma once

#include <string>
#include <string_view>

namespace fdmortem {

/// 64 hexadecimal digits. Throws std::system_error, with the path, if the file can't be read.
std::string sha256OfFile(const std::string& path);

/// In base64, as a Content-Security-Policy names it.
std::string sha256Base64(std::string_view text);

}  // namespace fdmortem
