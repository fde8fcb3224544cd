#include "capture/archive/retention.h"

#include <algorithm>
#include <utility>

#include <SQLiteCpp/SQLiteCpp.h>

namespace fdmortem {
namespace {

/// A full listing this often makes dropping what is older possible, and costs little beside it.
constexpr int64_t kSnapshotsPerKeyframe = 256;
/// Into so many stretches at least the time or the size that is kept is cut.
constexpr int64_t kStretches = 16;

constexpr int64_t kWalIndexBytes = 64 << 10;

}  // namespace

bool Retention::wantsKeyframe(const Clocks& now) const {
  if (!keyframe_ns_ || is_keyframe_required_ || snapshots_since_ >= kSnapshotsPerKeyframe)
    return true;
  if (limits_.keep_ns && now.boottime_ns - *keyframe_ns_ >= *limits_.keep_ns / kStretches) {
    return true;
  }
  if (!limits_.max_bytes) return false;
  const auto part = static_cast<int64_t>(*limits_.max_bytes) / kStretches;
  // Where a keyframe alone takes that much, at least half of the file is for changes.
  return bytes_since_ >= std::max(part - keyframe_bytes_, keyframe_bytes_);
}

void Retention::stored(const Clocks& taken, bool keyframe, int64_t bytes) {
  if (keyframe) largest_before_ = std::exchange(largest_bytes_, 0);
  largest_bytes_ = std::max(largest_bytes_, bytes);
  ++snapshots_since_;
  bytes_since_ += bytes;
  if (!keyframe) return;
  is_keyframe_required_ = false;
  keyframe_ns_ = taken.boottime_ns;
  snapshots_since_ = 1;
  keyframe_bytes_ = bytes;
  bytes_since_ = 0;
}

std::optional<Retention::Stretch> Retention::oldestStretch() {
  SQLite::Statement query(
      archive_.connection(),
      "SELECT k.id, s.wall_ns, s.boottime_ns, r.boot_id FROM ("
      "SELECT id FROM snapshot WHERE keyframe = 1 AND id > (SELECT min(id) FROM snapshot) "
      "ORDER BY id LIMIT 1) k "
      "JOIN snapshot s ON s.id = (SELECT max(id) FROM snapshot WHERE id < k.id) "
      "JOIN recording r ON r.id = s.recording");
  if (!query.executeStep()) return {};
  Stretch stretch{.next_keyframe = query.getColumn(0).getInt64(),
                  .wall_ns = query.getColumn(1).getInt64(),
                  .boottime_ns = query.getColumn(2).getInt64()};
  if (!query.isColumnNull(3)) stretch.boot_id = query.getColumn(3).getString();
  return stretch;
}

bool Retention::isTooOld(const Stretch& stretch, const Clocks& now,
                         const std::optional<std::string>& boot_id) const {
  if (!limits_.keep_ns) return false;
  // A wall clock that jumps must cost no evidence. Of an earlier boot there is nothing better.
  const bool is_same_boot = boot_id && stretch.boot_id == boot_id;
  const int64_t age_ns = is_same_boot ? now.boottime_ns - stretch.boottime_ns
                                      : std::max(now.wall_ns - stretch.wall_ns, now.boottime_ns);
  return age_ns > *limits_.keep_ns;
}

int64_t Retention::roomBytes() const {
  const auto limit = static_cast<int64_t>(*limits_.max_bytes);
  // What is stored takes its space twice, in the write-ahead log and then in the file.
  return limit - std::max(limit / 4, 3 * std::max(largest_bytes_, largest_before_)) -
         kBallastBytes - kDroppingBytes - kWalIndexBytes;
}

bool Retention::couldStandAlone(int64_t keyframe_bytes) const {
  return limits_.max_bytes && keyframe_bytes > 0 &&
         3 * keyframe_bytes + kBallastBytes + kDroppingBytes + kWalIndexBytes <
             static_cast<int64_t>(*limits_.max_bytes);
}

bool Retention::isTooLarge() {
  return limits_.max_bytes && archive_.contentBytes() > roomBytes();
}

bool Retention::dropOld(const Clocks& now, const std::optional<std::string>& boot_id) {
  bool has_dropped = false;
  while (limits_.keep_ns || limits_.max_bytes) {
    const bool is_too_large = isTooLarge();
    const auto stretch = oldestStretch();
    if (!stretch || (!is_too_large && !isTooOld(*stretch, now, boot_id))) break;
    archive_.dropBefore(stretch->next_keyframe, is_too_large ? "max-size" : "keep");
    has_dropped = true;
  }
  // A file that was larger when snapshots were smaller.
  if (limits_.max_bytes) archive_.shrink(roomBytes());
  return has_dropped;
}

int64_t Retention::trim() {
  if (!archive_.isTooLarge()) return 0;
  archive_.requireShrinkable();  // before anything is dropped
  const auto number = [&](const char* sql) {
    return archive_.connection().execAndGet(sql).getInt64();
  };
  const int64_t before = number("SELECT count(*) FROM snapshot");
  archive_.checkpoint();
  while (isTooLarge()) {
    const auto stretch = oldestStretch();
    // A recording begins with a keyframe: it needs nothing of what was there.
    const int64_t first_kept =
        stretch ? stretch->next_keyframe : number("SELECT coalesce(max(id), 0) + 1 FROM snapshot");
    archive_.dropBefore(first_kept, "max-size");
    if (!stretch) break;
  }
  archive_.shrink(roomBytes());
  archive_.enforceLimit();
  return before - number("SELECT count(*) FROM snapshot");
}

bool Retention::dropAllButNewest() {
  bool has_dropped = false;
  while (const auto stretch = oldestStretch()) {
    archive_.dropBefore(stretch->next_keyframe, "max-size");
    has_dropped = true;
  }
  archive_.shrink(0);
  return has_dropped;
}

}  // namespace fdmortem
