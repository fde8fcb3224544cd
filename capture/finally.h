// Something that is to be done in any case.
#pragma once

#include <utility>

namespace fdmortem {

/// Does it when this goes; it must not throw.
template <class Action>
class Finally {
 public:
  explicit Finally(Action action) : action_(std::move(action)) {}
  ~Finally() { action_(); }
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;

 private:
  Action action_;
};

}  // namespace fdmortem
