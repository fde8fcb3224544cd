#include "analyze/import/log_marks.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <initializer_list>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "analyze/shorten.h"
#include "schema/time_scan.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr size_t kMaximumLine = 65536;
/// A time stands at the beginning of a line, after a level, a host or a pid at most.
constexpr size_t kTimeWithin = 160;
constexpr size_t kMaximumMarks = 500;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerDay = 86'400 * kNsPerSecond;

bool isAlphanumeric(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0;
}

std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// `word` with nothing before and after it that would make it another.
bool containsWord(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !isAlphanumeric(text[at - 1])) &&
        (end == text.size() || !isAlphanumeric(text[end]))) {
      return true;
    }
  }
  return false;
}

/// Of a text in lower case. "Accept" alone can be a header of HTTP.
bool isAcceptError(std::string_view text) {
  if (!contains(text, "accept")) return false;
  const auto has_any = [&](std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](std::string_view part) { return contains(text, part); });
  };
  if (has_any({"accept error", "accept failed", "accept failure", "error accepting"})) return true;
  if (has_any({"failed to accept", "unable to accept", "cannot accept", "can't accept",
               "could not accept"})) {
    return has_any({"connection", "socket", "client", "incoming"});
  }
  return has_any({"accept4", "accept()", "accept tcp", "accept unix", "acceptor"}) &&
         has_any({"error", "fail", "exception", "retrying"});
}

/// What a line tells of; empty: nothing of interest.
std::optional<MarkKind> kindOf(std::string_view line) {
  const std::string text = lowered(line);
  // glibc's words, musl's, the kernel's.
  const bool is_enfile = contains(text, "too many open files in system") ||
                         containsWord(text, "enfile") || contains(text, "file table overflow") ||
                         (contains(text, "file-max limit") && contains(text, "reached"));
  if (is_enfile) return MarkKind::Enfile;
  if (contains(text, "too many open files") || containsWord(text, "emfile") ||
      contains(text, "no file descriptors available")) {
    return MarkKind::Emfile;
  }
  return isAcceptError(text) ? std::optional(MarkKind::AcceptError) : std::nullopt;
}

// --- times ---

/// A time as it is found in a line.
struct Found {
  CivilTime time;
  bool has_year = true;
};

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};

bool monthName(TimeScanner& scanner, std::string_view text, int& month) {
  const std::string name = lowered(text.substr(std::min(scanner.position(), text.size()), 3));
  const auto found = std::find(kMonths.begin(), kMonths.end(), name);
  if (found == kMonths.end()) return false;
  for (int i = 0; i < 3; ++i)
    scanner.anyOf(text.substr(scanner.position(), 1));
  month = static_cast<int>(found - kMonths.begin()) + 1;
  return true;
}

/// `2026-11-22T09:47:05.123Z`, `2026/11/22 09:47:05`.
std::optional<Found> isoTime(std::string_view text) {
  TimeScanner scanner(text);
  Found found;
  CivilTime& time = found.time;
  if (!scanner.digits(4, time.year)) return {};
  const char separator = scanner.anyOf("-/");
  if (separator == '\0' || !scanner.digits(2, time.month) || !scanner.literal(separator) ||
      !scanner.digits(2, time.day) || scanner.anyOf("T _") == '\0' || !scanner.timeOfDay(time)) {
    return {};
  }
  scanner.zone(time);
  return found;
}

/// `22/Nov/2026:09:47:05 +0000`, `22-Nov-2026 09:47:05.123`, `22 Nov 2026 09:47:05,123`.
std::optional<Found> dayMonthYear(std::string_view text) {
  TimeScanner scanner(text);
  Found found;
  CivilTime& time = found.time;
  if (!scanner.digits(2, time.day) && !scanner.digits(1, time.day)) return {};
  const char separator = scanner.anyOf("/- ");
  if (separator == '\0' || !monthName(scanner, text, time.month) || !scanner.literal(separator) ||
      !scanner.digits(4, time.year) || scanner.anyOf(": ") == '\0' || !scanner.timeOfDay(time)) {
    return {};
  }
  scanner.zone(time);
  return found;
}

