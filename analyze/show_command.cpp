#include "analyze/show_command.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <utility>
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

/// Says all that there is to say, with the archive and the path.
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

/// What is printed.
struct Shown {
  std::string bytes;
  std::vector<std::string> notes;  ///< what makes it doubtful, one line each
};

NotShown notShown(const ShowOptions& options, const std::string& reason) {
  return NotShown(options.path.empty()
                      ? fmt::format("{}: {}", options.database, reason)
                      : fmt::format("{}: {}: {}", options.database, options.path, reason));
}

/// Throws NotShown, and what is thrown by an archive that is damaged.
Shown readWhole(SQLite::Database& archive, const ShowOptions& options) {
  const int64_t snapshot = snapshotIn(archive, options);
  if (options.path.empty()) return {.bytes = listOf(archivedPaths(archive, snapshot)), .notes = {}};
  auto file = archivedFile(archive, snapshot, pathBelowProc(options.path), options.is_second);
  if (!file) throw notShown(options, file.error());
  return {.bytes = std::move(file->bytes), .notes = std::move(file->notes)};
}

/// The table of snapshots may be what is damaged. `damage`: why the rows are not used.
int64_t savedSnapshot(SQLite::Database& archive, const SavedTexts& texts,
                      const ShowOptions& options, const std::string& damage) {
  const std::string& name = options.snapshot;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) return number;
  const auto seen = texts.snapshots();
  if (!seen) throw notShown(options, "no text can be reached: " + damage);
  if (name == "first") return seen->first;
  if (name == "last") return seen->second;
  return snapshotIn(archive, options);
}

/// Without the rows. `damage`: why.
Shown readSaved(SQLite::Database& archive, const ShowOptions& options, const std::string& damage) {
  SavedTexts texts(archive);
  const int64_t snapshot = savedSnapshot(archive, texts, options, damage);
  Shown shown;
  if (options.path.empty()) {
    const auto paths = texts.paths(snapshot);
    if (!paths) throw notShown(options, paths.error());
    shown.bytes = listOf(*paths);
  } else {
    auto text = texts.text(snapshot, pathBelowProc(options.path), options.is_second);
    if (!text) throw notShown(options, text.error());
    shown.bytes = std::move(*text);
  }
  shown.notes = {fmt::format(
      "the archive is damaged: {}; this is of the texts of snapshot {}, which are as their digests "
      "say; rows were not used",
      damage, snapshot)};
  return shown;
}

Shown read(const PrivateCopy& copy, SQLite::Database& archive, const ShowOptions& options) {
  const std::string cut = copy.cutInWords();
  std::string damage;
  try {
    Shown shown = readWhole(archive, options);
    if (!cut.empty()) shown.notes.push_back("the archive is damaged: " + cut);
    return shown;
  } catch (const NotShown&) {
    throw;
  } catch (const UsageError&) {
    throw;
  } catch (const SQLite::Exception& error) {
    if (isLimit(error)) throw;
    damage = error.what();
  } catch (const std::runtime_error& error) {
    damage = error.what();
  }
  if (!cut.empty()) damage = cut;
  if (options.is_salvage) return readSaved(archive, options, damage);
  throw std::runtime_error(
      fmt::format("damaged: {}; --salvage shows what texts can be read", damage));
}

/// Names the archive in what is thrown.
Shown readArchive(const ShowOptions& options) {
  const PrivateCopy copy(options.database, options.is_salvage);
  LimitGuard limits(
      Limits(options.limits, static_cast<uint64_t>(copy.fileBytes() + copy.missingBytes())));
  if (options.is_salvage) copy.fill();
  try {
    ArchiveReader archive(copy.path(), limits);
    return read(copy, archive.database(), options);
  } catch (const NotShown&) {
    throw;
  } catch (const UsageError&) {
    throw;
  } catch (const std::exception& error) {
    const std::string cut = copy.cutInWords();
    throw std::runtime_error(fmt::format("{}: {}{}", options.database, limits.reasonOf(error),
                                         cut.empty() ? cut : "; " + cut));
  }
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
  const Shown shown = readArchive(options);
  print(options, shown.bytes);
  const std::string& subject = options.path.empty() ? options.database : options.path;
  for (const std::string& note : shown.notes)
    fmt::print(stderr, "fdanalyze: {}: {}\n", printable(subject), printable(note));
  if (!shown.notes.empty()) return kPartlyRead;
  if (options.path.empty()) {
    fmt::print(stderr,
               "fdanalyze: besides, PID/fd/N and PID/fdinfo/N of each fd N that PID/fd lists\n");
  }
  return 0;
}

}  // namespace fdmortem
