// Snapshots made by hand.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "capture/snapshot.h"

namespace fdmortem::test {

constexpr uint8_t kEstablished = 1;  // TCP_* of include/net/tcp_states.h
constexpr uint8_t kCloseWait = 8;
constexpr uint8_t kListening = 10;

inline FdRecord socketFd(int32_t fd, uint64_t inode) {
  return {.fd = fd,
          .link = {.type = LinkType::Socket, .number = inode, .text = {}},
          .protocol = "TCP",
          .info = FdInfo{.position = 0, .flags = 2, .mount_id = 9, .inode = inode}};
}

inline FdRecord fileFd(int32_t fd, const std::string& path, uint64_t inode = 77) {
  return {.fd = fd,
          .link = {.type = LinkType::Text, .number = 0, .text = path},
          .protocol = {},
          .info = FdInfo{.position = 0, .flags = 1, .mount_id = 20, .inode = inode},
          .link_count = 1,
          .file_type = 8};
}

inline ProcessRecord processWith(std::vector<FdRecord> fds, int32_t pid = 7) {
  ProcessRecord process{.identity = {pid, 1000}};
  process.parent_pid = 1;
  process.comm = "server";
  process.exe = "/usr/bin/server";
  process.cmdline = std::string("server\0-x\0", 10);
  process.cgroup = "/system.slice";
  process.status = ProcessStatus{0, 0};
  process.netns = 4000;
  process.limits = std::vector<Limit>{{"Max open files", 1024, 4096, "files"}};
  process.fd_list_status = ReadStatus::Whole;
  process.fds = std::move(fds);
  return process;
}

/// 192.0.2.1:9091 <- 198.51.100.7:PORT, PORT being 40000 + the inode.
inline InetRow tcpRow(uint64_t inode, uint8_t state = kEstablished) {
  InetRow row;
  row.local = {.address = {.bytes = {192, 0, 2, 1}, .length = 4}, .port = 9091};
  row.remote = {.address = {.bytes = {198, 51, 100, 7}, .length = 4},
                .port = static_cast<uint16_t>(40000 + inode)};
  row.state = state;
  row.inode = inode;
  return row;
}

inline NetnsRecord netnsWith(std::vector<InetRow> tcp, uint64_t inode = 4000) {
  NetnsRecord netns{.inode = inode};
  netns.status.fill(ReadStatus::Whole);
  netns.inet.at(0) = std::move(tcp);
  return netns;
}

inline Snapshot snapshotOf(std::vector<ProcessRecord> processes,
                           std::vector<NetnsRecord> namespaces = {}) {
  Snapshot snapshot;
  snapshot.clocks = {.wall_ns = 1'767'225'600'000'000'000, .monotonic_ns = 50, .boottime_ns = 60};
  snapshot.processes = std::move(processes);
  snapshot.namespaces = std::move(namespaces);
  return snapshot;
}

}  // namespace fdmortem::test
