// The recorder's place behind the work of the host.
#pragma once

#include <string>
#include <vector>

namespace fdmortem {

/// Lets others go first: a nice value of at least 10, and for the disk the last level of the
/// best-effort class. A priority that is lower already stays. The idle class would be lower still,
/// but on a busy disk a commit in it may never end. Returns a line for each thing that could not be
/// done; none of it is needed to record.
std::vector<std::string> lowerPriority();

}  // namespace fdmortem
