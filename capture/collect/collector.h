// Takes a snapshot: the order in which things are read, which is what makes it evidence.
#pragma once

#include "capture/collect/known_mounts.h"
#include "capture/collect/proc_source.h"
#include "capture/collect/selection.h"
#include "capture/collect/text_log.h"
#include "capture/snapshot.h"

namespace fdmortem {

class Collector {
 public:
  /// `source` must outlive the collector. `with_autopsies`: see
  /// takeSecondLook(); without effect on a tree that is not the proc file system of our own pid
  /// namespace.
  Collector(const ProcSource& source, Selection selection, bool with_autopsies,
            TextPolicy policy = {});

  /// Clocks, processes, their fds, the tables of their network namespaces, then the second look. An
  /// fd that is listed here existed before its table was read: that the table does not list it
  /// can't be because the table was read too early. `previous` is the snapshot before, or null.
  Snapshot take(const Snapshot* previous);

  /// Takes the memory of the texts of a snapshot that is not needed any more, for the next one.
  void reuse(const Snapshot& snapshot);
  /// Gives up what it has for the next one.
  void giveUpMemory() { spare_texts_ = {}; }

  /// Nothing is left to record: see ProcessSelector.
  bool isExhausted() const { return selector_.isExhausted(); }

 private:
  void keepTexts(TextLog& first, TextLog& again, Snapshot& snapshot, FailureLog& failures) const;
  void readHost(Snapshot& snapshot, TextLog& texts, FailureLog& failures) const;

  const ProcSource& source_;
  KnownMounts mounts_;
  ProcessSelector selector_;
  bool with_autopsies_;
  TextPolicy policy_;
  TextBundle spare_texts_;
};

/// The three clocks now.
Clocks readClocks();

}  // namespace fdmortem
