#include "capture/collect/second_look.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include <fmt/core.h>

#include "capture/collect/autopsy.h"
#include "capture/collect/net_collector.h"
#include "capture/collect/process_collector.h"
#include "schema/readers/fd.h"
#include "schema/readers/net_rows.h"

namespace fdmortem {
namespace {

constexpr std::array kTcpTables = {NetTable::Tcp, NetTable::Tcp6};
constexpr uint8_t kListen = 10;  // TCP_LISTEN of include/net/tcp_states.h

std::vector<InetRow>& rowsOf(NetnsRecord& netns, NetTable table) {
  return netns.inet.at(static_cast<size_t>(table) - 1);
}

const std::vector<InetRow>& rowsOf(const NetnsRecord& netns, NetTable table) {
  return netns.inet.at(static_cast<size_t>(table) - 1);
}

/// Adds the inodes of a table, which is sorted by them, to others that are sorted.
template <class Row, class Inode>
void mergeInodes(const std::vector<Row>& rows, Inode inode, std::vector<uint64_t>& inodes) {
  if (rows.empty()) return;
  const size_t count = inodes.size();
  inodes.reserve(count + rows.size());
  for (const Row& row : rows)
    inodes.push_back(inode(row));
  const auto middle = inodes.begin() + static_cast<std::ptrdiff_t>(count);
  std::inplace_merge(inodes.begin(), middle, inodes.end());
}

/// The inodes that any table of any namespace lists, sorted: a set of as many would take several
/// times the memory.
std::vector<uint64_t> listedInodes(const Snapshot& snapshot) {
  std::vector<uint64_t> inodes;
  const auto inode = [](const auto& row) { return row.inode; };
  for (const NetnsRecord& netns : snapshot.namespaces) {
    for (const auto& rows : netns.inet)
      mergeInodes(rows, inode, inodes);
    mergeInodes(
        netns.unix_rows, [](const UnixRecord& record) { return record.row.inode; }, inodes);
    mergeInodes(netns.netlink_rows, inode, inodes);
    mergeInodes(netns.packet_rows, inode, inodes);
  }
  return inodes;
}

/// The namespace in which a snapshot lists a connection of this socket; empty: in none.
std::optional<uint64_t> connectionIn(const Snapshot& snapshot, uint64_t inode) {
  if (inode == 0) return {};
  for (const NetnsRecord& netns : snapshot.namespaces) {
    for (const NetTable table : kTcpTables) {
      const auto& rows = rowsOf(netns, table);  // sorted by inode first of all
      const auto begin =
          std::lower_bound(rows.begin(), rows.end(), inode,
                           [](const InetRow& row, uint64_t number) { return row.inode < number; });
      for (auto row = begin; row != rows.end() && row->inode == inode; ++row) {
        if (row->state != kListen) return netns.inode;
      }
    }
  }
  return {};
}

bool hasTcpTables(const NetnsRecord& netns) {
  return std::all_of(kTcpTables.begin(), kTcpTables.end(), [&](NetTable table) {
    const ReadStatus status = netns.status.at(static_cast<size_t>(table) - 1);
    return status == ReadStatus::Whole || status == ReadStatus::Absent;
  });
}

class SecondLooker {
 public:
  SecondLooker(const ProcSource& source, const Snapshot* previous, Snapshot& now,
               bool with_autopsies, TextLog& texts, FailureLog& failures)
      : source_(source),
        now_(now),
        with_autopsies_(with_autopsies),
        texts_(texts),
        failures_(failures),
        listed_(listedInodes(now)) {
    if (previous != nullptr) findVanished(*previous);
  }

  void run() {
    for (const auto& [netns, inodes] : vanished_)
      readTablesAgain(netns, inodes);
    for (ProcessRecord& process : now_.processes)
      lookAtProcess(process);
  }

