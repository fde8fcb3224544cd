#include "schema/evidence/row_digest.h"

namespace fdmortem {

Digest RowDigest::finish() {
  RowBytes all;
  for (size_t i = 0; i < tables_.size(); ++i) {
    Table& table = tables_.at(i);
    if (table.row_count == 0) continue;
    all.addBytes(kHashedTableNames.at(i));
    all.addInteger(static_cast<int64_t>(table.row_count));
    all.addBytes(bytesOf(table.hasher.finish()));
    table.row_count = 0;
  }
  return digestOf(all.view());
}

void RowDigest::reset() {
  for (Table& table : tables_) {
    if (table.row_count == 0) continue;
    table.hasher.finish();
    table.row_count = 0;
  }
}

}  // namespace fdmortem
