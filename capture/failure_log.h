// The failures of one snapshot, those alike counted together.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "capture/snapshot.h"

namespace fdmortem {

/// Bounded by the number of processes and tables, not of fds: a process of which no fdinfo can be
/// read gives one failure with a count.
class FailureLog {
 public:
  void add(Failure failure) {
    for (Failure& known : failures_) {
      if (known.pid == failure.pid && known.operation == failure.operation &&
          known.error_number == failure.error_number && known.detail == failure.detail &&
          (failure.pid || known.subject == failure.subject)) {
        known.count += failure.count;
        return;
      }
    }
    failures_.push_back(std::move(failure));
  }

  /// A call that failed with an errno.
  void add(std::string operation, std::string subject, std::optional<int32_t> pid,
           int error_number) {
    add(Failure{.operation = std::move(operation),
                .subject = std::move(subject),
                .pid = pid,
                .error_number = error_number,
                .detail = {}});
  }

  /// A text that was read and not understood.
  void addUnparsable(std::string subject, std::optional<int32_t> pid, std::string reason) {
    add(Failure{.operation = "parse",
                .subject = std::move(subject),
                .pid = pid,
                .error_number = {},
                .detail = std::move(reason)});
  }

  std::vector<Failure> take() { return std::exchange(failures_, {}); }

 private:
  std::vector<Failure> failures_;
};

}  // namespace fdmortem
