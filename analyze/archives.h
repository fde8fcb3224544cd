// The archives that a command was given.
#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "analyze/analysis.h"

namespace fdmortem {

/// What was asked for can't be: exit status 2.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Opens one archive after the other and calls `visit` for each, with what there is to doubt about
/// it said on stderr if `says_doubts` or if it is damaged. Of several, one that can't be read is
/// named on stderr and the others are done: returns 3 then and if one is damaged, else 0. Throws if
/// none could be read, UsageError if two paths are of one
/// file, or of files with the same content.
/// `on_unread` is called with the path and the reason of each that can't be read, unless it is
/// empty.
int forEachArchive(
    const std::vector<std::string>& paths, const AnalysisOptions& options, bool says_doubts,
    const std::function<void(const Analysis&)>& visit,
    const std::function<void(const std::string& path, const std::string& reason)>& on_unread = {});

}  // namespace fdmortem
