#include "analyze/show_command.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "analyze/archives.h"
#include "analyze/evidence/archived_file.h"
#include "analyze/evidence/saved_texts.h"
#include "analyze/import/archive_reader.h"
#include "analyze/import/private_copy.h"
#include "analyze/output.h"
#include "analyze/snapshot_name.h"
#include "schema/archive_file.h"
#include "schema/command_line/exit_status.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

/// Ends with one line, and nothing else could be shown instead.
class NotShown : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

int64_t snapshotIn(SQLite::Database& archive, const ShowOptions& options) {
  const auto ask = [&](const std::string& sql, std::optional<int64_t> value) {
    SQLite::Statement query(archive, sql);
    if (value) query.bind(1, *value);
    const bool is_there = query.executeStep() && !query.isColumnNull(0);
    return is_there ? std::optional(query.getColumn(0).getInt64()) : std::nullopt;
  };
  try {
    return snapshotNumber(options.snapshot, options.database, ask);
  } catch (const SQLite::Exception&) {
    throw;
  } catch (const UsageError&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw NotShown(error.what());
  }
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

std::string listOf(const std::vector<ArchivedPath>& paths) {
  std::string text;
  for (const auto& [path, bytes, is_second] : paths) {
    text += fmt::format("{:>10}  {}{}\n", bytes, printable(path),
                        is_second ? "  (read again: --again)" : "");
  }
  return text;
}

/// As one copies it from a shell.
std::string pathBelowProc(const std::string& path) {
  return path.starts_with("/proc/") ? path.substr(6) : path;
}

int showWhole(SQLite::Database& archive, const ShowOptions& options) {
  const int64_t snapshot = snapshotIn(archive, options);
  if (options.path.empty()) {
    print(options, listOf(archivedPaths(archive, snapshot)));
    fmt::print(stderr,
               "fdanalyze: besides, PID/fd/N and PID/fdinfo/N of each fd N that PID/fd lists\n");
    return 0;
  }
  const auto file = archivedFile(archive, snapshot, pathBelowProc(options.path), options.is_second);
  if (!file)
    throw NotShown(fmt::format("{}: {}: {}", options.database, options.path, file.error()));
  print(options, file->bytes);
  for (const std::string& note : file->notes)
    fmt::print(stderr, "fdanalyze: {}: {}\n", printable(options.path), printable(note));
  return file->notes.empty() ? 0 : kPartlyRead;
}

/// The table of snapshots may be what is damaged.
int64_t savedSnapshot(SQLite::Database& archive, const SavedTexts& texts,
                      const ShowOptions& options) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(
      options.snapshot.data(), options.snapshot.data() + options.snapshot.size(), number);
  if (error == std::errc() && end == options.snapshot.data() + options.snapshot.size())
    return number;
  const auto seen = texts.snapshots();
  if (!seen) throw NotShown(options.database + ": no text can be reached");
  if (options.snapshot == "first") return seen->first;
  if (options.snapshot == "last") return seen->second;
  return snapshotIn(archive, options);
}

/// Without the rows. `damage`: why.
int showSaved(SQLite::Database& archive, const ShowOptions& options, const std::string& damage) {
  SavedTexts texts(archive);
  const int64_t snapshot = savedSnapshot(archive, texts, options);
  if (options.path.empty()) {
    const auto paths = texts.paths(snapshot);
    if (!paths) throw NotShown(fmt::format("{}: {}", options.database, paths.error()));
    print(options, listOf(*paths));
  } else {
    const auto text = texts.text(snapshot, pathBelowProc(options.path), options.is_second);
    if (!text)
      throw NotShown(fmt::format("{}: {}: {}", options.database, options.path, text.error()));
    print(options, *text);
  }
  fmt::print(stderr,
             "fdanalyze: {}: damaged: {}; this is of the texts of snapshot {}, which are as their "
             "digests say; rows were not used\n",
             printable(options.database), printable(damage), snapshot);
  return kPartlyRead;
}

int show(const PrivateCopy& copy, const LimitGuard& limits, ArchiveReader& archive,
         const ShowOptions& options) {
  std::string damage;
  try {
    return showWhole(archive.database(), options);
  } catch (const NotShown&) {
    throw;
  } catch (const UsageError&) {
    throw;
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw std::runtime_error(options.database + ": " + limits.reasonOf(error));
    damage = error.what();
  } catch (const std::runtime_error& error) {
    damage = error.what();
  }
  if (copy.missingBytes() > 0)
    damage = fmt::format("it is cut, {} bytes are missing", copy.missingBytes());
  if (options.is_salvage) return showSaved(archive.database(), options, damage);
  throw std::runtime_error(fmt::format("{}: damaged: {}; --salvage shows what texts can be read",
                                       options.database, damage));
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
  const PrivateCopy copy(options.database, options.is_salvage);
  LimitGuard limits(
      Limits(options.limits, static_cast<uint64_t>(copy.fileBytes() + copy.missingBytes())));
  if (options.is_salvage) copy.fill();
  std::optional<ArchiveReader> archive;
  try {
    archive.emplace(copy.path(), limits);
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{}: {}", options.database, limits.reasonOf(error)));
  }
  return show(copy, limits, *archive, options);
}

}  // namespace fdmortem
