// What the archive is told of a recording: who records what where, and how much is kept.
#pragma once

#include "capture/archive/retention.h"
#include "capture/archive/writer.h"
#include "capture/collect/proc_source.h"
#include "capture/options.h"

namespace fdmortem {

/// A recording that begins now. What the kernel does not tell is empty; throws std::system_error
/// where uname() fails.
RecordingInfo describeRecording(const RecordOptions& options, const ProcSource& source);

RetentionLimits retentionOf(const RecordOptions& options);

}  // namespace fdmortem
