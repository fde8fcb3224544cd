// A recorder that is killed, and a host that loses power: the archive opens, holds every snapshot
// that was stored, and is continued.
//
// FDMORTEM_KILLS=200 makes the test of random kills a long one.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "schema/file_handle.h"
#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

namespace fs = std::filesystem;

/// Opens, closes and resets without end, so that no two snapshots are alike. It leaves no TIME_WAIT
/// behind, and the processor to others now and then.
[[noreturn]] void churn(Cue& cue) {
  const Socket listener = listenOn("127.0.0.1");
  std::vector<Socket> kept;
  std::vector<FileHandle> files;
  cue.tell("ready");
  for (uint32_t round = 0;; ++round) {
    Socket peer = connectTo(listener.local());
    kept.push_back(listener.accept());
    if (round % 3 == 0) peer.reset();
    files.emplace_back(::open("/proc/self/stat", O_RDONLY | O_CLOEXEC));
    if (kept.size() > 60) {
      for (size_t i = 0; i < 20; ++i)
        kept[i].reset();
      kept.erase(kept.begin(), kept.begin() + 20);
    }
    if (files.size() > 40) files.erase(files.begin(), files.begin() + 15);
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

/// What a recorder said of a snapshot after it was stored.
struct Counts {
  int64_t processes = 0;
  int64_t fds = 0;
  int64_t failures = 0;
};
using Stored = std::map<int64_t, Counts>;

void addStored(const std::string& messages, Stored& stored) {
  const std::regex pattern(
      "snapshot ([0-9]+): ([0-9]+) process(?:es)?, ([0-9]+) fds?, ([0-9]+) failures?");
  for (std::sregex_iterator match(messages.begin(), messages.end(), pattern), end; match != end;
       ++match) {
    const auto number = [&](size_t group) { return std::stoll((*match)[group].str()); };
    stored[number(1)] = {.processes = number(2), .fds = number(3), .failures = number(4)};
  }
}

/// An archive and a process to record into it.
class Crash : public ::testing::Test {
 protected:
  std::vector<std::string> recordCommand(const std::vector<std::string>& more) const {
    std::vector<std::string> argv = {
        FDCAPTURE_PATH, "record", "-o", database, "-p", std::to_string(actor->pid()), "-v"};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }

  void startActor(const Actor::Part& part) {
    actor.emplace(part);
    actor->hear();
  }

  enum class Missing { Allowed, IsAFailure };

  /// The file is an archive with all that was stored (or a beginning of it), each snapshot as it
  /// was said to be, and without holes. Returns how many there are.
  static int64_t expectWhole(const std::string& file, const Stored& stored,
                             Missing missing = Missing::IsAFailure) {
    const ProgramResult result = runFdanalyze({"snapshots", file, "-f", "json"});
    EXPECT_EQ(result.status, 0) << result.err;
    if (result.status != 0) return 0;
    int64_t count = 0;
    for (const Json& row : Json::parse(result.out)) {
      EXPECT_EQ(row.at("snapshot"), ++count) << "a hole";
      const auto said = stored.find(count);
      if (said == stored.end()) continue;
      const Counts found{
          .processes = row.at("processes"), .fds = row.at("fds"), .failures = row.at("failures")};
      EXPECT_EQ(found.processes, said->second.processes) << row;
      EXPECT_EQ(found.fds, said->second.fds) << row;
      EXPECT_EQ(found.failures, said->second.failures) << row;
    }
    if (missing == Missing::IsAFailure && !stored.empty()) {
      EXPECT_GE(count, stored.rbegin()->first) << "a stored snapshot is lost";
    }
    return count;
  }

  /// The report can be written, and says of each recording without an end that the newest snapshots
  /// may be missing. Returns how many recordings there are.
  static size_t expectEndsReported(const std::string& file) {
    const Json report = analyze({"report", file});
    const Json& archive = report.at("databases")[0];
    const std::string doubts = archive.at("doubts").dump();
    size_t count = 0;
    for (const Json& row : query(file, "SELECT id, end_reason FROM recording ORDER BY id")) {
      EXPECT_EQ(row.at("id"), ++count);
      const std::string doubt = "recording " + std::to_string(count) + " has no end";
      EXPECT_EQ(doubts.find(doubt) != std::string::npos, row.at("end_reason").is_null()) << doubts;
    }
    return count;
  }

  /// There is nothing, or something under another name, which is of no use to anybody.
  void expectNoneBegun() const {
    for (const std::string& name : namesIn(directory.path())) {
      EXPECT_TRUE(name.starts_with("f.db.partial-")) << name;
      fs::remove(directory.file(name));
    }
  }

  void expectContinued(int64_t known) const {
    auto argv = recordCommand({"-n", "2", "-i", "1ms"});
    const ProgramResult result = runProgram(argv);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(namesIn(directory.path()), std::vector<std::string>{"f.db"});
    EXPECT_EQ(expectWhole(database, {}), known + 2);
    expectEndsReported(database);
  }

  const TemporaryDirectory directory;
  const std::string database = directory.file("f.db");
  std::optional<Actor> actor;
};

int killCount() {
  const char* text = std::getenv("FDMORTEM_KILLS");
  return text != nullptr ? std::stoi(text) : 20;
}

TEST_F(Crash, AtRandomMoments) {
  startActor(churn);
  std::mt19937 random(std::random_device{}());
  Stored stored;
  int64_t known = 0;
  int kills_with_snapshots = 0;
  for (int kill = 0; kill < killCount(); ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill));
    const size_t before = stored.size();
    ChildProcess recorder(recordCommand({"-i", "1ms"}));
    // Sometimes before there is a snapshot, else in the middle of the work.
    for (size_t wanted = before + random() % 10; stored.size() < wanted;) {
      const auto line = recorder.readErrorLine();
      if (!line) break;
      addStored(*line, stored);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 30'000));
    recorder.signal(SIGKILL);
    ASSERT_EQ(recorder.wait(), -SIGKILL) << recorder.takeErrors();
    addStored(recorder.takeErrors(), stored);
    if (stored.size() > before) ++kills_with_snapshots;
    if (!fs::exists(database)) {
      expectNoneBegun();
      continue;
    }
    EXPECT_FALSE(fs::exists(database + "-journal"));
    const int64_t count = expectWhole(database, stored);
    EXPECT_GE(count, known);
    known = count;
    if (kill % 5 == 0) expectEndsReported(database);
    if (HasFailure()) return;
  }
  EXPECT_GE(kills_with_snapshots, killCount() / 2);
  RecordProperty("snapshots", static_cast<int>(known));
  expectContinued(known);
}

/// The calls that change a file; a kill between two of them is one of a moment in between.
constexpr const char* kFileCalls =
    "openat,pwrite64,write,ftruncate,fallocate,fsync,fdatasync,unlink,link,linkat,rename,renameat,"
    "renameat2";

class CrashAtEachCall : public Crash, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the leak sanitizer does not work under strace";
#endif
    if (runProgram({"strace", "-qq", "-o", directory.file("trace"), "true"}).status != 0) {
      GTEST_SKIP() << "needs strace";
    }
    fs::remove(directory.file("trace"));
  }
};

