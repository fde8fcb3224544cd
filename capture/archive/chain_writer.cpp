#include "capture/archive/chain_writer.h"

#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/core.h>

#include "schema/evidence/stored_digests.h"

namespace fdmortem {
namespace {

void bindDigest(SQLite::Statement& statement, int index, const Digest& digest) {
  statement.bind(index, digest.data(), static_cast<int>(digest.size()));
}

}  // namespace

Digest headOf(SQLite::Database& archive) {
  SQLite::Statement last(archive, "SELECT value FROM chain ORDER BY id DESC LIMIT 1");
  if (!last.executeStep()) return {};
  const SQLite::Column value = last.getColumn(0);
  const auto head = digestFromBytes(
      {static_cast<const char*>(value.getBlob()), static_cast<size_t>(value.getBytes())});
  if (!head) throw std::runtime_error("the last link of its hash chain is damaged");
  return *head;
}

ChainWriter::ChainWriter(SQLite::Database& archive)
    : archive_(archive),
      head_(headOf(archive)),
      next_(head_),
      id_(archive.execAndGet("SELECT coalesce(max(id), 0) FROM chain").getInt64()),
      next_id_(id_) {}

void ChainWriter::add(LinkKind kind, int64_t subject, const Digest& content) {
  const ChainLink link{.kind = kind, .subject = subject, .previous = next_, .content = content};
  const Digest value = link.value();
  SQLite::Statement insert(archive_, "INSERT INTO chain VALUES (?, ?, ?, ?, ?)");
  insert.bind(1, next_id_ + 1);
  insert.bind(2, static_cast<int>(kind));
  insert.bind(3, subject);
  bindDigest(insert, 4, link.previous);
  bindDigest(insert, 5, value);
  insert.exec();
  ++next_id_;
  next_ = value;
}

Digest rewriteChain(SQLite::Database& archive) {
  std::vector<std::pair<LinkKind, int64_t>> links;
  SQLite::Statement query(archive, "SELECT kind, subject FROM chain ORDER BY id");
  while (query.executeStep()) {
    const auto kind = static_cast<LinkKind>(query.getColumn(0).getInt());
    if (kind != LinkKind::Rewritten) links.emplace_back(kind, query.getColumn(1).getInt64());
  }
  ChainWriter chain(archive);
  archive.exec("DELETE FROM chain");
  chain.startAnew();
  chain.add(LinkKind::Rewritten, 0, {});
  StoredDigests digests(archive);
  for (const auto& [kind, subject] : links) {
    const auto content = kind == LinkKind::Snapshot ? std::optional(digests.ofSnapshot(subject))
                                                    : digests.ofRow(kind, subject);
    if (!content) throw std::runtime_error("its hash chain has a link to a row that is not there");
    chain.add(kind, subject, *content);
  }
  chain.committed();
  return chain.head();
}

}  // namespace fdmortem
