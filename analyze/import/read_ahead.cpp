#include "analyze/import/read_ahead.h"

#include <system_error>
#include <utility>

namespace fdmortem {
namespace {

constexpr size_t kBlocks = 8;

void clear(RowBlock& block) {
  block.rows = 0;
  block.numbers.clear();
}

}  // namespace

ReadAhead::ReadAhead(Read read) : read_(std::move(read)), free_(kBlocks) {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error&) {
    // next() reads.
  }
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool ReadAhead::next(RowBlock& block) {
  if (!thread_.joinable()) {
    clear(block);
    return read_(block);
  }
  std::unique_lock lock(mutex_);
  free_.push_back(std::move(block));
  changed_.notify_all();
  changed_.wait(lock, [this] { return !ready_.empty() || has_ended_; });
  if (ready_.empty()) {
    if (error_) std::rethrow_exception(error_);
    return false;
  }
  block = std::move(ready_.front());
  ready_.pop_front();
  return true;
}

void ReadAhead::run() {
  try {
    while (readOne()) {
    }
  } catch (...) {
    error_ = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  has_ended_ = true;
  changed_.notify_all();
}

bool ReadAhead::readOne() {
  RowBlock block;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !free_.empty() || is_stopped_; });
    if (is_stopped_) return false;
    block = std::move(free_.back());
    free_.pop_back();
  }
  clear(block);
  if (!read_(block)) return false;
  const std::lock_guard lock(mutex_);
  ready_.push_back(std::move(block));
  changed_.notify_all();
  return true;
}

}  // namespace fdmortem
