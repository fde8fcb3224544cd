// The paths of archived texts: schema/README.md, "The texts as they were read".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/format.h"

namespace fdmortem {

/// "4711/fdinfo/12" is {4711, "fdinfo/12"}.
struct ProcessPath {
  int32_t pid = 0;
  std::string_view rest;  ///< a part of the path
};

/// Empty if the path does not begin with a pid and a slash.
std::optional<ProcessPath> parseProcessPath(std::string_view path);

/// "net:[4026531840]/tcp".
struct NetPath {
  uint64_t netns = 0;  ///< inode number
  NetTable table = NetTable::Tcp;
};

/// Empty if the path is no such path, or of a table that is not known.
std::optional<NetPath> parseNetPath(std::string_view path);

/// Of the name of a file under /proc/PID/net; empty if it is none that is archived.
std::optional<NetTable> netTableOf(std::string_view name);

std::string netPath(uint64_t netns, NetTable table);

}  // namespace fdmortem
