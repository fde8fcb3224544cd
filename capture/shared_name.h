// A name that many things bear.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>

namespace fdmortem {

/// One of few names, such as the kernel's of protocols: all copies share one string, which stays
/// until the program ends. For tens of thousands of records a string of their own is too much.
class SharedName {
 public:
  SharedName() = default;
  SharedName(std::string_view name) : name_(shared(name)) {}
  SharedName(const char* name) : SharedName(std::string_view(name)) {}

  bool empty() const { return name_ == nullptr; }
  /// Valid until the program ends.
  const std::string& text() const {
    static const std::string kNone;
    return name_ != nullptr ? *name_ : kNone;
  }

  bool operator==(const SharedName&) const = default;
  bool operator==(std::string_view other) const { return text() == other; }
  bool operator==(const char* other) const { return text() == other; }

 private:
  static const std::string* shared(std::string_view name) {
    static std::set<std::string, std::less<>> names;
    if (name.empty()) return nullptr;
    const auto found = names.find(name);
    return found != names.end() ? &*found : &*names.emplace(name).first;
  }

  const std::string* name_ = nullptr;
};

}  // namespace fdmortem
