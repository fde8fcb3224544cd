// Readers of what /proc/PID/fd and /proc/PID/fdinfo say of a file descriptor.
#pragma once

#include <string_view>

#include "schema/readers/result.h"
#include "schema/records.h"

namespace fdmortem {

/// A directory entry of /proc/PID/fd: a decimal number without sign or leading zero.
Parsed<int32_t> parseFdNumber(std::string_view name);

/// The text of a /proc/PID/fd/N link. `socket:[N]` and `pipe:[N]` become numbers; anything else,
/// also what only looks like one of them (`socket:[12x]`), stays text. Never fails.
FdLink parseFdLink(std::string_view link);

/// /proc/PID/fdinfo/N. Of the lines that are not understood each is kept in `detail` as it was; the
/// text as a whole is an error only where pos: or flags: is there and is not a number, or a last
/// line is cut (does not end in a newline). flags: is octal, tfd's events:, data:, ino: and sdev:
/// are hexadecimal, everything else is decimal. Of a key that comes twice the first counts: the
/// second is the file's own.
Parsed<FdInfo> parseFdInfo(std::string_view text);

/// The text that such an fdinfo has where all its lines but the common ones are in `detail`: what
/// parseFdInfo() read, if the kernel gave the common lines first, in its order of today (fs/proc/
/// fd.c, seq_show). Appends to `text`.
void formatFdInfo(const FdInfo& info, std::string& text);

/// The text of a /proc/PID/fd/N link; empty if it was unreadable.
std::string formatFdLink(const FdLink& link);

}  // namespace fdmortem
