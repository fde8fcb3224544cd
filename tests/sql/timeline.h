// An analysis database from a drawing: one line a thing, one column a snapshot.
//
//   snapshots:   R     .     .     R
//   process a:   ok    .     fail  ok
//   fd a/3:      s500  .     .     .
//   tcp 500:     EST   .     -     .
//   read tcp:    whole .     .     failed
//
// Snapshots are numbered from 1 and are 10 s apart. R starts a recording, B one of another boot, K
// is a keyframe, `.` any other; the first always starts one.
//
// In the lines of things a value is a row of the change table: the thing is (now) like this. `-` is
// the row that says it has gone. `.` is no row; in a keyframe it is the one that repeats what is
// there, as fdcapture writes it. `_` is no row in a keyframe either, and what was there is
// forgotten. A row's change is Present in a keyframe, else Appeared or Changed; `+` before a value
// makes it Appeared, `=` Present.
//
// What comes before the colon are the kind, the name and NAME=VALUE pairs:
//   process NAME   ok, fail                  pid=, start=, parent= (a pid), comm=, exe=, netns=,
//                                            boot=, cmdline=
//   fd NAME/FD     sN (a socket), pN (a pipe), ? (unreadable), else a text
//                                            protocol= (TCP for sockets, none: NULL), type=, links=
//   limit NAME     SOFT/HARD of open files, u for unlimited       resource=
//   tcp, tcp6, udp, udp6 INODE   EST, SYN, FW1, FW2, CLOSE, CW, LA, LISTEN, CLOSING
//                                            local=, remote=, netns=
//   queue INODE    bytes unread, or UNREAD/UNACKNOWLEDGED/RETRANSMITS/PROBES
//                                            table= (1), timer= (0), netns=
//   timewait PORT  a count of TIME_WAIT rows table= (1), netns=
//   unix INODE     on                        path=, type=, references= (3), netns=
//   netlink INODE  on                        netns=
//   read TABLE     none, whole, absent, failed, part              netns=
//   look NAME/FD   same, same2 (the tables were read twice), closed, replaced, failed
//   autopsy NAME/FD  dead (once connected), refused, never, alive,
//                                            half (CLOSE_WAIT);
//                                            inode=, local=, remote=, netns= (not told), asked_at=
//                                            seconds: alike in two lines, one repeats the other
//   epoll NAME/FD  on                        watched=, inode=
//   failure WHAT   a count                   errno=, pid=, operation= (read)
//   log KIND       lines of a log that complain  KIND as in the table `mark`
//   wall, boottime seconds, one a snapshot, instead of 10 s steps
//   files          ALLOCATED/MAXIMUM of the host
//   missed, late   snapshots, milliseconds
// A recording has ended, unless the line of snapshots says ended=no, and tells its boot, unless
// that says boot=unknown; with options=JSON there it tells these (without blanks). A namespace
// whose tables have no `read` line has tcp, tcp6, udp, udp6, unix and netlink read whole in every
// snapshot. Namespaces are 1 unless said otherwise; their inode numbers are 4000 and on.
#pragma once

#include <string>
#include <string_view>

#include <SQLiteCpp/SQLiteCpp.h>

namespace fdmortem::test {

class Timeline {
 public:
  /// Fills the tables of schema/analysis.sql and runs schema/views/. Throws std::runtime_error with
  /// the line where the drawing is no such drawing, SQLite::Exception where a view fails.
  explicit Timeline(std::string_view drawing, int64_t grace_ms = 30'000);

  /// A query's rows, a line each, with a blank between two columns; NULL is `-`.
  std::string rows(const std::string& query);
  /// verdict_span of one fd by name: `1-2 connected, 3-4 outlived history`.
  std::string verdicts(const std::string& name, int fd);
  /// Changes what the drawing can't say. Tables of views/ that are made already stay as they are.
  void exec(const std::string& sql) { database_.exec(sql); }

 private:
  SQLite::Database database_;
};

}  // namespace fdmortem::test