 private:
  /// The TCP tables of the namespace were read, so that an unlisted socket has no connection there.
  bool tablesTell(std::optional<uint64_t> netns_inode) const {
    return std::any_of(now_.namespaces.begin(), now_.namespaces.end(), [&](const auto& netns) {
      return netns_inode == netns.inode && hasTcpTables(netns);
    });
  }

  bool isListed(const FdRecord& fd) const {
    return std::binary_search(listed_.begin(), listed_.end(), fd.link.number);
  }

  void findVanished(const Snapshot& previous) {
    for (const ProcessRecord& process : now_.processes) {
      for (const FdRecord& fd : process.fds) {
        if (fd.link.type != LinkType::Socket || isListed(fd)) continue;
        const auto netns = connectionIn(previous, fd.link.number);
        if (netns) vanished_[*netns].insert(fd.link.number);
      }
    }
  }

  void readTablesAgain(uint64_t netns_inode, const std::unordered_set<uint64_t>& inodes) {
    const auto netns = std::find_if(now_.namespaces.begin(), now_.namespaces.end(),
                                    [&](const NetnsRecord& n) { return n.inode == netns_inode; });
    if (netns == now_.namespaces.end()) return;  // nobody lives there any more
    // A second reading adds to a whole first one; it is no substitute for it.
    if (!hasTcpTables(*netns)) return;
    std::vector<ProcessIdentity> inhabitants;
    for (const ProcessRecord& process : now_.processes) {
      if (process.netns == netns_inode) inhabitants.push_back(process.identity);
    }
    auto tables = readTcpTables(source_, netns_inode, inhabitants, texts_);
    if (!tables) return;
    addFound(rowsOf(*netns, NetTable::Tcp), tables->tcp, inodes);
    addFound(rowsOf(*netns, NetTable::Tcp6), tables->tcp6, inodes);
    read_twice_.insert(inodes.begin(), inodes.end());
  }

  void addFound(std::vector<InetRow>& rows, const std::vector<InetRow>& second,
                const std::unordered_set<uint64_t>& inodes) {
    const size_t count = rows.size();
    for (const InetRow& row : second) {
      if (!inodes.contains(row.inode)) continue;
      rows.push_back(row);
      listed_.insert(std::upper_bound(listed_.begin(), listed_.end(), row.inode), row.inode);
    }
    if (rows.size() > count) sortInetRows(rows);
  }

  void lookAtProcess(ProcessRecord& process) {
    FileHandle files, links;  // opened for the first fd that needs them
    int open_error = 0;
    bool may_autopsy = with_autopsies_ && tablesTell(process.netns);
    std::optional<SocketExaminer> examiner;
    for (FdRecord& fd : process.fds) {
      if (fd.link.type != LinkType::Socket) continue;
      const bool is_listed = isListed(fd);
      // What it said when it was unlisted is no longer so.
      if (is_listed) fd.autopsy.reset();
      if (is_listed && !fd.protocol.empty()) continue;
      if (!files && open_error == 0) {
        const auto selected = openProcess(source_, process.identity);
        if (selected) files = filesDirectory(*selected);
        auto folder = selected ? ProcSource::openDirectory(files.get(), "fd")
                               : tl::unexpected(selected.error());
        if (folder) links = std::move(*folder);
        open_error = folder ? 0 : folder.error();
        if (may_autopsy && selected && selected->stat.isExiting()) {
          may_autopsy = false;
          failures_.add(
              Failure{.operation = "pidfd_getfd",
                      .subject = std::to_string(process.identity.pid),
                      .pid = process.identity.pid,
                      .error_number = {},
                      .detail = "its main thread has ended, and fds are taken from that"});
        }
      }
      SecondLookRecord look{.process = process.identity, .fd = fd.fd};
      if (read_twice_.contains(fd.link.number) && !is_listed) look.table_reads = 2;
      lookAtFd(links.get(), open_error, fd, look);
      if (may_autopsy && !is_listed && look.outcome == SecondLook::Same && isTcp(fd)) {
        if (!examiner) examiner.emplace(files.get(), process.identity.pid, failures_);
        autopsy(*examiner, process.identity, fd);
        with_autopsies_ = may_autopsy = examiner->isPossible();
      }
      const bool is_news = look.outcome != SecondLook::Same || look.table_reads > 1;
      if (is_news && !is_listed) now_.second_looks.push_back(look);
    }
  }

