// The three descriptors that every program takes for granted.
#pragma once

namespace fdmortem {

/// Makes sure that 0, 1 and 2 are open. Where one is closed, the next file that is opened, an
/// archive for instance, would get its number, and with it what is meant for the terminal. Reading
/// and writing fail on what takes its place, as they would on a closed one. Call it first in
/// main().
void occupyStandardStreams();

/// Writes what is still buffered for the standard output. Throws std::runtime_error if that, or
/// something before it, could not be written: a full disk, for instance. Call it last in main().
void finishStandardOutput();

}  // namespace fdmortem