/// Kills a recording of two snapshots at one of its calls that changes a file, then at the next.
TEST_P(CrashAtEachCall, IsSurvived) {
  startActor([](Cue& cue) {
    cue.tell("ready");
    cue.await();
  });
  const bool continues = GetParam();
  const int step = killCount() > 20 ? 1 : 3;
  int moments = 0;
  for (int call = 1 + (continues ? 1 : 0);; call += step) {
    SCOPED_TRACE("call " + std::to_string(call));
    for (const std::string& name : namesIn(directory.path()))
      fs::remove(directory.file(name));
    int64_t before = 0;
    if (continues) {
      ASSERT_EQ(runProgram(recordCommand({"-n", "1"})).status, 0);
      before = 1;
    }
    auto argv = recordCommand({"-n", "2", "-i", "1ms"});
    argv.insert(
        argv.begin(),
        {"strace", "-qq", "-o", "/dev/null", "-P", database, "-P", database + "-wal", "-P",
         database + "-journal", "-e", std::string("trace=") + kFileCalls, "-e",
         std::string("inject=") + kFileCalls + ":signal=KILL:when=" + std::to_string(call)});
    const ProgramResult result = runProgram(argv);
    if (result.status == 0) break;
    ++moments;
    Stored stored;
    addStored(result.err, stored);
    EXPECT_FALSE(fs::exists(database + "-journal")) << "hot, and refused from now on";
    if (fs::exists(database)) {
      const int64_t count = expectWhole(database, stored);
      EXPECT_GE(count, before);
      expectEndsReported(database);
      expectContinued(count);
    } else {
      EXPECT_TRUE(stored.empty());
      expectNoneBegun();
      expectContinued(0);
    }
    if (HasFailure()) return;
  }
  EXPECT_GE(moments, 5);
  RecordProperty("moments", moments);
}

