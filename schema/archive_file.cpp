#include "schema/archive_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "schema/file_handle.h"
#include "schema/format.h"
#include "schema/sql.h"

namespace fdmortem {
namespace {

constexpr std::string_view kMagic("SQLite format 3\0", 16);

/// Of the whole file, by its header; a page size of 65536 is written as 1.
int64_t sizeInHeader(const unsigned char* header) {
  const int64_t page_size = header[16] << 8 | header[17];
  const int64_t page_count =
      int64_t{header[28]} << 24 | header[29] << 16 | header[30] << 8 | header[31];
  return (page_size == 1 ? 65536 : page_size) * page_count;
}

int32_t bigEndian32(const unsigned char* bytes) {
  return static_cast<int32_t>(uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
                              uint32_t{bytes[2]} << 8 | uint32_t{bytes[3]});
}

/// What archives are sent in is the likeliest mistake.
const char* notSqlite(const unsigned char* header) {
  constexpr std::array<std::string_view, 3> kCompressed = {"\x1f\x8b",
                                                           "\xfd"
                                                           "7zXZ",
                                                           "\x28\xb5\x2f\xfd"};
  for (const std::string_view magic : kCompressed) {
    if (memcmp(header, magic.data(), magic.size()) == 0) {
      return "a compressed file, not a database: unpack it first";
    }
  }
  return "not an SQLite database, so no archive of fdcapture";
}

std::vector<std::string> schemaOf(SQLite::Database& database) {
  std::vector<std::string> entries;
  SQLite::Statement query(
      database, "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY 1, 2");
  while (query.executeStep()) {
    entries.push_back(fmt::format("{} {} {} {}", query.getColumn(0).getString(),
                                  query.getColumn(1).getString(), query.getColumn(2).getString(),
                                  query.getColumn(3).getString()));
  }
  return entries;
}

/// The same of an archive as it should be, by the statements that make it. SQLite keeps them as
/// they are written; to have it run them would take longer than all else at the start of a program.
std::vector<std::string> expectedSchema() {
  constexpr std::string_view kCreate = "CREATE TABLE ";
  std::vector<std::string> entries;
  for (const auto& file : sql::archive()) {
    std::string_view rest = file.text;
    for (size_t begin = rest.find(kCreate); begin != rest.npos; begin = rest.find(kCreate)) {
      rest.remove_prefix(begin);
      const std::string_view statement = rest.substr(0, rest.find(';'));
      const std::string_view from_name = statement.substr(kCreate.size());
      const std::string_view name = from_name.substr(0, from_name.find(' '));
      entries.push_back(fmt::format("table {} {} {}", name, name, statement));
      rest.remove_prefix(statement.size());
    }
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

}  // namespace

tl::expected<ArchiveHeader, std::string> readArchiveHeader(const std::string& path,
                                                           bool takes_cut) {
  // O_NONBLOCK: a fifo by that name must not hang the program.
  FileHandle file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return tl::unexpected(std::string(strerror(errno)));
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return tl::unexpected(std::string(strerror(errno)));
  if (!S_ISREG(status.st_mode)) return tl::unexpected(std::string("not a regular file"));
  if (status.st_size == 0)
    return tl::unexpected(std::string("an empty file, not a database, so no archive of fdcapture"));

  std::array<unsigned char, 100> header{};
  const ssize_t length = pread(file.get(), header.data(), header.size(), 0);
  if (length < 0) return tl::unexpected(std::string(strerror(errno)));
  if (static_cast<size_t>(length) < header.size() ||
      memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    return tl::unexpected(std::string(notSqlite(header.data())));
  }
  if (bigEndian32(&header[68]) != kApplicationId) {
    return tl::unexpected(
        std::string("an SQLite database of another program, so no archive of fdcapture"));
  }
  const int32_t version = bigEndian32(&header[60]);
  if (version != kFormatVersion) {
    return tl::unexpected(fmt::format(
        "archive format version {}; this program knows version {}: {} fdmortem reads it", version,
        kFormatVersion, version > kFormatVersion ? "a newer" : "an older"));
  }
  const bool is_wal = header[18] == 2 || header[19] == 2;
  // SQLite takes what is missing of the last page for zeros. In write-ahead mode pages may be in
  // the -wal alone.
  const int64_t size = sizeInHeader(header.data());
  if (status.st_size > kMaximumArchiveBytes || (takes_cut && size > kMaximumArchiveBytes)) {
    return tl::unexpected(std::string("larger than 4 GiB, the most that is read"));
  }
  if (!takes_cut && !is_wal && status.st_size < size) {
    return tl::unexpected(
        fmt::format("cut: {} of {} bytes are there", int64_t{status.st_size}, size));
  }
  return ArchiveHeader{.is_wal = is_wal, .file_bytes = status.st_size, .whole_bytes = size};
}

std::string schemaDifference(SQLite::Database& database) {
  const auto ours = expectedSchema();
  const auto theirs = schemaOf(database);
  for (size_t i = 0; i < ours.size(); ++i) {
    if (i >= theirs.size()) return "the schema lacks a table of this format version";
    if (ours[i] != theirs[i]) return "the schema is not the one of this format version";
  }
  if (theirs.size() > ours.size()) return "the schema holds more than this format version";
  return {};
}

void createArchiveTables(SQLite::Database& database) {
  for (const auto& file : sql::archive())
    database.exec(std::string(file.text));
  database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  database.exec(fmt::format("PRAGMA user_version = {}", kFormatVersion));
}

}  // namespace fdmortem