  void lookAtFd(int links, int open_error, FdRecord& fd, SecondLookRecord& look) {
    const int32_t pid = look.process.pid;
    OrErrno<std::string> protocol;
    int error = open_error;
    if (error == 0) {
      const std::string name = std::to_string(fd.fd);
      if (fd.protocol.empty()) protocol = ProcSource::socketProtocol(links, name);
      error = ProcSource::readLink(links, name.c_str(), link_);
    }
    if (error == ENOENT || error == ESRCH) {
      look.outcome = SecondLook::Closed;
    } else if (error != 0) {
      look.outcome = SecondLook::Failed;
      look.error_number = error;
      failures_.add("readlink", fmt::format("{}/fd/{}", pid, fd.fd), pid, error);
    } else if (parseFdLink(link_) != fd.link) {
      look.outcome = SecondLook::Replaced;
    } else if (fd.protocol.empty()) {
      // Only now is it sure that it was this socket that was asked.
      if (protocol) {
        fd.protocol = SharedName(*protocol);
      } else {
        failures_.add("getxattr", fmt::format("{}/fd/{}", pid, fd.fd), pid, protocol.error());
      }
    }
  }

  static bool isTcp(const FdRecord& fd) {
    return fd.protocol == "TCP" || fd.protocol == "TCPv6" || fd.protocol == "MPTCP" ||
           fd.protocol == "MPTCPv6";
  }

  /// Nothing new can have become of it: if it were connected anew, its table would list it.
  bool saidAll(const FdRecord& fd) const {
    return fd.autopsy && fd.autopsy->isDead() &&
           (!fd.autopsy->netns || tablesTell(fd.autopsy->netns));
  }

  void autopsy(SocketExaminer& examiner, const ProcessIdentity& process, FdRecord& fd) {
    if (saidAll(fd)) return;
    auto record = examiner.examine(fd.fd, fd.link.number, now_.clocks);
    if (!record || (fd.autopsy && fd.autopsy->saysTheSameAs(*record))) return;
    const auto [first, last] = told_.equal_range(fd.link.number);
    const auto same = std::find_if(
        first, last, [&](const auto& other) { return other.second->saysTheSameAs(*record); });
    if (!fd.autopsy && same != last) {
      // Another fd of this socket, and not one that has its number by chance.
      fd.autopsy = same->second;
      return;
    }
    // An fd that once had an answer of its own has all later ones too: a reader then needs no
    // other's.
    record->process = process;
    fd.autopsy = std::make_shared<const AutopsyRecord>(*record);
    told_.emplace(fd.link.number, fd.autopsy);
    now_.autopsies.push_back(fd.autopsy);
  }

  const ProcSource& source_;
  Snapshot& now_;
  bool with_autopsies_;
  TextLog& texts_;
  FailureLog& failures_;
  std::vector<uint64_t> listed_;  ///< sorted
  /// By namespace, the sockets that the snapshot before lists, this one does not, and an fd still
  /// holds.
  std::unordered_map<uint64_t, std::unordered_set<uint64_t>> vanished_;
  std::unordered_set<uint64_t> read_twice_;
  /// By inode, what those said that were asked now. Not what they said earlier: an fd that comes
  /// later needs a row in the snapshot since which it is there.
  std::unordered_multimap<uint64_t, std::shared_ptr<const AutopsyRecord>> told_;
  std::string link_;
};

}  // namespace

void takeSecondLook(const ProcSource& source, const Snapshot* previous, Snapshot& now,
                    bool with_autopsies, TextLog& texts, FailureLog& failures) {
  SecondLooker(source, previous, now, with_autopsies, texts, failures).run();
}

}  // namespace fdmortem
