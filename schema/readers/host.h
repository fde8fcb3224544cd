// Readers of what the kernel says of the whole host: texts of one line each. One without its
// newline is cut, and an error: the number in it may be the beginning of a longer one.
#pragma once

#include <string_view>

#include "schema/readers/result.h"
#include "schema/records.h"

namespace fdmortem {

/// /proc/sys/fs/file-nr: three decimal numbers.
Parsed<FileNr> parseFileNr(std::string_view text);

/// /proc/uptime: seconds since boot with two decimals, suspend included; in milliseconds.
Parsed<uint64_t> parseUptimeMs(std::string_view text);

/// A file that holds one decimal number: /proc/sys/fs/nr_open, file-max.
Parsed<uint64_t> parseSingleNumber(std::string_view text);

/// /proc/sys/kernel/random/boot_id: a UUID in lower case; given back without its newline.
Parsed<std::string> parseBootId(std::string_view text);

}  // namespace fdmortem