/// `Nov 22 09:47:05`, `Nov  2 09:47:05.123456 2026`.
std::optional<Found> monthDay(std::string_view text) {
  TimeScanner scanner(text);
  Found found{.time = {}, .has_year = false};
  CivilTime& time = found.time;
  if (!monthName(scanner, text, time.month) || !scanner.literal(' ')) return {};
  const bool is_padded = scanner.literal(' ');
  if (!(!is_padded && scanner.digits(2, time.day)) && !scanner.digits(1, time.day)) return {};
  if (!scanner.literal(' ') || !scanner.timeOfDay(time)) return {};
  const TimeScanner before = scanner;
  found.has_year = scanner.literal(' ') && scanner.digits(4, time.year) &&
                   !isAlphanumeric(scanner.next()) && time.year >= 1970;
  if (!found.has_year) scanner = before;
  scanner.zone(time);
  return found;
}

/// `Nov 22, 2026 9:47:05 AM`: the first line of two that java.util.logging's SimpleFormatter
/// writes.
std::optional<Found> javaUtilTime(std::string_view text) {
  TimeScanner scanner(text);
  Found found;
  CivilTime& time = found.time;
  if (!monthName(scanner, text, time.month) || !scanner.literal(' ') ||
      !scanner.digits(2, time.day) || !scanner.literal(',') || !scanner.literal(' ') ||
      !scanner.digits(4, time.year) || !scanner.literal(' ')) {
    return {};
  }
  if (!(scanner.digits(2, time.hour) || scanner.digits(1, time.hour)) || !scanner.literal(':') ||
      !scanner.digits(2, time.minute) || !scanner.literal(':') || !scanner.digits(2, time.second) ||
      !scanner.literal(' ')) {
    return {};
  }
  const char half = scanner.anyOf("AP");
  if (half == '\0' || !scanner.literal('M') || time.hour < 1 || time.hour > 12) return {};
  time.hour = time.hour % 12 + (half == 'P' ? 12 : 0);
  return found;
}

/// glog: `E1122 09:47:05.123456`, `E20261122 09:47:05.123456`.
std::optional<Found> glogTime(std::string_view text) {
  TimeScanner scanner(text);
  Found found;
  CivilTime& time = found.time;
  if (scanner.anyOf("IWEFDV") == '\0') return {};
  const TimeScanner start = scanner;
  const auto rest = [&] {
    return scanner.digits(2, time.month) && scanner.digits(2, time.day) && scanner.literal(' ') &&
           scanner.timeOfDay(time);
  };
  if (scanner.digits(4, time.year) && rest()) return found;
  scanner = start;
  found.has_year = false;
  if (rest()) return found;
  return {};
}

/// A number of seconds, milliseconds, microseconds or nanoseconds since 1970, by its size: from
/// 2001 to 2262, where the nanoseconds end.
std::optional<int64_t> epochTime(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<size_t>(end - text.data());
  if (error != std::errc() || number <= 0) return {};
  int64_t unit_ns = 0;
  switch (length) {
    case 10:
      unit_ns = kNsPerSecond;
      break;
    case 13:
      unit_ns = 1'000'000;
      break;
    case 16:
      unit_ns = 1000;
      break;
    case 19:
      unit_ns = 1;
      break;
    default:
      return {};
  }
  if (number >= std::numeric_limits<int64_t>::max() / unit_ns) return {};
  int64_t time_ns = number * unit_ns;
  size_t at = length;
  if (at < text.size() && text[at] == '.') {
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      unit_ns /= 10;
      time_ns += (text[at] - '0') * unit_ns;
    }
  }
  if (at < text.size() && isAlphanumeric(text[at])) return {};
  return time_ns;
}

