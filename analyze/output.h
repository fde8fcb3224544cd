// Where results are written.
#pragma once

#include <string>
#include <string_view>

namespace fdmortem {

/// Writes all of it to stdout and out of this process. Throws std::system_error, with `stdout` as
/// its name.
void writeToStdout(std::string_view bytes);

/// Writes a file. A regular one gets its name when it is whole: one of that name stays as it was if
/// that fails, and nothing is left behind. Throws std::system_error with the path.
void writeToFile(const std::string& path, std::string_view bytes);

}  // namespace fdmortem
