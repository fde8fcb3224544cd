// A map from numbers for hundreds of thousands of them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

namespace fdmortem {

/// Open addressing, at most half full: a look-up touches one cache line, where std::unordered_map
/// touches three. Nothing is ever taken out. `Value` is a number or alike.
template <class Value>
class FlatMap {
 public:
  /// nullptr: there is none. Valid until the next insertion.
  Value* find(uint64_t key) {
    if (slots_.empty()) return nullptr;
    Slot& slot = slotOf(key);
    return slot.is_used ? &slot.value : nullptr;
  }

  /// The value of the key, and whether it is new: then it is `value`. Valid until the next
  /// insertion.
  std::pair<Value&, bool> tryEmplace(uint64_t key, Value value) {
    if (2 * (used_ + 1) > slots_.size()) grow();
    Slot& slot = slotOf(key);
    if (slot.is_used) return {slot.value, false};
    slot = {key, value, true};
    ++used_;
    return {slot.value, true};
  }

 private:
  struct Slot {
    uint64_t key = 0;
    Value value{};
    bool is_used = false;
  };

  /// Where the key is, or belongs.
  Slot& slotOf(uint64_t key) {
    const size_t mask = slots_.size() - 1;
    // The upper bits of the product depend on all bits of the key.
    size_t place = static_cast<size_t>((key * factor_) >> shift_);
    while (slots_[place].is_used && slots_[place].key != key)
      place = (place + 1) & mask;
    return slots_[place];
  }

  void grow() {
    constexpr size_t kFirstSize = 64;
    std::vector<Slot> old(slots_.empty() ? kFirstSize : 2 * slots_.size());
    old.swap(slots_);
    shift_ = 64 - std::countr_zero(slots_.size());
    for (const Slot& slot : old)
      if (slot.is_used) slotOf(slot.key) = slot;
  }

  /// Odd, and another one in each run: who makes an archive can't choose numbers that all belong in
  /// one place, for which each look-up would go through all of them.
  static uint64_t randomFactor() {
    std::random_device device;
    return (uint64_t{device()} << 32U | device()) | 1U;
  }

  std::vector<Slot> slots_;  ///< a power of two of them
  uint64_t factor_ = randomFactor();
  int shift_ = 0;
  size_t used_ = 0;
};

}  // namespace fdmortem
