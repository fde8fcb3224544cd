// Two snapshots compared, and what has changed in words.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "capture/changes.h"
#include "tests/support/snapshots.h"

namespace fdmortem::test {

inline constexpr const char* kChangeNames[] = {"gone", "appeared", "changed", "present"};

inline std::string nameOf(Change change) {
  return kChangeNames[static_cast<size_t>(change)];
}

/// Lines of one kind, `change what`, each with a ';'.
template <class Rows, class Describe>
std::string describe(const Rows& rows, Describe describe_row) {
  std::string text;
  for (const auto& row : rows)
    text += (text.empty() ? "" : "; ") + describe_row(row);
  return text;
}

/// Two snapshots that are compared as the recorder does it.
class ChangesTest : public testing::Test {
 protected:
  void compare(bool keyframe = false) {
    if (before_) carryOver(*before_, now_);
    changes_ = detectChanges(before_ ? &*before_ : nullptr, now_, keyframe);
  }
  void compareFds(const std::vector<FdRecord>& before, const std::vector<FdRecord>& after,
                  bool keyframe = false) {
    before_ = snapshotOf({processWith(before)});
    now_ = snapshotOf({processWith(after)});
    compare(keyframe);
  }
  void compareTcp(const std::vector<InetRow>& before, const std::vector<InetRow>& after,
                  bool keyframe = false) {
    before_ = snapshotOf({}, {netnsWith(before)});
    now_ = snapshotOf({}, {netnsWith(after)});
    compare(keyframe);
  }

  std::string fds() const {
    return describe(changes_.fds, [](const FdChange& row) {
      return nameOf(row.change) + " " + std::to_string(row.fd->fd);
    });
  }
  std::string processes() const {
    return describe(changes_.processes, [](const ProcessChange& row) {
      return nameOf(row.change) + " " + std::to_string(row.process->identity.pid);
    });
  }
  std::string limits() const {
    return describe(changes_.limits, [](const LimitChange& row) {
      return nameOf(row.change) + " " + row.limit->resource;
    });
  }
  std::string tcp() const {
    return describe(changes_.inet, [](const RowChange<InetRow>& row) {
      return nameOf(row.change) + " " + std::to_string(row.row->inode);
    });
  }
  /// The sockets that have gone from all tables.
  std::string goneSockets() const {
    return describe(changes_.inet_gone, [](uint64_t inode) { return std::to_string(inode); });
  }
  std::string tables() const {
    std::string text;
    for (const NetTableChange& row : changes_.net_tables) {
      if (row.table != NetTable::Tcp) continue;
      text += "tcp " + std::to_string(static_cast<int>(row.status)) + ";";
    }
    return text;
  }

  std::optional<Snapshot> before_;
  Snapshot now_;
  ChangeSet changes_;
};

}  // namespace fdmortem::test
