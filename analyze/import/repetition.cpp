#include "analyze/import/repetition.h"

#include <algorithm>
#include <initializer_list>

#include "schema/format.h"

namespace fdmortem {
namespace {

// Columns of the archive's tables (schema/tables.sql).
constexpr size_t kSnapshot = 0;
constexpr size_t kChange = 3;  // of fd_change and inet_change
constexpr size_t kFdLinkNumber = 5;
constexpr size_t kInetInode = 4;
constexpr size_t kGoneInode = 1;
constexpr size_t kAutopsyInode = 3;

uint64_t hash(const std::vector<int64_t>& row, std::initializer_list<size_t> columns) {
  uint64_t result = 0;
  for (const size_t column : columns) {
    result = (result ^ static_cast<uint64_t>(row[column])) * 0x9e3779b97f4a7c15U;
    result ^= result >> 32U;
  }
  return result;
}

}  // namespace

void Repetitions::begin(std::string_view table, int columns) {
  kind_ = table == "fd_change"     ? Kind::Fd
          : table == "inet_change" ? Kind::Inet
          : table == "inet_gone"   ? Kind::Gone
          : table == "autopsy"     ? Kind::Autopsy
                                   : Kind::None;
  row_.assign(static_cast<size_t>(columns), kNone);
  keyframe_ = 0;
  last_ = {};
  values_ = {};
  free_slots_ = {};
}

bool Repetitions::isRepetition(const ColumnValue& value) {
  if (kind_ == Kind::None) return false;
  const uint64_t key = readRow(value);
  const bool is_keyframe = keyframes_.contains(row_[kSnapshot]);
  if (is_keyframe && row_[kSnapshot] != keyframe_) forgetEnded();
  const auto found = last_.find(key);
  if (found != last_.end() && is_keyframe && isSame(found->second) && isUnbroken(found->second)) {
    found->second.snapshot = row_[kSnapshot];
    return true;
  }
  noteTold();
  if (kind_ == Kind::Gone) return false;
  if (kind_ != Kind::Autopsy && row_[kChange] == static_cast<int64_t>(Change::Gone)) {
    forget(key);
  } else {
    remember(key);
  }
  return false;
}

/// The row tells of a socket fd, or that a table lists a socket or does not any more.
void Repetitions::noteTold() {
  if (kind_ == Kind::Autopsy) return;
  const size_t column = kind_ == Kind::Fd     ? kFdLinkNumber
                        : kind_ == Kind::Inet ? kInetInode
                                              : kGoneInode;
  int64_t& told = told_of_.tryEmplace(static_cast<uint64_t>(row_[column]), 0).first;
  told = std::max(told, row_[kSnapshot]);
}

/// What was there in the keyframe before had a row in it: the rest has ended. Rows of inet_gone,
/// which say so of sockets, are in another table.
void Repetitions::forgetEnded() {
  for (auto entry = last_.begin(); entry != last_.end();) {
    if (entry->second.snapshot >= keyframe_) {
      ++entry;
      continue;
    }
    free_slots_.push_back(entry->second.slot);
    entry = last_.erase(entry);
  }
  keyframe_ = row_[kSnapshot];
}

/// Returns the hash of what the row is of.
uint64_t Repetitions::readRow(const ColumnValue& value) {
  for (size_t column = 0; column < row_.size(); ++column)
    row_[column] = value(static_cast<int>(column));
  switch (kind_) {
    case Kind::Fd:
      return hash(row_, {1, 2});
    case Kind::Inet:
      return hash(row_, {1, 2, 4, 5, 6, 7, 8});
    case Kind::Autopsy:
      return hash(row_, {kAutopsyInode});
    case Kind::Gone:
    case Kind::None:
      break;
  }
  return 0;
}

/// Ids of processes and namespaces are of one recording: a row of another one is never the same.
bool Repetitions::isSame(const Last& last) const {
  const int64_t* values = values_.data() + last.slot * row_.size();
  for (size_t column = 0; column < row_.size(); ++column) {
    if (column == kSnapshot || (kind_ != Kind::Autopsy && column == kChange)) continue;
    if (row_[column] != values[column]) return false;
  }
  return kind_ == Kind::Autopsy || row_[kChange] == static_cast<int64_t>(Change::Present);
}

/// Nothing has happened since that makes the row tell something new.
bool Repetitions::isUnbroken(const Last& last) {
  if (kind_ == Kind::Autopsy) {
    const int64_t* told = told_of_.find(static_cast<uint64_t>(row_[kAutopsyInode]));
    return told == nullptr || *told <= last.snapshot;
  }
  if (kind_ == Kind::Fd) return true;
  const auto ends = ends_.find({row_[1], row_[2]});
  return ends == ends_.end() ||
         std::none_of(ends->second.begin(), ends->second.end(), [&](int64_t snapshot) {
           return snapshot > last.snapshot && snapshot <= row_[kSnapshot];
         });
}

void Repetitions::remember(uint64_t key) {
  const auto [found, is_new] = last_.try_emplace(key);
  if (is_new) {
    if (free_slots_.empty()) {
      found->second.slot = values_.size() / row_.size();
      values_.resize(values_.size() + row_.size());
    } else {
      found->second.slot = free_slots_.back();
      free_slots_.pop_back();
    }
  }
  found->second.snapshot = row_[kSnapshot];
  std::copy(row_.begin(), row_.end(),
            values_.begin() + static_cast<std::ptrdiff_t>(found->second.slot * row_.size()));
}

void Repetitions::forget(uint64_t key) {
  const auto found = last_.find(key);
  if (found == last_.end()) return;
  free_slots_.push_back(found->second.slot);
  last_.erase(found);
}

}  // namespace fdmortem
