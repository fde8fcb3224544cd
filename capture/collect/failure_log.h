// The failures of one snapshot, those alike counted together.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "capture/snapshot.h"

namespace fdmortem {

/// Bounded by the number of processes and tables, not of fds: a process of which no fdinfo can be
/// read gives one failure with a count.
class FailureLog {
 public:
  void add(Failure failure) {
    // Within a process those are alike that failed the same way, whichever fd it was.
    const std::string subject = failure.pid ? std::string() : failure.subject;
    const auto key =
        std::tuple(failure.pid, failure.operation, failure.error_number, failure.detail, subject);
    const auto [known, is_new] = places_.emplace(key, failures_.size());
    if (is_new) {
      failures_.push_back(std::move(failure));
    } else {
      failures_[known->second].count += failure.count;
    }
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

  /// In the order in which they first came.
  std::vector<Failure> take() {
    places_.clear();
    return std::exchange(failures_, {});
  }

 private:
  using Key =
      std::tuple<std::optional<int32_t>, std::string, std::optional<int>, std::string, std::string>;

  std::vector<Failure> failures_;
  std::map<Key, size_t> places_;
};

}  // namespace fdmortem
