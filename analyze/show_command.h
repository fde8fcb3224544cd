// `fdanalyze show`: an archived file as it was.
#pragma once

#include <string>
#include <string_view>

#include "analyze/options.h"

namespace fdmortem {

/// A file's bytes as a terminal can be given them: each line printable, newlines and tabs as they
/// are, and a newline at the end.
std::string forTerminal(std::string_view bytes);

/// Prints the file, or lists what there is. 0: done; 1: it is not there, said on stderr; 3: done,
/// and what makes it doubtful is said on stderr. Of a damaged archive that is to be
/// salvaged what of the texts can be read, and 3. Throws std::runtime_error, one line, and
/// UsageError.
int runShow(const ShowOptions& options);

}  // namespace fdmortem
