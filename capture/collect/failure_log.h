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

/// Bounded by the number of processes, their files and tables, not of fds: a process of which no
/// fdinfo can be read gives one failure with a count, and its links another.
class FailureLog {
 public:
  void add(Failure failure) {
    // Those of a process are alike that failed the same way, whichever fd it was.
    const auto key =
        std::tuple(failure.pid, failure.operation, failure.error_number, failure.detail,
                   failure.pid ? withoutFd(failure.subject) : failure.subject);
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
  /// "4711/fdinfo/" of "4711/fdinfo/12"; all of any other.
  static std::string withoutFd(const std::string& subject) {
    const size_t slash = subject.rfind('/');
    const bool is_fd = slash != std::string::npos &&
                       subject.find_first_not_of("0123456789", slash + 1) == std::string::npos;
    return is_fd ? subject.substr(0, slash + 1) : subject;
  }

  using Key =
      std::tuple<std::optional<int32_t>, std::string, std::optional<int>, std::string, std::string>;

  std::vector<Failure> failures_;
  std::map<Key, size_t> places_;
};

}  // namespace fdmortem