std::optional<Found> fromEpoch(std::optional<int64_t> time_ns) {
  if (!time_ns) return {};
  CivilTime time{.year = 1970, .month = 1, .day = 1, .offset_s = 0};
  // Days and what is left of one: civil times know no other unit that is as large.
  const auto days = std::chrono::sys_days(std::chrono::days(*time_ns / kNsPerDay));
  const std::chrono::year_month_day date(days);
  time.year = static_cast<int>(date.year());
  time.month = static_cast<int>(static_cast<unsigned>(date.month()));
  time.day = static_cast<int>(static_cast<unsigned>(date.day()));
  const int64_t rest_ns = *time_ns % kNsPerDay;
  const auto seconds = static_cast<int>(rest_ns / kNsPerSecond);
  time.hour = seconds / 3600;
  time.minute = seconds / 60 % 60;
  time.second = seconds % 60;
  time.fraction_ns = static_cast<int>(rest_ns % kNsPerSecond);
  return Found{.time = time};
}

/// The first time in a text of any form.
std::optional<Found> firstTime(std::string_view text) {
  text = text.substr(0, kTimeWithin);
  for (size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && isAlphanumeric(text[at - 1])) continue;
    const std::string_view rest = text.substr(at);
    const bool is_digit = rest[0] >= '0' && rest[0] <= '9';
    auto found = is_digit ? isoTime(rest) : monthDay(rest);
    if (!found) found = is_digit ? dayMonthYear(rest) : javaUtilTime(rest);
    if (found) return found;
  }
  return {};
}

/// The value of a key of logfmt, without its quotes.
std::optional<std::string_view> logfmtValue(std::string_view line, std::string_view key) {
  for (size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    const bool is_word = at == 0 || line[at - 1] == ' ';
    std::string_view rest = line.substr(at + key.size());
    if (!is_word || rest.empty() || rest[0] != '=') continue;
    rest.remove_prefix(1);
    if (!rest.empty() && rest[0] == '"') rest.remove_prefix(1);
    return rest;
  }
  return {};
}

/// A value that is a time and nothing but.
std::optional<Found> timeValue(std::string_view value) {
  if (const auto epoch = epochTime(value)) return fromEpoch(epoch);
  return isoTime(value);
}

nlohmann::json parseJsonLine(std::string_view line) {
  if (line.empty() || line.front() != '{') return {};
  auto object = nlohmann::json::parse(line, nullptr, false);
  return object.is_object() ? object : nlohmann::json();
}

std::optional<Found> jsonTime(const nlohmann::json& object) {
  for (const char* key : {"_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP", "time", "ts",
                          "timestamp", "@timestamp", "t", "date"}) {
    const auto value = object.find(key);
    if (value == object.end()) continue;
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    if (const auto found = timeValue(text)) return found;
  }
  return {};
}

/// What a person would read of a JSON line.
std::string jsonText(const nlohmann::json& object) {
  std::string text;
  for (const char* key : {"MESSAGE", "msg", "message", "log", "err", "error"}) {
    const auto value = object.find(key);
    if (value == object.end() || !value->is_string()) continue;
    text += (text.empty() ? "" : ": ") + value->get<std::string>();
  }
  return text;
}

/// `SEVERE: Socket accept failed`: the second line of java.util.logging.
bool isJavaUtilMessage(std::string_view line) {
  const std::string_view level = line.substr(0, line.find(": "));
  return level == "SEVERE" || level == "WARNING" || level == "INFO" || level == "CONFIG" ||
         level == "FINE" || level == "FINER" || level == "FINEST";
}

/// A line that goes on with the entry that began with the line `entry`: of a stack trace.
bool isContinuation(std::string_view line, std::string_view entry) {
  if (line.empty()) return true;
  if (line[0] == ' ' || line[0] == '\t') return true;
  if (line.starts_with("Caused by:") || line.starts_with("Traceback ")) return true;
  if (isJavaUtilMessage(line) && javaUtilTime(entry)) return true;
  // `java.io.IOException: Too many open files`, `OSError: [Errno 24] Too many open files`
  const std::string_view word = line.substr(0, line.find_first_of(": "));
  return word.size() < line.size() && (word.ends_with("Exception") || word.ends_with("Error"));
}

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