INSTANTIATE_TEST_SUITE_P(NewAndContinued, CrashAtEachCall, ::testing::Bool(),
                         [](const auto& parameter) {
                           return parameter.param ? "AnOldArchive" : "ANewArchive";
                         });

uint32_t bigEndian32(std::string_view text, size_t offset) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i)
    number = number << 8 | static_cast<unsigned char>(text.at(offset + i));
  return number;
}

/// A write-ahead log (https://www.sqlite.org/fileformat2.html, section 4): a header of 32 bytes,
/// then frames, each of 24 bytes and a page.
struct WriteAheadLog {
  static constexpr size_t kHeader = 32;
  static constexpr size_t kFrameHeader = 24;

  explicit WriteAheadLog(std::string bytes)
      : text(std::move(bytes)), page_size(bigEndian32(text, 8)) {
    // What a log that was begun anew still has of the one before has other salts.
    while (start(frame_count + 1) <= text.size() &&
           text.compare(start(frame_count) + 8, 8, text, 16, 8) == 0) {
      ++frame_count;
      // The last frame of a transaction has the size of the database.
      if (bigEndian32(text, start(frame_count - 1) + 4) != 0) ends.push_back(start(frame_count));
    }
  }

  size_t start(size_t frame) const { return kHeader + frame * (kFrameHeader + page_size); }

  std::string text;
  size_t page_size;
  size_t frame_count = 0;
  std::vector<size_t> ends;  ///< of transactions, as lengths of the log
};

/// A recorder was killed; then the disk lost what was not written yet, or wrote it in part.
class PowerLoss : public Crash {
 protected:
  void SetUp() override {
    startActor(churn);
    ChildProcess recorder(recordCommand({"-i", "1ms"}));
    while (stored.size() < 12) {
      const auto line = recorder.readErrorLine();
      if (!line) throw std::runtime_error("no snapshots");
      addStored(*line, stored);
    }
    recorder.signal(SIGKILL);
    recorder.wait();
    ::kill(actor->pid(), SIGSTOP);  // it can be recorded all the same
    archive = contentOf(database);
    log.emplace(contentOf(database + "-wal"));
    counts[0] = countWith(archive, {});  // the first snapshot goes into the archive at once
    for (const size_t end : log->ends)
      counts[end] = countWith(archive, log->text.substr(0, end));
  }

  /// How many snapshots there are if these are the archive and its log; those are whole.
  int64_t countWith(const std::string& main_file, const std::string& wal) {
    for (const std::string& name : namesIn(directory.path()))
      fs::remove(directory.file(name));
    writeFile(database, main_file);
    writeFile(database + "-wal", wal);
    return expectWhole(database, stored, Missing::Allowed);
  }

