// Archives that are spoiled in some way.
#pragma once

#include <cstdint>
#include <string>

namespace fdmortem::test {

struct Mutant {
  std::string what;      ///< how it was made, for a failure's message
  std::string database;  ///< the file's bytes
  std::string wal;       ///< of a -wal beside it; empty: none
};

/// How many kinds there are; number % that is the kind of a mutant.
int mutantKinds();

/// The mutant of that number of an archive at `original`: always the same. `scratch` is a file that
/// may be written to.
Mutant makeMutant(uint64_t number, const std::string& original, const std::string& scratch);

}  // namespace fdmortem::test
