// The hash chain of an archive: a link for each thing that was written into it, each over the one
// before. Who knows the value of a link, written down elsewhere, can tell whether anything up to it
// was changed or taken away since. schema/README.md ("The hash chain") says what that proves.
#pragma once

#include <cstdint>

#include "schema/evidence/digest.h"

namespace fdmortem {

/// Column `kind` of chain: what a link stands for.
enum class LinkKind : uint8_t {
  RecordingBegan = 1,  ///< a row of recording
  Snapshot = 2,        ///< all rows of a snapshot
  RecorderEvent = 3,   ///< a row of recorder_event
  RecordingEnded = 4,  ///< a row of recording_end
  Rewritten = 5,       ///< what follows was redacted; `previous` is the last value of the original
};

struct ChainLink {
  LinkKind kind = LinkKind::Snapshot;
  int64_t subject = 0;  ///< the id of what it stands for; 0 of Rewritten
  Digest previous{};    ///< the value of the link before; of the first one zeros
  Digest content{};     ///< of what it stands for; of Rewritten zeros

  /// Its value: BLAKE2b-256 of previous, kind, subject (8 bytes each, little-endian) and content.
  Digest value() const;
};

}  // namespace fdmortem
