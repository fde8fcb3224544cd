#include "analyze/import/mark_import.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "schema/printable.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

struct SourcedMark {
  Mark mark;
  std::string source;  ///< empty: by hand
};

/// Whether a file that begins so is compressed (gzip, zstd, xz, bzip2) or UTF-16. A NUL is no sign:
/// logs that were truncated while they were written begin with many.
bool isNoText(std::string_view beginning) {
  constexpr std::array<std::string_view, 6> kMagic = {"\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd\x37zXZ",
                                                      "BZh",      "\xff\xfe",         "\xfe\xff"};
  return std::any_of(kMagic.begin(), kMagic.end(),
                     [&](std::string_view magic) { return beginning.starts_with(magic); });
}

/// Throws std::runtime_error where a regular file is none. What comes through a pipe can't be read
/// twice.
void requireText(const std::string& path, std::ifstream& file) {
  if (!std::filesystem::is_regular_file(path)) return;
  std::array<char, 8> bytes;
  file.read(bytes.data(), bytes.size());
  if (isNoText({bytes.data(), static_cast<size_t>(file.gcount())})) {
    throw std::runtime_error(path +
                             ": is compressed, or not UTF-8: give it as text, as in "
                             "'zcat FILE | fdanalyze report DB --log -'");
  }
  file.clear();
  file.seekg(0);
}

LogMarks readLog(const std::string& path, const LogContext& context) {
  LogScanner scanner(context);
  bool is_read = false;
  if (path == "-") {
    is_read = scanLog(std::cin, scanner);
  } else {
    // Reading a folder fails without a reason that C++ streams would tell.
    if (std::filesystem::is_directory(path)) {
      throw std::system_error(EISDIR, std::generic_category(), path);
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::system_error(errno, std::generic_category(), path);
    requireText(path, file);
    is_read = scanLog(file, scanner);
  }
  if (!is_read) throw std::system_error(EIO, std::generic_category(), path);
  return scanner.take();
}

std::optional<std::pair<int64_t, int64_t>> recordedTime(SQLite::Database& analysis) {
  SQLite::Statement query(analysis, "SELECT min(wall_ns), max(wall_ns) FROM snapshot");
  query.executeStep();
  if (query.isColumnNull(0)) return {};
  return std::pair(query.getColumn(0).getInt64(), query.getColumn(1).getInt64());
}

void storeLog(const std::string& path, const LogMarks& log, int offset_s,
              SQLite::Database& analysis) {
  SQLite::Statement insert(analysis, "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, printable(path));
  insert.bind(2, log.lines);
  insert.bind(3, log.matched);
  insert.bind(4, log.without_time);
  insert.bind(5, log.without_zone);
  insert.bind(6, log.without_year);
  insert.bind(7, offset_s);
  insert.exec();
}

void storeMark(const SourcedMark& entry, SQLite::Statement& insert) {
  const Mark& mark = entry.mark;
  insert.reset();
  insert.clearBindings();
  insert.bind(1, formatTime(mark.time_ns));
  insert.bind(2, mark.time_ns);
  insert.bind(3, formatTime(mark.last_ns));
  insert.bind(4, std::string(markKindName(mark.kind)));
  if (!entry.source.empty()) insert.bind(5, printable(entry.source));
  insert.bind(6, mark.count);
  insert.bind(7, printable(mark.text));
  insert.exec();
}

std::vector<std::string> namesOf(const std::string& path, SQLite::Database& analysis) {
  std::vector<std::string> names = {path};
  SQLite::Statement query(analysis, "SELECT DISTINCT host_name FROM recording");
  while (query.executeStep())
    names.push_back(query.getColumn(0).getString());
  return names;
}

}  // namespace

std::optional<std::string> logFileOf(const std::string& log, const std::vector<std::string>& names,
                                     bool needs_host) {
  for (const std::string& name : names) {
    if (log.size() > name.size() + 1 && log.starts_with(name) && log[name.size()] == '=')
      return log.substr(name.size() + 1);
  }
  return needs_host ? std::nullopt : std::optional(log);
}

void importMarks(const MarkOptions& options, const std::string& path, SQLite::Database& analysis) {
  std::vector<SourcedMark> all;
  for (const Mark& mark : options.marks)
    all.push_back({mark, ""});
  const LogContext context{.offset_s = options.log_offset_s, .recorded_ns = recordedTime(analysis)};
  const std::vector<std::string> names = namesOf(path, analysis);
  for (const std::string& given : options.logs) {
    const std::optional<std::string> file = logFileOf(given, names, options.needs_host);
    if (!file) continue;
    LogMarks log = readLog(*file, context);
    storeLog(*file, log, options.log_offset_s, analysis);
    for (Mark& mark : log.marks)
      all.push_back({std::move(mark), *file});
  }
  std::stable_sort(all.begin(), all.end(), [](const SourcedMark& a, const SourcedMark& b) {
    return a.mark.time_ns < b.mark.time_ns;
  });
  SQLite::Statement insert(
      analysis,
      "INSERT INTO mark (at, at_ns, last_at, kind, source, count, text, snapshot)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT id FROM snapshot WHERE wall_ns <= ?2"
      " ORDER BY wall_ns DESC, id DESC LIMIT 1))");
  for (const SourcedMark& entry : all)
    storeMark(entry, insert);
}

}  // namespace fdmortem
