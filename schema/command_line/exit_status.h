// What the exit status of both programs means.
#pragma once

namespace fdmortem {

constexpr int kDone = 0;
constexpr int kFailed = 1;      ///< one line on stderr tells what and why
constexpr int kWrongUsage = 2;  ///< of the command line
/// Done, but part of what was asked for could not be read; it is named on stderr.
constexpr int kPartlyRead = 3;

}  // namespace fdmortem
