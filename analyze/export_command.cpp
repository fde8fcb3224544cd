#include "analyze/export_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <SQLiteCpp/Exception.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <sqlite3.h>

#include "analyze/archives.h"
#include "analyze/temporary.h"
#include "schema/file_handle.h"
#include "schema/printable.h"

namespace fdmortem {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(int error, const std::string& path) {
  throw std::system_error(error, std::generic_category(), path);
}

void sync(const std::string& path) {
  const FileHandle file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || fsync(file.get()) != 0) fail(errno, path);
}

/// Where the output is written until it is whole: a folder beside it that goes with this object.
class Workplace {
 public:
  explicit Workplace(std::string output) : output_(std::move(output)) {
    while (output_.size() > 1 && output_.ends_with('/'))
      output_.pop_back();
    if (fs::symlink_status(output_).type() != fs::file_type::not_found) fail(EEXIST, output_);
    std::string folder = output_ + ".partial-XXXXXX";
    const SignalsHeld held;
    if (mkdtemp(folder.data()) == nullptr) fail(errno, output_);
    folder_.emplace(folder);
  }

  std::string path() const { return folder_->path() + "/export"; }

  /// Puts it in its place.
  void publish() const {
    const std::string from = path();
    // Names, addresses and command lines of a host.
    chmod(from.c_str(), fs::is_directory(from) ? 0700 : 0600);
    if (fs::is_directory(from)) {
      for (const auto& entry : fs::directory_iterator(from))
        sync(entry.path());
    }
    sync(from);
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, output_.c_str(), RENAME_NOREPLACE) == 0) return;
    // Not every file system can do that.
    if (errno != EINVAL) fail(errno, output_);
    if (fs::symlink_status(output_).type() != fs::file_type::not_found) fail(EEXIST, output_);
    if (rename(from.c_str(), output_.c_str()) != 0) fail(errno, output_);
  }

 private:
  std::string output_;
  std::optional<Temporary> folder_;
};

/// What `fdanalyze sql` offers and is documented. `diff` is of any two snapshots:
/// of all of them it would have no end.
std::vector<std::string> tableNames(const Analysis& analysis) {
  const ResultTable rows = analysis.query(
      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT GLOB '_*'"
      " AND name NOT GLOB 'sqlite*' AND name <> 'diff' ORDER BY name");
  std::vector<std::string> names;
  for (const auto& row : rows.rows)
    names.push_back(std::get<std::string>(row.at(0)));
  return names;
}

/// What of a table is of these processes. What is of no process stays.
std::string conditionOn(const std::string& table, const std::vector<std::string>& columns,
                        const std::vector<int64_t>& processes) {
  const std::string list = fmt::format("{}", fmt::join(processes, ","));
  const auto has = [&](const char* name) {
    return std::find(columns.begin(), columns.end(), name) != columns.end();
  };
  if (has("process")) return fmt::format(" WHERE process IN ({})", list);
  if (table == "process") return fmt::format(" WHERE id IN ({})", list);
  if (table == "verdict_span") {
    return fmt::format(" WHERE id IN (SELECT id FROM fd_span WHERE process IN ({}))", list);
  }
  if (has("pid")) {
    return fmt::format(
        " WHERE pid IS NULL OR pid IN (SELECT pid FROM processes WHERE process IN ({}))", list);
  }
  return {};
}

void exportTable(const Analysis& analysis, const std::string& table, const ProcessFilter& filter,
                 int64_t database, ExportWriter& writer) {
  const std::string all = "SELECT * FROM " + table;
  const auto columns = analysis.query(all + " LIMIT 0").columns;
  const std::string condition =
      filter.isOpen() ? "" : conditionOn(table, columns, processesOf(analysis, filter));
  std::vector<Value> line;
  analysis.stream(
      all + condition, {},
      [&](std::vector<std::string> names) {
        names.insert(names.begin(), "database");
        writer.begin(table, names);
      },
      [&](const std::vector<Value>& row) {
        line.assign(1, database);
        line.insert(line.end(), row.begin(), row.end());
        writer.row(line);
      });
}

std::vector<Value> describe(const Analysis& analysis, int64_t id) {
  const auto rows = analysis
                        .query(
                            "SELECT host_name, boot_id, kernel_release, (SELECT min(taken_at)"
                            " FROM snapshot), (SELECT max(taken_at) FROM snapshot)"
                            " FROM recording ORDER BY id DESC LIMIT 1")
                        .rows;
  std::vector<Value> row = {id, printable(analysis.path()), analysis.sha256()};
  const std::vector<Value> unknown(5);
  const auto& host = rows.empty() ? unknown : rows.front();
  row.insert(row.end(), host.begin(), host.end());
  return row;
}

}  // namespace

namespace {

int exportAll(const ExportOptions& options) {
  const Workplace workplace(options.output);
  const auto writer = makeExportWriter(options.format, workplace.path());
  std::vector<std::vector<Value>> databases;
  const int status =
      forEachArchive(options.databases, options.analysis, true, [&](const Analysis& analysis) {
        const auto id = static_cast<int64_t>(databases.size()) + 1;
        databases.push_back(describe(analysis, id));
        ProgressLine progress(analysis.path(), writeToTerminal());
        const std::vector<std::string> tables = tableNames(analysis);
        for (size_t i = 0; i < tables.size(); ++i) {
          progress.show("writing", static_cast<int>(100 * i / tables.size()));
          exportTable(analysis, tables[i], options.processes, id, *writer);
        }
      });
  writer->begin("databases",
                {"id", "path", "sha256", "host", "boot_id", "kernel", "first_at", "last_at"});
  for (const auto& row : databases)
    writer->row(row);
  writer->finish();
  workplace.publish();
  return status;
}

[[noreturn]] void failWithoutRoom(const std::string& output) {
  throw std::runtime_error(
      fmt::format("{}: there is no room for it in its folder; nothing was left behind", output));
}

}  // namespace

int runExport(const ExportOptions& options) {
  try {
    return exportAll(options);
  } catch (const SQLite::Exception& error) {
    if ((error.getErrorCode() & 0xff) != SQLITE_FULL) throw;
    failWithoutRoom(options.output);
  } catch (const std::system_error& error) {
    if (error.code() != std::errc::no_space_on_device) throw;
    failWithoutRoom(options.output);
  }
}

}  // namespace fdmortem
