// The listing commands of fdanalyze.
#pragma once

#include "analyze/options.h"

namespace fdmortem {

/// Prints what was asked for on stdout. Returns the exit status. Throws std::runtime_error, one
/// line.
int runListing(const ListingOptions& options);

}  // namespace fdmortem
