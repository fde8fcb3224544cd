// The SQL files of schema/ as they were when the program was built.
#pragma once

#include <span>
#include <string_view>

namespace fdmortem::sql {

struct SqlFile {
  std::string_view name;  ///< without folder and ending
  std::string_view text;
};

/// tables.sql: the archive.
std::span<const SqlFile> archive();
/// analysis.sql: the tables that the checked import fills; threshold.sql, which the import needs
/// too.
std::span<const SqlFile> analysis();
/// views/: what is derived from them, in the order in which one builds on the other.
std::span<const SqlFile> views();
/// findings/: one rule a file, by name.
std::span<const SqlFile> findings();

}  // namespace fdmortem::sql
