#include "capture/archive/redact_archive.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "capture/archive/chain_writer.h"
#include "capture/text_content.h"
#include "schema/evidence/text_bundle.h"
#include "schema/evidence/text_codec.h"

namespace fdmortem {
namespace {

/// A column that refers to `text`.
struct TextColumn {
  const char* table;
  const char* column;
};

constexpr TextColumn kPathColumns[] = {
    {"process_change", "exe"}, {"process_change", "cgroup"}, {"fd_change", "link_text"}};
constexpr TextColumn kSocketNameColumns[] = {{"unix_change", "path"}};
constexpr TextColumn kCmdlineColumns[] = {{"process_change", "cmdline"}};
/// The others: what only the ones above refer to goes.
constexpr TextColumn kOtherColumns[] = {{"process_change", "comm"},
                                        {"limit_change", "resource"},
                                        {"limit_change", "unit"},
                                        {"fd_change", "protocol"},
                                        {"fd_change", "detail"}};

using Pseudonym = std::function<std::string(std::string_view)>;

std::string_view bytesOf(const SQLite::Column& column) {
  return {static_cast<const char*>(column.getBlob()), static_cast<size_t>(column.getBytes())};
}

void bindBytes(SQLite::Statement& statement, int index, std::string_view bytes) {
  statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

/// Gives each text that a column refers to another row with its pseudonym: the same text can also
/// be the value of a column that is not redacted.
void redactColumn(SQLite::Database& archive, const TextColumn& where, const Pseudonym& pseudonym) {
  struct Replacement {
    int64_t id, snapshot, new_id;
    std::string text;
  };
  std::vector<Replacement> replacements;
  int64_t next_id = archive.execAndGet("SELECT coalesce(max(id), 0) + 1 FROM text").getInt64();
  SQLite::Statement texts(archive, fmt::format("SELECT id, snapshot, value FROM text WHERE id IN "
                                               "(SELECT {} FROM {}) ORDER BY id",
                                               where.column, where.table));
  while (texts.executeStep()) {
    replacements.push_back({texts.getColumn(0).getInt64(), texts.getColumn(1).getInt64(), next_id++,
                            pseudonym(bytesOf(texts.getColumn(2)))});
  }
  archive.exec("CREATE TEMP TABLE replacement (id INTEGER PRIMARY KEY, new_id INTEGER)");
  SQLite::Statement insert(archive, "INSERT INTO text VALUES (?, ?, ?)");
  SQLite::Statement note(archive, "INSERT INTO temp.replacement VALUES (?, ?)");
  for (const Replacement& replacement : replacements) {
    insert.reset();
    insert.bind(1, replacement.new_id);
    insert.bind(2, replacement.snapshot);
    bindBytes(insert, 3, replacement.text);
    insert.exec();
    note.reset();
    note.bind(1, replacement.id);
    note.bind(2, replacement.new_id);
    note.exec();
  }
  archive.exec(
      fmt::format("UPDATE {0} SET {1} = (SELECT new_id FROM temp.replacement r WHERE r.id = {1}) "
                  "WHERE {1} IS NOT NULL",
                  where.table, where.column));
  archive.exec("DROP TABLE temp.replacement");
}

void dropUnusedTexts(SQLite::Database& archive) {
  std::string used;
  const auto add = [&](const auto& columns) {
    for (const TextColumn& where : columns) {
      used += fmt::format("{}SELECT {} FROM {} WHERE {} IS NOT NULL", used.empty() ? "" : " UNION ",
                          where.column, where.table, where.column);
    }
  };
  add(kPathColumns);
  add(kSocketNameColumns);
  add(kCmdlineColumns);
  add(kOtherColumns);
  archive.exec("DELETE FROM text WHERE id NOT IN (" + used + ")");
}

/// Rows of a table stay in the order of their snapshots, which dropping them relies on.
void sortTexts(SQLite::Database& archive) {
  archive.exec(
      "CREATE TEMP TABLE place (id INTEGER PRIMARY KEY, new_id INTEGER);"
      "INSERT INTO temp.place SELECT id, row_number() OVER (ORDER BY snapshot, id) FROM text;"
      "CREATE TEMP TABLE sorted AS SELECT p.new_id AS id, t.snapshot, t.value FROM text t "
      "JOIN temp.place p USING (id);"
      "DELETE FROM text;"
      "INSERT INTO text SELECT id, snapshot, value FROM temp.sorted ORDER BY id;");
  const auto renumber = [&](const auto& columns) {
    for (const TextColumn& where : columns) {
      archive.exec(
          fmt::format("UPDATE {0} SET {1} = (SELECT new_id FROM temp.place p WHERE p.id = {1}) "
                      "WHERE {1} IS NOT NULL",
                      where.table, where.column));
    }
  };
  renumber(kPathColumns);
  renumber(kSocketNameColumns);
  renumber(kCmdlineColumns);
  renumber(kOtherColumns);
  archive.exec("DROP TABLE temp.place; DROP TABLE temp.sorted;");
}

void redactAddresses(SQLite::Database& archive, Redactor& redactor) {
  std::vector<std::pair<int64_t, IpAddress>> addresses;
  SQLite::Statement query(archive, "SELECT id, value FROM address");
  while (query.executeStep()) {
    const std::string_view bytes = bytesOf(query.getColumn(1));
    IpAddress address{.length = static_cast<uint8_t>(std::min<size_t>(bytes.size(), 16))};
    std::copy_n(bytes.begin(), address.length, address.bytes.begin());
    addresses.emplace_back(query.getColumn(0).getInt64(), redactor.address(address));
  }
  SQLite::Statement update(archive, "UPDATE address SET value = ? WHERE id = ?");
  for (const auto& [id, address] : addresses) {
    update.reset();
    bindBytes(update, 1, address.view());
    update.bind(2, id);
    update.exec();
  }
}

/// The texts without those that hold what is redacted now; the others are compressed anew.
void redactTexts(SQLite::Database& archive, const Redaction& redaction) {
  TextEncoder encoder;
  std::string before, now;  // part 1 as it was, and as it is to be
  SQLite::Statement rowids(archive, "SELECT rowid FROM verbatim ORDER BY rowid");
  SQLite::Statement select(archive,
                           "SELECT part, base IS NULL, size, frame FROM verbatim WHERE rowid = ?");
  SQLite::Statement update(archive,
                           "UPDATE verbatim SET size = ?, digest = ?, frame = ? WHERE rowid = ?");
  while (rowids.executeStep()) {
    const int64_t rowid = rowids.getColumn(0).getInt64();
    select.reset();
    select.bind(1, rowid);
    select.executeStep();
    const bool is_first = select.getColumn(0).getInt() == 1;
    const bool stands_alone = select.getColumn(1).getInt() == 1;
    const auto text = decodeText(bytesOf(select.getColumn(3)),
                                 static_cast<size_t>(select.getColumn(2).getInt64()),
                                 stands_alone ? std::string_view() : before);
    if (!text) throw std::runtime_error(fmt::format("a text is damaged: {}", text.error()));
    const auto entries = parseTextBundle(text->view());
    if (!entries) throw std::runtime_error(fmt::format("a text is damaged: {}", entries.error()));
    TextBundle kept;
    for (const BundledText& entry : *entries) {
      if (isKept(textContentOf(entry.path), redaction)) kept.add(entry.path, entry.text);
    }
    const std::string frame = encoder.encode(kept.bytes(), stands_alone ? std::string_view() : now);
    update.reset();
    update.bind(1, static_cast<int64_t>(kept.bytes().size()));
    const Digest digest = digestOf(kept.bytes());
    bindBytes(update, 2, fdmortem::bytesOf(digest));
    bindBytes(update, 3, frame);
    update.bind(4, rowid);
    update.exec();
    if (!is_first) continue;
    before = text->view();
    now = kept.bytes();
  }
}

/// The command line of fdcapture itself, and what is redacted now.
void redactRecordings(SQLite::Database& archive, const Redactor& redactor) {
  struct Row {
    int64_t id;
    std::string options, redacted;
  };
  std::vector<Row> rows;
  SQLite::Statement query(archive, "SELECT id, options, coalesce(redacted, '') FROM recording");
  while (query.executeStep()) {
    auto array = nlohmann::json::parse(query.getColumn(1).getString(), nullptr, false);
    nlohmann::json redacted = nlohmann::json::array();
    for (const auto& option : array) {
      if (option.is_string()) redacted.push_back(redactor.argument(option.get<std::string>()));
    }
    // What was redacted when it was recorded stays so.
    Redaction all = redactor.redaction();
    const std::string before = query.getColumn(2).getString();
    all.cmdline |= before.find("cmdline") != std::string::npos;
    all.paths |= before.find("paths") != std::string::npos;
    all.addresses |= before.find("addresses") != std::string::npos;
    rows.push_back({query.getColumn(0).getInt64(),
                    redacted.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
                    all.names()});
  }
  SQLite::Statement update(archive, "UPDATE recording SET options = ?, redacted = ? WHERE id = ?");
  for (const Row& row : rows) {
    update.reset();
    update.bind(1, row.options);
    update.bind(2, row.redacted);
    update.bind(3, row.id);
    update.exec();
  }
}

}  // namespace

void redactArchive(SQLite::Database& archive, const Redaction& redaction) {
  Redactor redactor(redaction);
  SQLite::Transaction transaction(archive);
  if (redaction.paths) {
    for (const TextColumn& where : kPathColumns)
      redactColumn(archive, where, [&](std::string_view path) { return redactor.path(path); });
    for (const TextColumn& where : kSocketNameColumns)
      redactColumn(archive, where,
                   [&](std::string_view name) { return redactor.socketName(name); });
    archive.exec("UPDATE fd_change SET detail = NULL");  // it can name files
  }
  if (redaction.cmdline) {
    for (const TextColumn& where : kCmdlineColumns)
      redactColumn(archive, where, [&](std::string_view text) { return redactor.cmdline(text); });
  }
  if (redaction.paths || redaction.cmdline) {
    dropUnusedTexts(archive);
    sortTexts(archive);
  }
  if (redaction.addresses) redactAddresses(archive, redactor);
  redactTexts(archive, redaction);
  redactRecordings(archive, redactor);
  rewriteChain(archive);
  transaction.commit();
}

}  // namespace fdmortem
