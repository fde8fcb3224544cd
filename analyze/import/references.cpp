#include "analyze/import/references.h"

#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

namespace fdmortem {
namespace {

/// For each of the values the number of one that is alike.
References::Numbers firstAlike(const References::Values& values) {
  std::unordered_map<std::string_view, int64_t> known;
  References::Numbers result;
  for (const auto& [id, value] : values)
    result[id] = known.emplace(value, id).first->second;
  return result;
}

}  // namespace

void References::readTexts(const ArchiveRows& archive) {
  archive.forEach("text", [&](const RowReader& rows) {
    const std::string_view text = rows.blob(2);
    if (text.size() > RowReader::kMaximumNameBytes) rows.fail(2, "longer than any name");
    texts_[rows.integer(0)] = text;
  });
}

void References::readAddresses(const ArchiveRows& archive) {
  archive.forEach("address", [&](const RowReader& rows) {
    const std::string_view address = rows.blob(2);
    if (address.size() != 4 && address.size() != 16) rows.fail(2, "not an Internet address");
    addresses_[rows.integer(0)] = std::string(address);
  });
}

void References::findAlike() {
  alike_texts_ = firstAlike(texts_);
  alike_addresses_ = firstAlike(addresses_);
}

void References::importProcesses(const ArchiveRows& archive, const Boots& boots,
                                 SQLite::Database& analysis) {
  std::map<std::tuple<std::string, int64_t, int64_t>, int64_t> known;
  SQLite::Statement insert(analysis, "INSERT INTO process VALUES (?,?,?,?)");
  archive.forEach("process", [&](const RowReader& rows) {
    const std::string boot = boots.of(rows, 1);
    const auto key =
        std::tuple(boot, rows.integer(2, 1, std::numeric_limits<int32_t>::max()), rows.integer(3));
    const auto [entry, is_new] = known.emplace(key, static_cast<int64_t>(known.size() + 1));
    processes_[rows.integer(0)] = entry->second;
    if (!is_new) return;
    insert.reset();
    insert.bind(1, entry->second);
    insert.bind(2, boot);
    insert.bind(3, std::get<1>(key));
    insert.bind(4, std::get<2>(key));
    insert.exec();
  });
}

void References::importNamespaces(const ArchiveRows& archive, const Boots& boots,
                                  SQLite::Database& analysis) {
  std::map<std::pair<std::string, int64_t>, int64_t> known;
  SQLite::Statement insert(analysis, "INSERT INTO netns VALUES (?,?,?)");
  archive.forEach("netns", [&](const RowReader& rows) {
    const std::string boot = boots.of(rows, 1);
    const auto key = std::pair(boot, rows.integer(2, RowReader::kAny));
    const auto [entry, is_new] = known.emplace(key, static_cast<int64_t>(known.size() + 1));
    namespaces_[rows.integer(0)] = entry->second;
    if (!is_new) return;
    insert.reset();
    insert.bind(1, entry->second);
    insert.bind(2, boot);
    insert.bind(3, key.second);
    insert.exec();
  });
}

int64_t References::comparable(const RowReader& rows, const Column& column, int index,
                               int64_t other) const {
  const int64_t number = rows.numberOr(index, other);
  if (column.kind != ColumnKind::TextId && column.kind != ColumnKind::Endpoint) return number;
  const Numbers& alike = column.kind == ColumnKind::TextId ? alike_texts_ : alike_addresses_;
  const auto found = alike.find(number);
  return found == alike.end() ? number : found->second;
}

}  // namespace fdmortem
