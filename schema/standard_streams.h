// The three descriptors that every program takes for granted.
#pragma once

namespace fdmortem {

/// Makes sure that 0, 1 and 2 are open. Where one is closed, the next file that is opened, an
/// archive for instance, would get its number, and with it what is meant for the terminal. Reading
/// and writing fail on what takes its place, as they would on a closed one. Call it first in
/// main().
void occupyStandardStreams();

}  // namespace fdmortem