  /// How many it must be if the log is good up to `length`: those of whole transactions.
  int64_t countAt(size_t length) const { return std::prev(counts.upper_bound(length))->second; }

  Stored stored;
  std::string archive;
  std::optional<WriteAheadLog> log;
  std::map<size_t, int64_t> counts;  ///< snapshots by length of the log, at the end of transactions
};

TEST_F(PowerLoss, EachTransactionHasASnapshotAtMost) {
  int64_t before = counts.at(0);
  for (const auto& [length, count] : counts) {
    EXPECT_GE(count, before) << length;
    EXPECT_LE(count, before + 1) << length;
    before = count;
  }
  EXPECT_GE(before, 12);
}

TEST_F(PowerLoss, ALogThatIsCutHoldsAWholeBeginning) {
  std::vector<size_t> lengths = {0, 1, 16, 31, 32, 33};
  for (const size_t end : log->ends) {
    for (const size_t less : {size_t{1}, log->page_size / 2, log->page_size + 1})
      lengths.push_back(end - less);
    for (const size_t more : {size_t{1}, WriteAheadLog::kFrameHeader, log->page_size})
      lengths.push_back(std::min(end + more, log->text.size()));
  }
  int cuts = 0;
  for (const size_t length : lengths) {
    SCOPED_TRACE("cut to " + std::to_string(length));
    EXPECT_EQ(countWith(archive, log->text.substr(0, length)), countAt(length));
    if (++cuts % 5 == 0) expectContinued(countAt(length));
    if (HasFailure()) return;
  }
  RecordProperty("cuts", cuts);
}

TEST_F(PowerLoss, GarbageInTheLogEndsIt) {
  std::mt19937 random(1);
  for (size_t i = 0; i < log->ends.size(); i += 2) {
    const size_t end = log->ends[i];
    const std::string good = log->text.substr(0, end);
    std::string noise(3 * log->page_size + 100, '\0');
    std::generate(noise.begin(), noise.end(), [&] { return static_cast<char>(random()); });
    const std::string zeros(noise.size(), '\0');
    const std::string old = log->text.substr(WriteAheadLog::kHeader, noise.size());
    for (const std::string& tail : {noise, zeros, old}) {
      SCOPED_TRACE("from " + std::to_string(end));
      EXPECT_EQ(countWith(archive, good + tail), countAt(end));
    }
    // One bit of a page or of a frame's header: what comes before that transaction counts.
    std::string flipped = log->text;
    const size_t place = end - 1 - random() % (log->page_size + WriteAheadLog::kFrameHeader);
    flipped[place] = static_cast<char>(flipped[place] ^ 1);
    SCOPED_TRACE("flipped at " + std::to_string(place));
    EXPECT_EQ(countWith(archive, flipped), countAt(place));
    if (i % 4 == 0) expectContinued(countAt(place));
    if (HasFailure()) return;
  }
}

// A checkpoint writes pages of the log into the main file, in any order, and the log stays until
// all are there.
TEST_F(PowerLoss, ACheckpointThatIsCutLosesNothing) {
  std::map<uint32_t, size_t> newest;  // page: its last frame
  for (size_t frame = 0; log->start(frame + 1) <= log->ends.back(); ++frame)
    newest[bigEndian32(log->text, log->start(frame))] = frame;
  std::mt19937 random(1);
  for (int attempt = 0; attempt < 10; ++attempt) {
    std::string main_file = archive;
    for (const auto& [page, frame] : newest) {
      if (random() % 2 == 0) continue;
      const size_t place = (page - 1) * log->page_size;
      main_file.resize(std::max(main_file.size(), place + log->page_size));
      main_file.replace(place, log->page_size, log->text,
                        log->start(frame) + WriteAheadLog::kFrameHeader, log->page_size);
    }
    EXPECT_EQ(countWith(main_file, log->text), counts.rbegin()->second);
    if (attempt % 3 == 0) expectContinued(counts.rbegin()->second);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace fdmortem::test