int64_t floorTo(int64_t time_ns, int64_t width_ns) {
  const int64_t quotient = time_ns / width_ns;
  return time_ns % width_ns < 0 ? quotient - 1 : quotient;
}

/// The year with which a time is nearest to the recording.
std::optional<int64_t> withNearestYear(CivilTime time, std::pair<int64_t, int64_t> recorded_ns) {
  const auto [from_ns, to_ns] = recorded_ns;
  const auto year_of = [](int64_t ns) {
    const auto days = std::chrono::sys_days(std::chrono::days(floorTo(ns, kNsPerDay)));
    return static_cast<int>(std::chrono::year_month_day(days).year());
  };
  std::optional<int64_t> best;
  int64_t best_distance_ns = 0;
  for (time.year = year_of(from_ns) - 1; time.year <= year_of(to_ns) + 1; ++time.year) {
    const auto candidate = nanosecondsOf(time);
    if (!candidate) continue;  // the 29th of February
    const int64_t distance_ns = std::max({from_ns - *candidate, *candidate - to_ns, int64_t{0}});
    if (best && distance_ns >= best_distance_ns) continue;
    best = candidate;
    best_distance_ns = distance_ns;
  }
  return best;
}

}  // namespace

std::string_view markKindName(MarkKind kind) {
  switch (kind) {
    case MarkKind::Emfile:
      return "EMFILE";
    case MarkKind::Enfile:
      return "ENFILE";
    case MarkKind::AcceptError:
      return "accept-error";
    case MarkKind::Other:
      break;
  }
  return "other";
}

std::optional<LogScanner::Time> LogScanner::timeOf(std::string_view line) const {
  std::optional<Found> found;
  if (const auto object = parseJsonLine(line); !object.is_null()) found = jsonTime(object);
  for (const std::string_view key : {"ts", "time", "timestamp", "t"}) {
    if (found) break;
    if (const auto value = logfmtValue(line, key)) found = timeValue(*value);
  }
  if (!found) found = fromEpoch(epochTime(line));
  if (!found) found = glogTime(line);
  if (!found) found = firstTime(line);
  if (!found) return {};
  const bool has_zone = found->time.offset_s.has_value();
  if (!has_zone) found->time.offset_s = context_.offset_s;
  if (!found->has_year && !context_.recorded_ns) return {};
  const auto ns = found->has_year ? nanosecondsOf(found->time)
                                  : withNearestYear(found->time, *context_.recorded_ns);
  if (!ns) return {};
  return Time{.ns = *ns, .has_zone = has_zone, .has_year = found->has_year};
}

/// The time of a line, or of the entry that it is a part of.
std::optional<LogScanner::Time> LogScanner::timeOfEntry(std::string_view line) const {
  if (const auto time = timeOf(line)) return time;
  if (!entry_.empty() && isContinuation(line, entry_)) return timeOf(entry_);
  return {};
}

/// journalctl -o export: a field a line, an empty line after each entry.
void LogScanner::exportField(std::string_view line) {
  if (line.empty()) export_time_ns_.reset();
  for (const std::string_view key : {"__REALTIME_TIMESTAMP=", "_SOURCE_REALTIME_TIMESTAMP="}) {
    if (line.starts_with(key)) export_time_ns_ = epochTime(line.substr(key.size()));
  }
}

void LogScanner::line(std::string_view text) {
  ++result_.lines;
  if (!text.empty() && text.back() == '\r') text.remove_suffix(1);
  exportField(text);
  const bool is_export = export_time_ns_ && text.starts_with("MESSAGE=");
  // Of an entry of -o export only the message counts, and of JSON too where it has one.
  auto kind = export_time_ns_ && !is_export ? std::nullopt : kindOf(text);
  std::string message(is_export ? text.substr(text.find('=') + 1) : text);
  if (const auto object = kind ? parseJsonLine(text) : nlohmann::json(); !object.is_null()) {
    if (const std::string told = jsonText(object); !told.empty()) {
      message = told;
      kind = kindOf(message);
    }
  }
  if (kind) {
    ++result_.matched;
    const auto time =
        is_export ? std::optional(Time{*export_time_ns_, true, true}) : timeOfEntry(text);
    time ? add(*time, *kind, message) : void(++result_.without_time);
  }
  if (!isContinuation(text, entry_)) entry_ = text.substr(0, kTimeWithin);
}

