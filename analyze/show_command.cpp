#include "analyze/show_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string_view>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/archives.h"
#include "analyze/evidence/archived_file.h"
#include "analyze/import/archive_reader.h"
#include "analyze/import/private_copy.h"
#include "analyze/output.h"
#include "analyze/snapshot_name.h"
#include "schema/archive_file.h"
#include "schema/command_line/exit_status.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

int64_t snapshotIn(SQLite::Database& archive, const ShowOptions& options) {
  return snapshotNumber(options.snapshot, options.database,
                        [&](const std::string& sql, std::optional<int64_t> value) {
                          SQLite::Statement query(archive, sql);
                          if (value) query.bind(1, *value);
                          const bool is_there = query.executeStep() && !query.isColumnNull(0);
                          return is_there ? std::optional(query.getColumn(0).getInt64())
                                          : std::nullopt;
                        });
}

void writeTo(const std::string& path, std::string_view bytes) {
  if (readArchiveHeader(path)) {
    throw UsageError(fmt::format("{}: is an archive; the file would take its place", path));
  }
  writeToFile(path, bytes);
}

void print(const ShowOptions& options, std::string_view bytes) {
  if (!options.output.empty()) return writeTo(options.output, bytes);
  writeToStdout(::isatty(STDOUT_FILENO) == 1 ? forTerminal(bytes) : std::string(bytes));
}

std::string listOf(SQLite::Database& archive, int64_t snapshot) {
  std::string text;
  for (const auto& [path, bytes, is_second] : archivedPaths(archive, snapshot)) {
    text += fmt::format("{:>10}  {}{}\n", bytes, printable(path),
                        is_second ? "  (read again: --again)" : "");
  }
  return text;
}

}  // namespace

std::string forTerminal(std::string_view bytes) {
  std::string text;
  size_t begin = 0;
  while (begin < bytes.size()) {
    const size_t end = std::min(bytes.find_first_of("\n\t", begin), bytes.size());
    text += printable(bytes.substr(begin, end - begin));
    if (end < bytes.size()) text += bytes[end];
    begin = end + 1;
  }
  // The prompt comes on a line of its own.
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

int runShow(const ShowOptions& options) {
  const PrivateCopy copy(options.database);
  LimitGuard limits(Limits(options.limits, static_cast<uint64_t>(copy.fileBytes())));
  ArchiveReader archive(copy.path(), limits);
  const int64_t snapshot = snapshotIn(archive.database(), options);
  if (options.path.empty()) {
    print(options, listOf(archive.database(), snapshot));
    fmt::print(stderr,
               "fdanalyze: besides, PID/fd/N and PID/fdinfo/N of each fd N that PID/fd lists\n");
    return 0;
  }
  // As one copies it from a shell.
  const std::string path =
      options.path.starts_with("/proc/") ? options.path.substr(6) : options.path;
  const auto file = archivedFile(archive.database(), snapshot, path, options.is_second);
  if (!file) throw std::runtime_error(fmt::format("{}: {}", options.path, file.error()));
  print(options, file->bytes);
  for (const std::string& note : file->notes)
    fmt::print(stderr, "fdanalyze: {}: {}\n", printable(options.path), printable(note));
  return file->notes.empty() ? 0 : kPartlyRead;
}

}  // namespace fdmortem
