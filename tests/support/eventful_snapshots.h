// Snapshots in which something of each kind happens.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/snapshots.h"
#include "tests/support/test_archive.h"

namespace fdmortem::test {

inline FdRecord epollFd(int32_t fd, uint64_t watched_inode) {
  FdRecord epoll = fileFd(fd, "anon_inode:[eventpoll]");
  epoll.info->watches = {
      {.watched_fd = 3, .events = 1, .data = 8, .position = 0, .inode = watched_inode}};
  epoll.info->position = 12;
  return epoll;
}

/// Each kind of change in some snapshot; the fourth is a keyframe.
inline std::vector<Snapshot> eventfulSnapshots() {
  NetnsRecord netns = netnsWith({tcpRow(500), tcpRow(501)});
  netns.inet[0][0].rx_queue = 7;
  netns.unix_rows = {{.row = {.inode = 9, .path = "/run/x"}}};
  netns.netlink_rows = {{.inode = 10}};
  netns.packet_rows = {{.inode = 11}};
  netns.sockstat[0] = {{"TCP.inuse", 3}};
  netns.time_wait[0] = {{.local_port = uint16_t{9091}, .count = 4}};
  const Snapshot first =
      snapshotOf({processWith({socketFd(3, 500), fileFd(4, "/x"), epollFd(6, 500)}),
                  processWith({fileFd(0, "/y")}, 8)},
                 {netns});
  Snapshot second = first;
  second.processes[0].fds[1] = fileFd(4, "/z");          // another file
  second.processes[0].fds.push_back(fileFd(7, "/new"));  // opened
  second.namespaces[0].inet[0][1].state = kCloseWait;
  second.namespaces[0].inet[0].push_back(tcpRow(502));
  Snapshot third = second;
  third.processes[0].fds.pop_back();  // closed
  third.processes.pop_back();         // ended
  third.namespaces[0].inet[0].erase(third.namespaces[0].inet[0].begin());
  third.second_looks = {{.process = {7, 1000}, .fd = 3, .table_reads = 2}};
  third.autopsies = {std::make_shared<const AutopsyRecord>(
      AutopsyRecord{.inode = 500, .process = {7, 1000}, .fd = 3, .state = 7, .peer_error = 107})};
  Snapshot fourth = third;
  fourth.second_looks.clear();
  fourth.autopsies.clear();
  return {first, second, third, fourth, fourth};
}

/// One recording of `all`, 10 s apart, with keyframes at the first and the fourth.
inline void writeWithKeyframe(const std::string& path, const std::vector<Snapshot>& all) {
  StoredRecording recording(path);
  int64_t count = 0;
  for (Snapshot now : all) {
    delay(now, count * 10);
    recording.add(std::move(now), ++count == 4);
  }
  recording.end();
}

}  // namespace fdmortem::test
