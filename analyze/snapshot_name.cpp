#include "analyze/snapshot_name.h"

#include <charconv>
#include <optional>
#include <stdexcept>
#include <string_view>
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

/// 15:01, 15:01:40, 15:01:40.250
bool isTimeOfDay(std::string_view name) {
  constexpr size_t kShortest = 5;
  return name.size() >= kShortest && name[2] == ':' &&
         name.find_first_not_of("0123456789:.") == std::string_view::npos;
}

/// With the day of the archive before it; empty: it is no time, or there is no snapshot. Throws
/// UsageError where the archive is of several days.
std::optional<int64_t> timeOfItsDay(const std::string& name, const std::string& path,
                                    const AskNumber& ask) {
  const auto first = ask("SELECT min(wall_ns) FROM snapshot", {});
  const auto last = ask("SELECT max(wall_ns) FROM snapshot", {});
  if (!first || !last) return {};
  const auto day = [](int64_t wall_ns) {
    const std::string text = formatTime(wall_ns);
    return text.substr(0, text.find('T'));
  };
  const auto time_ns = parseTimeEnd(day(*last) + "T" + name + "Z");
  if (time_ns && day(*first) != day(*last)) {
    throw UsageError(fmt::format("{}: of which day? {} has snapshots from {} to {}: write {}T{}Z",
                                 name, path, day(*first), day(*last), day(*last), name));
  }
  return time_ns;
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
  if (isTimeOfDay(name)) {
    if (const auto time_ns = timeOfItsDay(name, path, ask))
      return snapshotAt(name, path, *time_ns, ask);
  }
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