void LogScanner::add(const Time& time, MarkKind kind, std::string_view text) {
  if (!time.has_zone) ++result_.without_zone;
  if (!time.has_year) ++result_.without_year;
  const auto [entry, is_new] = marks_.try_emplace({floorTo(time.ns, width_ns_), kind});
  Mark& mark = entry->second;
  if (is_new) {
    mark = {.time_ns = time.ns, .last_ns = time.ns, .kind = kind, .text = shortened(trimmed(text))};
    if (marks_.size() > kMaximumMarks) widen();
    return;
  }
  ++mark.count;
  mark.last_ns = std::max(mark.last_ns, time.ns);
  if (time.ns < mark.time_ns) {
    mark.time_ns = time.ns;
    mark.text = shortened(trimmed(text));
  }
}

/// Puts marks together until there are few enough.
void LogScanner::widen() {
  constexpr int64_t kFactor = 60;
  while (marks_.size() > kMaximumMarks &&
         width_ns_ < std::numeric_limits<int64_t>::max() / kFactor) {
    width_ns_ *= kFactor;
    std::map<std::pair<int64_t, MarkKind>, Mark> wider;
    for (auto& [key, mark] : marks_) {
      const auto [entry, is_new] =
          wider.try_emplace({floorTo(mark.time_ns, width_ns_), key.second}, mark);
      if (is_new) continue;
      entry->second.count += mark.count;
      entry->second.last_ns = std::max(entry->second.last_ns, mark.last_ns);
    }
    marks_ = std::move(wider);
  }
}

LogMarks LogScanner::take() {
  for (auto& [key, mark] : marks_)
    result_.marks.push_back(std::move(mark));
  marks_.clear();
  std::stable_sort(result_.marks.begin(), result_.marks.end(),
                   [](const Mark& a, const Mark& b) { return a.time_ns < b.time_ns; });
  return std::exchange(result_, {});
}

bool scanLog(std::istream& log, LogScanner& scanner) {
  std::string line;
  std::array<char, 65536> buffer{};
  bool has_line = false;
  while (true) {
    log.read(buffer.data(), buffer.size());
    std::string_view rest(buffer.data(), static_cast<size_t>(log.gcount()));
    while (!rest.empty()) {
      const size_t newline = rest.find('\n');
      const std::string_view part = rest.substr(0, newline);
      line += part.substr(0, kMaximumLine - std::min(kMaximumLine, line.size()));
      has_line = true;
      if (newline == std::string_view::npos) break;
      scanner.line(line);
      line.clear();
      has_line = false;
      rest.remove_prefix(newline + 1);
    }
    if (!log) break;
  }
  if (has_line) scanner.line(line);
  return log.eof() && !log.bad();
}

std::optional<Mark> parseMark(std::string_view text) {
  const auto time = parseTimePrefix(text);
  if (!time) return {};
  const std::string_view rest = text.substr(time->length);
  if (rest.empty() || rest[0] != ' ' || trimmed(rest).empty()) return {};
  return Mark{.time_ns = time->wall_ns,
              .last_ns = time->wall_ns,
              .kind = MarkKind::Other,
              .text = shortened(trimmed(rest))};
}

std::optional<int> parseZone(std::string_view text) {
  TimeScanner scanner(text);
  CivilTime time;
  if (text.starts_with(' ')) return {};
  scanner.zone(time);
  return scanner.position() == text.size() ? time.offset_s : std::nullopt;
}

}  // namespace fdmortem
