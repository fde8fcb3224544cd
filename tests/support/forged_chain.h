// A hash chain made by somebody who is not the recorder.
#pragma once

#include <cstdint>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include "schema/evidence/chain.h"
#include "schema/evidence/stored_digests.h"

namespace fdmortem::test {

/// Makes all links anew, as somebody would who has changed rows and knows the format.
inline void forgeChain(SQLite::Database& archive) {
  struct Row {
    int64_t id;
    ChainLink link;
  };
  std::vector<Row> rows;
  SQLite::Statement query(archive, "SELECT id, kind, subject FROM chain ORDER BY id");
  while (query.executeStep()) {
    rows.push_back({query.getColumn(0).getInt64(),
                    {.kind = static_cast<LinkKind>(query.getColumn(1).getInt()),
                     .subject = query.getColumn(2).getInt64()}});
  }
  StoredDigests digests(archive);
  SQLite::Statement update(archive, "UPDATE chain SET previous = ?, value = ? WHERE id = ?");
  Digest head{};
  for (auto& [id, link] : rows) {
    link.previous = head;  // also where links before it were dropped: nothing tells that
    link.content = link.kind == LinkKind::Snapshot
                       ? digests.ofSnapshot(link.subject)
                       : digests.ofRow(link.kind, link.subject).value_or(Digest{});
    head = link.value();
    update.reset();
    update.bind(1, link.previous.data(), 32);
    update.bind(2, head.data(), 32);
    update.bind(3, id);
    update.exec();
  }
}

}  // namespace fdmortem::test
