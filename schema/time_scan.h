// The parts of a written time, read one after the other.
#pragma once

#include <cctype>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace fdmortem {

/// A time as it is written.
struct CivilTime {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
  int fraction_ns = 0;
  std::optional<int> offset_s;  ///< east of UTC; empty: not written
};

/// Nanoseconds since 1970 in UTC; without an offset as if it were UTC. Empty: there is no such day
/// or time, or 64 bits can't hold it.
inline std::optional<int64_t> nanosecondsOf(const CivilTime& time) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  const std::chrono::year_month_day date(std::chrono::year(time.year),
                                         std::chrono::month(static_cast<unsigned>(time.month)),
                                         std::chrono::day(static_cast<unsigned>(time.day)));
  // 60: a leap second.
  if (!date.ok() || time.hour > 23 || time.minute > 59 || time.second > 60) return {};
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const int64_t seconds =
      ((days * 24 + time.hour) * 60 + time.minute) * 60 + time.second - time.offset_s.value_or(0);
  constexpr int64_t kMaximum = std::numeric_limits<int64_t>::max() / kNsPerSecond - 1;
  if (seconds > kMaximum || seconds < -kMaximum) return {};
  return seconds * kNsPerSecond + time.fraction_ns;
}

/// A place in a text. What does not fit leaves it where it was.
class TimeScanner {
 public:
  explicit TimeScanner(std::string_view text) : text_(text) {}

  size_t position() const { return position_; }
  char next() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  bool isAtDigit() const { return next() >= '0' && next() <= '9'; }

  bool literal(char c) {
    if (next() != c || position_ == text_.size()) return false;
    ++position_;
    return true;
  }
  /// Any one of these characters; returns it, or NUL.
  char anyOf(std::string_view characters) {
    const char c = next();
    if (c == '\0' || characters.find(c) == std::string_view::npos) return '\0';
    ++position_;
    return c;
  }
  /// Exactly so many digits.
  bool digits(int count, int& value) {
    int result = 0;
    for (int i = 0; i < count; ++i) {
      const size_t at = position_ + static_cast<size_t>(i);
      if (at >= text_.size() || text_[at] < '0' || text_[at] > '9') return false;
      result = result * 10 + (text_[at] - '0');
    }
    position_ += static_cast<size_t>(count);
    value = result;
    return true;
  }

  /// `09:47:05.123`; with `needs_seconds` off also `09:47`.
  bool timeOfDay(CivilTime& time, bool needs_seconds = true) {
    const size_t start = position_;
    bool fits = digits(2, time.hour) && literal(':') && digits(2, time.minute);
    if (fits && literal(':')) {
      fits = digits(2, time.second) && fraction(time.fraction_ns);
    } else {
      fits = fits && !needs_seconds;
    }
    if (!fits) position_ = start;
    return fits;
  }
  /// `Z`, `+01:00`, `+0100`, `+01`, ` UTC`, ` +0100`; nothing is no error.
  void zone(CivilTime& time) {
    const size_t start = position_;
    const bool has_blank = literal(' ');
    for (const std::string_view name : {"UTC", "GMT", "Z"}) {
      if (has_blank && name == "Z") continue;
      if (!text_.substr(position_).starts_with(name)) continue;
      position_ += name.size();
      if (std::isalnum(static_cast<unsigned char>(next())) == 0) {
        time.offset_s = 0;
        return;
      }
      position_ -= name.size();
    }
    const char sign = anyOf("+-");
    int hours = 0, minutes = 0;
    bool fits = sign != '\0' && digits(2, hours);
    const bool has_colon = fits && literal(':');
    if (fits && (has_colon || isAtDigit())) fits = digits(2, minutes);
    // After a blank `-05` could be anything.
    if (has_blank && position_ - start < 6) fits = false;
    if (!fits || isAtDigit() || hours > 15 || minutes > 59) {
      position_ = start;
      return;
    }
    const int offset_s = (hours * 60 + minutes) * 60;
    time.offset_s = sign == '-' ? -offset_s : offset_s;
  }

 private:
  /// Up to nine digits after a point or comma; nothing is no error.
  bool fraction(int& nanoseconds) {
    const char point = anyOf(".,");
    if (point == '\0') return true;
    int count = 0, value = 0;
    for (int digit = 0; count < 9 && digits(1, digit); ++count)
      value = value * 10 + digit;
    // A comma can also end a clause.
    if (count == 0 && point == ',') {
      --position_;
      return true;
    }
    if (count == 0 || isAtDigit()) return false;
    for (; count < 9; ++count)
      value *= 10;
    nanoseconds = value;
    return true;
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace fdmortem
