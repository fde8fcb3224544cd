// Spoiled archives through every command: no crash, no hang, no memory or time over what is stated,
// one clear line, nothing written anywhere, and the file as it was. FDMORTEM_MUTANTS says how many;
// with FDMORTEM_MUTANT=N only that one is made, and kept.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/hostile/mutant.h"
#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

namespace fs = std::filesystem;

constexpr double kMiB = 1 << 20;
constexpr uint64_t kMutantsInShort = 220;

struct Run {
  int status = 0;  ///< exit status, or -N when signal N ended it
  double cpu_seconds = 0;
  double memory_mib = 0;  ///< at its peak
  std::string out;
  std::string err;
};

/// A program with its output in files, until `deadline` at most.
Run runMeasured(const std::vector<std::string>& arguments, const fs::path& folder) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string temporary = "TMPDIR=" + (folder / "tmp").string();
  std::vector<char*> environment = {const_cast<char*>(temporary.c_str()), nullptr};
  const std::string out = folder / "out";
  const std::string err = folder / "err";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), kFlags, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), kFlags, 0600);
  pid_t pid = -1;
  const int failed =
      posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw std::system_error(failed, std::generic_category(), arguments[0]);
  const auto process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  pollfd ended{.fd = process, .events = POLLIN, .revents = 0};
  if (::poll(&ended, 1, static_cast<int>(kDeadline.count())) == 0) ::kill(pid, SIGKILL);
  ::close(process);
  int status = 0;
  rusage used{};
  ::wait4(pid, &status, 0, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
          .cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime),
          .memory_mib = static_cast<double>(used.ru_maxrss) / 1024,
          .out = contentOf(out),
          .err = contentOf(err)};
}

/// Folder and file as they are: names, sizes, times, bytes.
std::string stateOf(const fs::path& folder) {
  std::ostringstream state;
  for (const std::string& name : namesIn(folder)) {
    struct stat status {};
    ::stat((folder / name).c_str(), &status);
    state << name << ' ' << status.st_ino << ' ' << status.st_size << ' ' << status.st_mtim.tv_sec
          << '.' << status.st_mtim.tv_nsec << ' ' << status.st_ctim.tv_sec << '.'
          << status.st_ctim.tv_nsec << ' ' << std::hash<std::string>()(contentOf(folder / name))
          << '\n';
  }
  return state.str();
}

bool isPlain(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || c == '\n' || c == '\r';
  });
}

/// What is asked of a mutant: by turns, so that each command meets each kind.
std::vector<std::vector<std::string>> commandsFor(uint64_t number, const std::string& file,
                                                  const std::string& output) {
  const std::vector<std::vector<std::string>> listings = {
      {"outlived", file, "-f", "json"},
      {"sockets", file, "-f", "csv"},
      {"snapshots", file, "-f", "table"},
      {"diff", file, "first", "last", "-f", "ndjson"},
      {"diff", file, "first", "last", "--by", "peer"},
      {"history", file, "--pid", "14", "--fd", "5"},
      {"sql", file, "SELECT * FROM fd_event", "-f", "ndjson"},
      {"sql", file, "SELECT count(*) FROM sockets", "--from", "2026-11-23"}};
  // Into a file, for it gives bytes as they are.
  const std::vector<std::vector<std::string>> shows = {
      {"show", file, "-s", "last"},
      {"show", file, "-s", "first", "14/limits", "-o", output},
      {"show", file, "-s", "2", "14/fd", "-o", output},
      {"show", file, "-s", "last", "14/net/tcp", "-o", output},
      {"show", file, "-s", "last", "14/fdinfo/5", "-o", output}};
  const std::vector<std::string> formats = {"text", "markdown", "html", "json"};
  const std::vector<std::string> exports = {"sqlite", "csv", "ndjson"};
  const uint64_t turn = number / static_cast<uint64_t>(mutantKinds());
  std::vector<std::vector<std::string>> commands = {
      {"check", file},
      {"report", file, "-f", formats[turn % formats.size()]},
      listings[turn % listings.size()],
      {"export", file, "-o", output, "--to", exports[turn % exports.size()]}};
  auto salvage = turn % 2 == 0 ? commands[1] : listings[(turn + 3) % listings.size()];
  salvage.emplace_back("--salvage");
  commands.push_back(salvage);
  commands.push_back(shows[turn % shows.size()]);
  if (turn % 2 == 1) commands.back().emplace_back("--salvage");
  return commands;
}

