// Makes an archive as fdcapture would have recorded it: one process of many socket fds, of which a
// part is replaced between two snapshots. The real change detector and the real writer store it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include "capture/archive/writer.h"
#include "capture/changes.h"
#include "capture/snapshot.h"

namespace fdmortem::bench {
namespace {

constexpr ProcessIdentity kProcess{.pid = 4711, .start_ticks = 1000};
constexpr uint64_t kNetns = 4026531840;
constexpr uint16_t kPort = 9091;
constexpr int32_t kListener = 3;
constexpr int64_t kStartNs = 1'763'800'000'000'000'000;
constexpr int64_t kBootNs = 3600'000'000'000;

struct Options {
  std::string output;
  int32_t fds = 18'000;
  int64_t snapshots = 8'640;
  double churn_percent = 0.1;
  int64_t interval_ms = 10'000;
};

/// What the connection of an fd is: of 18 fds 11 live, 5 dead, 2 in CLOSE_WAIT.
enum class Fate { Live, Dead, CloseWait };

Fate fateOf(int32_t fd) {
  const int32_t place = fd % 18;
  return place < 11 ? Fate::Live : place < 16 ? Fate::Dead : Fate::CloseWait;
}

Endpoint endpoint(uint8_t host, uint16_t port) {
  Endpoint result{.port = port};
  result.address.bytes = {192, 0, 2, host};
  result.address.length = 4;
  return result;
}

/// One process through time.
class Host {
 public:
  Host(const Options& options, const Clocks& now) : options_(options) {
    now_.clocks = now;
    ProcessRecord process{
        .identity = kProcess, .parent_pid = 1, .comm = "server", .exe = "/srv/server"};
    process.cmdline = std::string("server\0", 7);
    process.cgroup = "/system.slice/server.service";
    process.status = ProcessStatus{};
    process.netns = kNetns;
    process.limits = {
        {"Max open files", static_cast<uint64_t>(options.fds) + 1000, 1'048'576, "files"}};
    process.fd_list_status = ReadStatus::Whole;
    process.fds.push_back(socketFd(kListener, 1));
    for (int32_t i = 1; i < options.fds; ++i) {
      process.fds.push_back({});
      replace(process.fds.back(), kListener + i);
    }
    now_.processes.push_back(std::move(process));
    listTables();
  }

  const Snapshot& now() const { return now_; }

  /// The next snapshot.
  void advance(const Clocks& now) {
    now_.clocks = now;
    now_.autopsies.clear();
    auto& fds = now_.processes.front().fds;
    const auto count = static_cast<int64_t>(options_.churn_percent * options_.fds / 100);
    std::uniform_int_distribution<size_t> any(1, fds.size() - 1);
    for (int64_t i = 0; i < count; ++i) {
      FdRecord& fd = fds[any(random_)];
      replace(fd, fd.fd);
    }
    listTables();
  }

 private:
  static FdRecord socketFd(int32_t fd, uint64_t inode) {
    FdRecord record{.fd = fd, .link = {LinkType::Socket, inode, {}}, .protocol = "TCP"};
    record.info = FdInfo{.position = 0, .flags = 02004002, .mount_id = 9, .inode = inode};
    return record;
  }

  /// Another socket behind the number, of the same fate.
  void replace(FdRecord& fd, int32_t number) {
    fd = socketFd(number, ++last_inode_);
    if (fateOf(number) != Fate::Dead) return;
    auto autopsy = std::make_shared<AutopsyRecord>();
    autopsy->inode = last_inode_;
    autopsy->process = kProcess;
    autopsy->fd = number;
    autopsy->asked_at_ns = now_.clocks.wall_ns;
    autopsy->state = 7;  // TCP_CLOSE
    autopsy->local = endpoint(1, kPort);
    autopsy->remote = peerOf(last_inode_);
    autopsy->netns = kNetns;
    autopsy->rtt_us = 100 + last_inode_ % 900;
    autopsy->min_rtt_us = 90;
    autopsy->last_data_sent_ms = 1000 + last_inode_ % 5000;
    autopsy->last_data_received_ms = 900 + last_inode_ % 5000;
    autopsy->last_ack_received_ms = 900;
    autopsy->bytes_acked = 1 + last_inode_ % 10'000;
    autopsy->bytes_received = last_inode_ % 100'000;
    autopsy->segments_out = autopsy->segments_in = 10;
    autopsy->data_segments_out = autopsy->data_segments_in = autopsy->delivered = 5;
    autopsy->retransmits = 0;
    now_.autopsies.push_back(autopsy);
    fd.autopsy = std::move(autopsy);
  }

