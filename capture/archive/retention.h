// Which snapshots stay in the archive: --keep and --max-size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "capture/archive/database.h"
#include "capture/snapshot.h"

namespace fdmortem {

struct RetentionLimits {
  std::optional<int64_t> keep_ns;     ///< snapshots that are older are dropped
  std::optional<uint64_t> max_bytes;  ///< of the file and what lies beside it
};

/// Drops the oldest snapshots of an archive, always a keyframe with all up to the next one, since
/// what follows must begin with a keyframe; and says when a keyframe is due, so that such a stretch
/// is short enough. Calls throw SQLite::Exception.
class Retention {
 public:
  Retention(ArchiveDatabase& archive, RetentionLimits limits)
      : archive_(archive), limits_(limits) {}

  /// Whether the snapshot that is taken at `now` should be a keyframe.
  bool wantsKeyframe(const Clocks& now) const;

  /// A snapshot was stored, with so much of the file.
  void stored(const Clocks& taken, bool keyframe, int64_t bytes);

  /// Drops what is too old at `now` of the boot `boot_id`, and what is too much to leave room for
  /// the next snapshot. Each stretch is a transaction of its own. Returns whether anything went.
  bool dropOld(const Clocks& now, const std::optional<std::string>& boot_id);

  /// If the file was larger than the limit when it was opened: drops the oldest snapshots, all of
  /// them if it must be, until it is not. Returns how many. Also throws what enforceLimit() does.
  int64_t trim();

  /// The next snapshot has to be a keyframe.
  void requireKeyframe() { is_keyframe_required_ = true; }

  /// Whether a keyframe of so many bytes (0: nobody knows) would fit if nothing else were there.
  bool couldStandAlone(int64_t keyframe_bytes) const;

  /// Drops all but the newest stretch. False: there is no more than that.
  bool dropAllButNewest();

 private:
  struct Stretch {
    int64_t next_keyframe = 0;  ///< where the stretch after the oldest one begins
    int64_t wall_ns = 0;        ///< of the last snapshot of the oldest one
    int64_t boottime_ns = 0;
    std::optional<std::string> boot_id;
  };

  std::optional<Stretch> oldestStretch();
  bool isTooOld(const Stretch& stretch, const Clocks& now,
                const std::optional<std::string>& boot_id) const;
  /// How much may be in the archive so that the next snapshot has room; of no use without a limit.
  int64_t roomBytes() const;
  bool isTooLarge();

  ArchiveDatabase& archive_;
  RetentionLimits limits_;
  std::optional<int64_t> keyframe_ns_;  ///< CLOCK_BOOTTIME of the last keyframe
  int64_t snapshots_since_ = 0;         ///< with the keyframe itself
  bool is_keyframe_required_ = false;
  int64_t keyframe_bytes_ = 0;
  int64_t bytes_since_ = 0;  ///< after the keyframe
  /// What one snapshot took at most, in the stretch that is being stored and in the one before.
  int64_t largest_bytes_ = 0;
  int64_t largest_before_ = 0;
};

}  // namespace fdmortem
