// The texts of snapshots as they are stored: each compressed against those of the snapshot before.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/snapshot.h"
#include "schema/evidence/digest.h"
#include "schema/evidence/text_codec.h"

namespace fdmortem {

/// A row of `verbatim`.
struct EncodedText {
  int part = 1;
  std::optional<int64_t> base;
  size_t size = 0;
  Digest digest{};
  std::string frame;
};

class TextArchive {
 public:
  /// The rows of the texts of a snapshot that gets the number `snapshot`. Part 1 stands alone in a
  /// keyframe and from time to time, so that none needs many others to be read.
  std::vector<EncodedText> encode(int64_t snapshot, const SnapshotTexts& texts, bool is_keyframe);

  /// That snapshot is in the archive: the next one is compressed against its texts, if it has any.
  void stored(int64_t snapshot, std::shared_ptr<const SnapshotTexts> texts);

  /// The next one stands alone.
  void startAnew() { base_.reset(); }

 private:
  TextEncoder encoder_;
  std::shared_ptr<const SnapshotTexts> base_;
  int64_t base_snapshot_ = 0;
  size_t since_alone_ = 0;    ///< how many were stored since one that stands alone
  bool stands_alone_ = true;  ///< the one that was encoded last
};

}  // namespace fdmortem
