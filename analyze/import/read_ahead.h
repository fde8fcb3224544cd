// Numbers of rows that a thread of its own reads while those before them are worked with.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace fdmortem {

/// Rows of one table, one after the other.
struct RowBlock {
  size_t table = 0;  ///< whatever number its reader gives it
  size_t rows = 0;
  std::vector<int64_t> numbers;  ///< as many for each row
};

/// Reads a few blocks ahead, no more; where no thread can be had, in that of who asks.
class ReadAhead {
 public:
  /// Puts the next rows into an empty block. False: there are no more. Called in the other thread,
  /// and all that it uses is its own until this object has ended.
  using Read = std::function<bool(RowBlock& block)>;

  explicit ReadAhead(Read read);
  /// Waits until it has left off reading.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  /// The next block in place of that one. False: there are no more. Throws what `read` threw, after
  /// the blocks before that.
  bool next(RowBlock& block);

 private:
  void run();
  bool readOne();

  Read read_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<RowBlock> free_;
  std::deque<RowBlock> ready_;
  std::exception_ptr error_;
  bool has_ended_ = false;
  bool is_stopped_ = false;
  std::thread thread_;  ///< last: it uses all others
};

}  // namespace fdmortem
