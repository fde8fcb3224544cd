// Snapshots as they are named on the command line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace fdmortem {

/// Runs a query with one value for its `?` (none if that is empty) and gives the first cell; empty:
/// NULL, or no row.
using AskNumber =
    std::function<std::optional<int64_t>(const std::string& sql, std::optional<int64_t> value)>;

/// The number of the snapshot that `name` stands for: its number, `first`, `last`, or a time, which
/// is that of the last one taken by then; a time of day alone where all are of one day (UTC). `ask`
/// asks a database that has the table `snapshot`, of the archive at `path`. Throws
/// std::runtime_error if there is no such snapshot, UsageError if the name is none.
int64_t snapshotNumber(const std::string& name, const std::string& path, const AskNumber& ask);

}  // namespace fdmortem
