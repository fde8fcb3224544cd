// How far the import is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "analyze/progress.h"

namespace fdmortem {

/// Tells it now and then.
class RowProgress {
 public:
  /// `on_progress` may be empty, and outlives this object.
  explicit RowProgress(const OnProgress& on_progress) : on_progress_(on_progress) {}

  bool isAsked() const { return on_progress_ != nullptr; }
  /// There are so many rows more than was said before.
  void expect(int64_t rows) { expected_ += rows; }

  /// So many more were read.
  void add(size_t rows) {
    constexpr int64_t kRowsBetween = 10'000;
    const int64_t before = read_;
    read_ += static_cast<int64_t>(rows);
    if (!isAsked() || before / kRowsBetween == read_ / kRowsBetween) return;
    on_progress_("reading",
                 static_cast<int>(100.0 * static_cast<double>(std::min(read_, expected_)) /
                                  static_cast<double>(std::max(expected_, int64_t{1}))));
  }

 private:
  const OnProgress& on_progress_;
  int64_t expected_ = 0;
  int64_t read_ = 0;
};

}  // namespace fdmortem
