#include "analyze/snapshot_name.h"

#include <charconv>
#include <stdexcept>
#include <system_error>

#include <fmt/core.h>

#include "analyze/archives.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

/// The last one that had been taken by then.
int64_t snapshotAt(const std::string& name, const std::string& path, int64_t time_ns,
                   const AskNumber& ask) {
  const auto id = ask(
      "SELECT id FROM snapshot WHERE wall_ns <= ? ORDER BY wall_ns DESC, id DESC LIMIT 1", time_ns);
  if (id) return *id;
  throw std::runtime_error(fmt::format("{}: there is no snapshot at or before {}", path, name));
}

}  // namespace

int64_t snapshotNumber(const std::string& name, const std::string& path, const AskNumber& ask) {
  if (name == "first" || name == "last") {
    const auto id =
        ask(name == "first" ? "SELECT min(id) FROM snapshot" : "SELECT max(id) FROM snapshot", {});
    if (id) return *id;
    throw std::runtime_error(fmt::format("{}: there is no snapshot in it", path));
  }
  if (const auto time_ns = parseTimeEnd(name)) return snapshotAt(name, path, *time_ns, ask);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) {
    throw UsageError(fmt::format("not a snapshot's number, 'first', 'last' or a time: {}", name));
  }
  if (!ask("SELECT 1 FROM snapshot WHERE id = ?", number)) {
    throw std::runtime_error(fmt::format("{}: there is no snapshot {}", path, number));
  }
  return number;
}

}  // namespace fdmortem