/// One worker's place.
class Hunt {
 public:
  explicit Hunt(std::vector<std::string> originals) : originals_(std::move(originals)) {
    fs::create_directory(folder_.path() / "archive");
    fs::create_directory(folder_.path() / "tmp");
  }

  /// What is wrong, one line each; empty: nothing.
  std::vector<std::string> meet(uint64_t number) {
    const std::string& original = originals_[number / 3 % originals_.size()];
    const Mutant mutant = makeMutant(number, original, folder_.file("scratch"));
    const fs::path place = folder_.path() / "archive";
    const std::string file = place / "a.db";
    writeFile(file, mutant.database);
    fs::remove(file + "-wal");
    if (!mutant.wal.empty()) writeFile(file + "-wal", mutant.wal);
    const std::string before = stateOf(place);
    std::vector<std::string> problems;
    for (auto command : commandsFor(number, file, folder_.file("output"))) {
      command.insert(command.begin(), FDANALYZE_PATH);
      const Run run = runMeasured(command, folder_.path());
      std::string problem = judge(run, file, mutant.database.size());
      if (stateOf(place) != before) problem += "the archive or its folder was changed; ";
      if (!namesIn(folder_.path() / "tmp").empty()) problem += "something is left in TMPDIR; ";
      fs::remove_all(folder_.file("output"));
      peak_cpu_ = std::max(peak_cpu_, run.cpu_seconds);
      peak_memory_ = std::max(peak_memory_, run.memory_mib);
      if (problem.empty()) continue;
      problems.push_back(mutant.what + ", " + command[1] + " " + command.back() + ": " + problem +
                         run.err.substr(0, 400));
    }
    return problems;
  }

  double peakCpu() const { return peak_cpu_; }
  double peakMemory() const { return peak_memory_; }
  std::string file() const { return folder_.path() / "archive/a.db"; }

 private:
  static std::string judge(const Run& run, const std::string& file, size_t bytes) {
    std::string problem;
    if (run.status != 0 && run.status != 1 && run.status != 3) {
      problem += "status " + std::to_string(run.status) + "; ";
    }
    if (run.cpu_seconds > 10) problem += std::to_string(run.cpu_seconds) + " s of CPU time; ";
#ifndef FDMORTEM_SANITIZED  // which takes memory of its own
    const double bound = 512 + 100 * static_cast<double>(bytes) / kMiB;
    if (run.memory_mib > bound) problem += std::to_string(run.memory_mib) + " MiB; ";
#else
    (void)bytes;
#endif
    const auto lines = std::count(run.err.begin(), run.err.end(), '\n');
    if (run.status == 1 && !namesFile(run.err, file)) problem += "a line does not name the file; ";
    if (run.status == 3 && lines < 1) problem += "nothing says what is missing; ";
    if (!isPlain(run.err) || !isPlain(run.out)) problem += "a control character was printed; ";
    return problem;
  }

  /// What there is to doubt may be told before the reason.
  static bool namesFile(const std::string& errors, const std::string& file) {
    std::istringstream lines(errors);
    std::string line;
    bool names = std::getline(lines, line) && line.find(file) != std::string::npos;
    while (std::getline(lines, line))
      names = names && line.starts_with("fdanalyze: " + file + ": ");
    return names;
  }

  std::vector<std::string> originals_;
  TemporaryDirectory folder_;
  double peak_cpu_ = 0;
  double peak_memory_ = 0;
};

std::vector<std::string> originals() {
  std::vector<std::string> files;
  for (const char* folder : {FDMORTEM_SEEDS_DIR, FDMORTEM_SAMPLES_DIR}) {
    for (const std::string& name : namesIn(folder)) {
      if (name.ends_with(".db")) files.push_back((fs::path(folder) / name).string());
    }
  }
  return files;
}

uint64_t numberIn(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::stoull(text) : otherwise;
}