  static Endpoint peerOf(uint64_t inode) {
    return endpoint(static_cast<uint8_t>(10 + inode % 200),
                    static_cast<uint16_t>(1024 + inode * 7 % 60'000));
  }

  void listTables() {
    NetnsRecord netns{.inode = kNetns};
    netns.status[0] = ReadStatus::Whole;
    netns.status[1] = ReadStatus::Absent;
    for (const FdRecord& fd : now_.processes.front().fds) {
      InetRow row{.local = endpoint(1, kPort), .inode = fd.link.number};
      if (fd.fd == kListener) {
        row.remote = endpoint(0, 0);
        row.remote.address.bytes = {};
        row.state = 10;
      } else if (fateOf(fd.fd) != Fate::Dead) {
        row.remote = peerOf(fd.link.number);
        row.state = fateOf(fd.fd) == Fate::Live ? 1 : 8;
      } else {
        continue;
      }
      netns.inet[0].push_back(row);
    }
    std::sort(netns.inet[0].begin(), netns.inet[0].end(),
              [](const InetRow& a, const InetRow& b) { return a.inode < b.inode; });
    now_.namespaces.clear();
    now_.namespaces.push_back(std::move(netns));
  }

  const Options& options_;
  Snapshot now_;
  uint64_t last_inode_ = 1;
  std::mt19937_64 random_{1};
};

Clocks clocksAt(const Options& options, int64_t snapshot) {
  const int64_t passed_ns = snapshot * options.interval_ms * 1'000'000;
  return {kStartNs + passed_ns, kBootNs + passed_ns, kBootNs + passed_ns};
}

void make(const Options& options) {
  ArchiveWriter writer(options.output);
  writer.beginRecording({.started_at_ns = kStartNs,
                         .boot_id = "00000000-0000-4000-8000-000000000000",
                         .host_name = "bench",
                         .kernel_release = "6.18",
                         .machine = "x86_64",
                         .interval_ms = options.interval_ms,
                         .options = {"record"}});
  Host host(options, clocksAt(options, 0));
  Snapshot previous;
  for (int64_t i = 0; i < options.snapshots; ++i) {
    if (i > 0) host.advance(clocksAt(options, i));
    const Snapshot& now = host.now();
    const bool keyframe = writer.wantsKeyframe(now.clocks);
    const ChangeSet changes = detectChanges(i > 0 ? &previous : nullptr, now, keyframe);
    const auto stored = writer.write(now, changes, {.keyframe = keyframe});
    if (!stored) throw std::runtime_error(stored.error().message);
    previous = now;
  }
  writer.endRecording(clocksAt(options, options.snapshots).wall_ns, "count");
}

}  // namespace
}  // namespace fdmortem::bench

int main(int argc, char** argv) {
  fdmortem::bench::Options options;
  CLI::App app("Makes an archive as a recording of a busy server would have.");
  app.add_option("-o,--output", options.output, "the archive; must not exist")->required();
  app.add_option("--fds", options.fds, "fds of the process")->check(CLI::Range(2, 10'000'000));
  app.add_option("--snapshots", options.snapshots, "how many");
  app.add_option("--churn", options.churn_percent, "percent of the fds replaced between two");
  app.add_option("--interval-ms", options.interval_ms, "between two");
  CLI11_PARSE(app, argc, argv);
  try {
    fdmortem::bench::make(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "make_archive: {}\n", error.what());
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
