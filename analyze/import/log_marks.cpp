#include "analyze/import/log_marks.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <initializer_list>
#include <limits>
#include <utility>

#include <nlohmann/json.hpp>

#include "analyze/import/log_time.h"
#include "analyze/shorten.h"
#include "schema/time_scan.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

constexpr size_t kMaximumLine = 65536;
constexpr size_t kMaximumMarks = 500;

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
  const auto is_part = [&](size_t at) {
    return std::isalnum(static_cast<unsigned char>(text[at])) != 0;
  };
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !is_part(at - 1)) && (end == text.size() || !is_part(end))) {
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
  auto found = findLogTime(line);
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
  if (!isContinuation(text, entry_)) entry_ = text.substr(0, kLogTimeWithin);
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