TEST(Hostile, MutantsDoNoHarm) {
  const auto files = originals();
  ASSERT_GE(files.size(), 4U);
  if (const uint64_t only = numberIn("FDMORTEM_MUTANT", UINT64_MAX); only != UINT64_MAX) {
    Hunt hunt(files);
    for (const std::string& problem : hunt.meet(only))
      ADD_FAILURE() << problem;
    const fs::path kept = fs::temp_directory_path() / ("mutant-" + std::to_string(only) + ".db");
    fs::copy_file(hunt.file(), kept, fs::copy_options::overwrite_existing);
    std::cout << "kept as " << kept << '\n';
    return;
  }
  const uint64_t count = numberIn("FDMORTEM_MUTANTS", kMutantsInShort);
  std::atomic<uint64_t> next = numberIn("FDMORTEM_FIRST_MUTANT", 0);
  const uint64_t end = next + count;
  std::mutex mutex;
  double cpu = 0;
  double memory = 0;
  const auto work = [&] {
    Hunt hunt(files);
    for (uint64_t number = next++; number < end; number = next++) {
      for (const std::string& problem : hunt.meet(number)) {
        const std::lock_guard lock(mutex);
        ADD_FAILURE() << problem;
      }
    }
    const std::lock_guard lock(mutex);
    cpu = std::max(cpu, hunt.peakCpu());
    memory = std::max(memory, hunt.peakMemory());
  };
  std::vector<std::jthread> workers;
  for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
    workers.emplace_back(work);
  workers.clear();
  std::cout << count << " mutants; at most " << cpu << " s of CPU time, " << memory
            << " MiB of memory\n";
}

/// The system calls that change a file or reach out of the process.
constexpr const char* kChanges =
    "trace=open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,"
    "link,linkat,symlink,symlinkat,truncate,chmod,fchmodat,chown,fchownat,utimensat,mknod,mknodat,"
    "setxattr,execve,connect,bind,socket,kill,ptrace,mount";

/// The lines of a trace that are of something else than reading, or of a file in `allowed`.
std::string writesIn(const std::string& trace, const std::vector<std::string>& allowed) {
  std::string writes;
  std::istringstream lines(trace);
  for (std::string line; std::getline(lines, line);) {
    const bool is_exec = line.find("execve(") != std::string::npos;
    const bool is_exit = line.starts_with("+++") || line.starts_with("---");
    // Of two threads at once: the call itself is the line that was left unfinished.
    const size_t after_pid = line.find_first_not_of("0123456789 ");
    const bool is_end = line.compare(std::min(after_pid, line.size()), 5, "<... ") == 0;
    const bool reads =
        line.find("O_RDONLY") != std::string::npos && line.find("O_CREAT") == std::string::npos;
    const bool is_allowed = std::any_of(allowed.begin(), allowed.end(), [&](const auto& path) {
      return line.find('"' + path) != std::string::npos ||
             line.find('<' + path) != std::string::npos;
    });
    if (!is_exec && !is_exit && !is_end && !reads && !is_allowed) writes += line + '\n';
  }
  return writes;
}

// strace sees what a look at the folder does not: what was written and taken back, or elsewhere.
TEST(Hostile, MutantsMakeItWriteNowhere) {
  const auto files = originals();
  const TemporaryDirectory folder;
  fs::create_directory(folder.path() / "tmp");
  const std::string trace = folder.file("trace");
  if (runProgram({"strace", "-o", trace, "true"}).status != 0)
    GTEST_SKIP() << "strace does not run";
  const std::string file = folder.file("a.db");
  const std::string output = folder.file("output");
  for (int kind = 0; kind < mutantKinds(); ++kind) {
    const auto number = static_cast<uint64_t>(kind + mutantKinds() * 4);
    const Mutant mutant = makeMutant(number, files[0], folder.file("scratch"));
    writeFile(file, mutant.database);
    fs::remove(file + "-wal");
    if (!mutant.wal.empty()) writeFile(file + "-wal", mutant.wal);
    for (const auto& command : commandsFor(number, file, output)) {
      std::vector<std::string> argv = {"strace", "-f",     "-y", "-qq", "-s",          "4096",
                                       "-e",     kChanges, "-o", trace, FDANALYZE_PATH};
      argv.insert(argv.end(), command.begin(), command.end());
      runProgram(argv, {}, kDeadline,
                 {.environment = {{"TMPDIR", folder.path() / "tmp"}}, .directory = {}});
      EXPECT_EQ(writesIn(contentOf(trace), {(folder.path() / "tmp").string() + "/", output}), "")
          << mutant.what << ", " << command[0];
      fs::remove_all(output);
    }
  }
}

}  // namespace
}  // namespace fdmortem::test
