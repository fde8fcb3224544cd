// What a fuzz target is: one function that takes any bytes. libFuzzer calls it in the preset
// `fuzz`, and replay.cpp with the files of corpus in the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace fdmortem::fuzz {

inline std::string_view textOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// What must hold for any input.
inline void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace fdmortem::fuzz
