#include "schema/command_line/versions.h"

#include <sodium.h>
#include <zstd.h>

#include <CLI/Version.hpp>
#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "schema/format.h"

namespace fdmortem {

std::string versionsOf(const std::string& program) {
  return fmt::format(
      "{} {}\n"
      "archive format {}\n"
      "SQLite {}, zstd {}, libsodium {}, SQLiteCpp {}, CLI11 {}, fmt {}.{}.{}, "
      "nlohmann_json {}.{}.{}",
      program, FDMORTEM_VERSION, kFormatVersion, SQLite::getLibVersion(), ZSTD_versionString(),
      sodium_version_string(), SQLITECPP_VERSION, CLI11_VERSION, FMT_VERSION / 10000,
      FMT_VERSION / 100 % 100, FMT_VERSION % 100, NLOHMANN_JSON_VERSION_MAJOR,
      NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
}

}  // namespace fdmortem
