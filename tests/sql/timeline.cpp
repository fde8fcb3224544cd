#include "tests/sql/timeline.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "analyze/growth_table.h"
#include "schema/format.h"
#include "schema/sql.h"
#include "schema/time_text.h"

namespace fdmortem::test {

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStartNs = 1'767'225'600 * kSecondNs;  // 2026-01-01T00:00:00Z
constexpr int64_t kBootNs = 5000 * kSecondNs;
constexpr int kFirstNetnsInode = 4000;

/// Kinds of lines that say something of the snapshots.
const std::set<std::string> kOfSnapshots = {"snapshots", "wall",   "boottime",
                                            "files",     "missed", "late"};

using Attributes = std::map<std::string, std::string>;

/// One line of a drawing.
struct Line {
  std::string kind;
  std::string name;
  Attributes attributes;
  std::vector<std::string> cells;

  std::string attribute(const std::string& key, const std::string& missing) const {
    const auto found = attributes.find(key);
    return found != attributes.end() ? found->second : missing;
  }
  int64_t number(const std::string& key, int64_t missing) const {
    return std::stoll(attribute(key, std::to_string(missing)));
  }
};

Line parseLine(const std::string& text) {
  const size_t colon = text.find(": ");
  if (colon == std::string::npos) throw std::runtime_error("no cells: " + text);
  Line line;
  std::istringstream head(text.substr(0, colon));
  head >> line.kind;
  for (std::string word; head >> word;) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) {
      line.name = word;
    } else {
      line.attributes[word.substr(0, equals)] = word.substr(equals + 1);
    }
  }
  std::istringstream cells(text.substr(colon + 1));
  for (std::string cell; cells >> cell;)
    line.cells.push_back(cell);
  return line;
}

/// A text for SQL.
std::string sqlText(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += '\'';
    result += c;
  }
  return result + "'";
}

/// Turns lines into rows.
class Drawing {
 public:
  Drawing(SQLite::Database& database, std::string_view text) : database_(database) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
      if (line.find_first_not_of(' ') != std::string::npos) lines_.push_back(parseLine(line));
    }
  }

  void fill() {
    snapshots();
    for (const Line& line : lines_) {
      if (line.kind == "process") process(line);
    }
    for (const Line& line : lines_) {
      const size_t given = line.cells.size();
      if (given != keyframes_.size()) {
        throw std::runtime_error(fmt::format("{} {}: {} cells", line.kind, line.name, given));
      }
      dispatch(line);
    }
    tablesReadWhole();
  }

 private:
  /// What a cell says: nothing, or a change with the value.
  struct Row {
    int64_t snapshot;
    Change change;
    std::string value;
  };

  template <class... Values>
  void insert(std::string_view table, const Values&... values) {
    std::string text;
    ((text += (text.empty() ? "" : ",") + fmt::format("{}", values)), ...);
    database_.exec(fmt::format("INSERT INTO {} VALUES ({})", table, text));
  }

  const Line* find(std::string_view kind) const {
    for (const Line& line : lines_) {
      if (line.kind == kind) return &line;
    }
    return nullptr;
  }

  /// The cell of a line that there is at most once.
  std::string cellOf(std::string_view kind, size_t index, const std::string& missing) const {
    const Line* line = find(kind);
    return line != nullptr ? line->cells.at(index) : missing;
  }

  int64_t timeNs(std::string_view kind, size_t index, int64_t start_ns) const {
    const Line* line = find(kind);
    const int64_t seconds =
        line != nullptr ? std::stoll(line->cells.at(index)) : static_cast<int64_t>(index) * 10;
    return start_ns + seconds * kSecondNs;
  }

  void snapshots() {
    const Line* line = find("snapshots");
    if (line == nullptr) throw std::runtime_error("no line of snapshots");
    for (size_t i = 0; i < line->cells.size(); ++i) {
      const std::string& cell = line->cells[i];
      const bool starts = i == 0 || cell == "R" || cell == "B";
      if (cell == "B") ++boot_;
      if (starts) recording(*line);
      starts_.push_back(starts);
      keyframes_.push_back(starts || cell == "K");
      const std::string files = cellOf("files", i, "NULL/NULL");
      const size_t slash = files.find('/');
      const int64_t wall_ns = timeNs("wall", i, kStartNs);
      const int64_t boottime_ns = timeNs("boottime", i, kBootNs);
      insert("snapshot", i + 1, recordings_, keyframes_.back() ? 1 : 0, 0,
             sqlText(formatTime(wall_ns)), wall_ns, boottime_ns, boottime_ns,
             1000 * std::stoll(cellOf("late", i, "0")), cellOf("missed", i, "0"), 0, 0, 0, 0, 0, 0,
             0, starts ? "NULL" : "0", files.substr(0, slash), files.substr(slash + 1), "NULL",
             "NULL", "NULL");
    }
    database_.exec(
        "UPDATE recording SET (first_snapshot, last_snapshot) = "
        "(SELECT min(id), max(id) FROM snapshot WHERE recording = recording.id)");
  }

  void recording(const Line& line) {
    const bool has_ended = line.attribute("ended", "yes") == "yes";
    const bool has_boot = line.attribute("boot", "known") == "known";
    database_.exec(fmt::format(
        "INSERT INTO recording (id, boot_id, interval_ms, clock_ticks_per_second, ended_at, "
        "options)"
        " VALUES ({}, {}, 10000, 100, {}, {})",
        ++recordings_, has_boot ? sqlText(fmt::format("boot-{}", boot_)) : "NULL",
        has_ended ? "'2026-01-02T00:00:00.000Z'" : "NULL",
        line.attributes.contains("options") ? sqlText(line.attribute("options", "")) : "NULL"));
  }

  std::vector<Row> rowsOf(const Line& line) const {
    std::vector<Row> rows;
    std::string there;  // empty: nothing
    for (size_t i = 0; i < line.cells.size(); ++i) {
      std::string cell = line.cells[i];
      const auto id = static_cast<int64_t>(i) + 1;
      if (cell == "_") {
        there.clear();
      } else if (cell == "-") {
        if (!there.empty() && !starts_[i]) rows.push_back({id, Change::Gone, there});
        there.clear();
      } else if (cell == ".") {
        if (!there.empty() && keyframes_[i]) rows.push_back({id, Change::Present, there});
      } else {
        Change change = keyframes_[i]   ? Change::Present
                        : there.empty() ? Change::Appeared
                                        : Change::Changed;
        if (cell[0] == '+') change = Change::Appeared;
        if (cell[0] == '=') change = Change::Present;
        if (cell[0] == '+' || cell[0] == '=') cell.erase(0, 1);
        rows.push_back({id, change, cell});
        there = cell;
      }
    }
    return rows;
  }

  void dispatch(const Line& line) {
    if (line.kind == "fd") {
      fd(line);
    } else if (line.kind == "limit") {
      limit(line);
    } else if (line.kind == "read") {
      read(line);
    } else if (line.kind == "look") {
      look(line);
    } else if (line.kind == "queue") {
      queue(line);
    } else if (line.kind == "timewait") {
      timeWait(line);
    } else if (line.kind == "autopsy") {
      autopsy(line);
    } else if (line.kind == "epoll") {
      epoll(line);
    } else if (line.kind == "failure") {
      failure(line);
    } else if (line.kind == "log") {
      log(line);
    } else if (line.kind == "unix" || line.kind == "netlink") {
      otherSocket(line);
    } else if (isInet(line)) {
      inet(line);
    } else if (!kOfSnapshots.contains(line.kind) && line.kind != "process") {
      throw std::runtime_error("no such kind of line: " + line.kind);
    }
  }

  /// The number of a namespace, which exists from now on.
  int64_t netns(const Line& line) {
    const int64_t id = line.number("netns", 1);
    if (namespaces_.insert(id).second) {
      insert("netns", id, sqlText(fmt::format("boot-{}", boot_)), kFirstNetnsInode + id - 1);
    }
    return id;
  }

  void process(const Line& line) {
    const auto id = static_cast<int64_t>(processes_.size()) + 1;
    processes_[line.name] = id;
    insert("process", id, sqlText("boot-" + line.attribute("boot", "0")),
           line.number("pid", 99 + id), line.number("start", id));
    const int64_t namespace_id = netns(line);
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      if (change == Change::Gone) {
        insert("process_change", snapshot, id, 0, "NULL", "NULL", "NULL", "NULL", "NULL", "NULL",
               "NULL", "NULL", "NULL");
        continue;
      }
      const auto status = value == "ok" ? ReadStatus::Whole : ReadStatus::Failed;
      const std::string comm = line.attribute("comm", line.name);
      insert("process_change", snapshot, id, static_cast<int>(change), static_cast<int>(status),
             line.number("parent", 1), sqlText(comm),
             sqlText(line.attribute("exe", "/usr/bin/" + comm)),
             sqlText(line.attribute("cmdline", comm)), "NULL", 0, 0, namespace_id);
    }
  }

  /// `NAME/FD` as process.id and fd.
  std::pair<int64_t, int> processAndFd(const Line& line) const {
    const size_t slash = line.name.find('/');
    return {processes_.at(line.name.substr(0, slash)), std::stoi(line.name.substr(slash + 1))};
  }

  void fd(const Line& line) {
    const auto [process, fd] = processAndFd(line);
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      int type = 3;
      std::string number = "NULL", text = "NULL", protocol = "NULL", inode = "NULL";
      if (change == Change::Gone) {
        insert("fd_change", snapshot, process, fd, 0, "NULL", "NULL", "NULL", "NULL", "NULL",
               "NULL", "NULL", "NULL", "NULL", "NULL");
        continue;
      }
      const bool is_numbered = value.size() > 1 && value[1] >= '0' && value[1] <= '9';
      if (value == "?") {
        type = 0;
      } else if (is_numbered && (value[0] == 's' || value[0] == 'p')) {
        type = value[0] == 's' ? 1 : 2;
        number = inode = value.substr(1);
      } else {
        text = sqlText(value);
      }
      const std::string name = line.attribute("protocol", "TCP");
      if (type == 1 && name != "none") protocol = sqlText(name);
      insert("fd_change", snapshot, process, fd, static_cast<int>(change), type, number, text,
             protocol, 2, 15, inode, line.attribute("type", "NULL"),
             line.attribute("links", "NULL"), "NULL");
    }
  }

  void limit(const Line& line) {
    const auto value_of = [](const std::string& text) { return text == "u" ? "NULL" : text; };
    std::string resource = line.attribute("resource", "Max_open_files");
    for (char& c : resource) {
      if (c == '_') c = ' ';
    }
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      const size_t slash = value.find('/');
      const bool is_gone = change == Change::Gone;
      insert("limit_change", snapshot, processes_.at(line.name), static_cast<int>(change),
             sqlText(resource), is_gone ? "NULL" : value_of(value.substr(0, slash)),
             is_gone ? "NULL" : value_of(value.substr(slash + 1)), "'files'");
    }
  }

  static int tableNumber(const std::string& name) {
    for (size_t i = 0; i < kNetTableNames.size(); ++i) {
      if (kNetTableNames.at(i) == name) return static_cast<int>(i) + 1;
    }
    throw std::runtime_error("no such table: " + name);
  }

  static int stateNumber(const std::string& name) {
    static const std::map<std::string, int> kStates = {{"EST", 1}, {"SYN", 2},     {"FW1", 4},
                                                       {"FW2", 5}, {"CLOSE", 7},   {"CW", 8},
                                                       {"LA", 9},  {"LISTEN", 10}, {"CLOSING", 11}};
    return kStates.at(name);
  }

  static std::string portOf(const std::string& endpoint) {
    return endpoint.substr(endpoint.rfind(':') + 1);
  }

  static bool isInet(const Line& line) {
    return line.kind == "tcp" || line.kind == "tcp6" || line.kind == "udp" || line.kind == "udp6";
  }

  void inet(const Line& line) {
    const int64_t namespace_id = netns(line);
    // As the recorder writes it where a table may list the socket otherwise: row by row.
    const bool is_only =
        line.name != "0" && std::count_if(lines_.begin(), lines_.end(), [&](const Line& other) {
                              return isInet(other) && other.name == line.name;
                            }) == 1;
    const std::string local = line.attribute("local", "192.0.2.1:9091");
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      const std::string remote =
          line.attribute("remote", value == "LISTEN" ? "0.0.0.0:0" : "198.51.100.7:40000");
      const bool is_gone = change == Change::Gone;
      if (is_gone && is_only) {
        insert("inet_gone", snapshot, line.name);
        continue;
      }
      insert("inet_change", snapshot, namespace_id, tableNumber(line.kind),
             static_cast<int>(change), line.name, sqlText(local), portOf(local), sqlText(remote),
             portOf(remote), is_gone ? "NULL" : std::to_string(stateNumber(value)),
             is_gone ? "NULL" : "0");
    }
  }

  void queue(const Line& line) {
    const int64_t namespace_id = netns(line);
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      std::array<std::string, 4> numbers{"0", "0", "0", "0"};
      std::istringstream parts(value);
      for (std::string& number : numbers)
        if (std::string part; std::getline(parts, part, '/')) number = part;
      const auto& [unread, unacknowledged, retransmits, probes] = numbers;
      insert("inet_queue_change", snapshot, namespace_id, line.number("table", 1), line.name,
             unacknowledged, unread, line.number("timer", 0), retransmits, probes, "NULL");
    }
  }

  void timeWait(const Line& line) {
    const int64_t namespace_id = netns(line);
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      insert("time_wait_change", snapshot, namespace_id, line.number("table", 1), line.name,
             change == Change::Gone ? "0" : value);
    }
  }

  void otherSocket(const Line& line) {
    const int64_t namespace_id = netns(line);
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      if (line.kind == "unix") {
        insert("unix_change", snapshot, namespace_id, static_cast<int>(change), line.name,
               sqlText(line.attribute("path", "")), line.number("type", 1), 3, 0,
               line.number("references", 3), 1);
      } else {
        insert("netlink_change", snapshot, namespace_id, static_cast<int>(change), line.name, 0, 0,
               0, 0, 0, 0);
      }
    }
  }

  void read(const Line& line) {
    static const std::map<std::string, ReadStatus> kStatuses = {{"none", ReadStatus::NotTried},
                                                                {"whole", ReadStatus::Whole},
                                                                {"absent", ReadStatus::Absent},
                                                                {"failed", ReadStatus::Failed},
                                                                {"part", ReadStatus::Incomplete}};
    const int64_t namespace_id = netns(line);
    const int table = tableNumber(line.name);
    drawn_.insert({namespace_id, table});
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      if (change == Change::Present && value == "none") continue;
      insert("net_table_change", snapshot, namespace_id, table,
             static_cast<int>(kStatuses.at(value)));
    }
  }

  void tablesReadWhole() {
    for (const int64_t netns : namespaces_) {
      for (const int table : {1, 2, 3, 4, 11, 12}) {
        if (drawn_.contains({netns, table})) continue;
        for (size_t i = 0; i < keyframes_.size(); ++i) {
          if (keyframes_[i]) {
            insert("net_table_change", i + 1, netns, table, static_cast<int>(ReadStatus::Whole));
          }
        }
      }
    }
  }

  void look(const Line& line) {
    static const std::map<std::string, std::pair<SecondLook, int>> kOutcomes = {
        {"same", {SecondLook::Same, 1}},         {"same2", {SecondLook::Same, 2}},
        {"closed", {SecondLook::Closed, 1}},     {"closed2", {SecondLook::Closed, 2}},
        {"replaced", {SecondLook::Replaced, 1}}, {"failed", {SecondLook::Failed, 1}}};
    const auto [process, fd] = processAndFd(line);
    for (size_t i = 0; i < line.cells.size(); ++i) {
      if (line.cells[i] == ".") continue;
      const auto [outcome, reads] = kOutcomes.at(line.cells[i]);
      insert("second_look", i + 1, process, fd, static_cast<int>(outcome), reads, "NULL");
    }
  }

  void epoll(const Line& line) {
    const auto [process, fd] = processAndFd(line);
    for (const auto& [snapshot, change, value] : rowsOf(line)) {
      insert("epoll_watch_change", snapshot, process, fd, static_cast<int>(change),
             line.number("watched", 0), line.number("inode", 0), 9, 1, 0, 0);
    }
  }

  void autopsy(const Line& line) {
    const auto [process, fd] = processAndFd(line);
    const std::string local = line.attribute("local", "192.0.2.1:9091");
    const std::string remote = line.attribute("remote", "198.51.100.7:40000");
    const std::string netns_inode =
        line.attributes.contains("netns")
            ? std::to_string(kFirstNetnsInode + line.number("netns", 1) - 1)
            : "NULL";
    for (size_t i = 0; i < line.cells.size(); ++i) {
      const std::string& cell = line.cells[i];
      if (cell == "." || cell == "_") continue;
      const bool has_peer = cell != "never";
      const int delivered = cell == "dead" || cell == "alive" || cell == "half" ? 5 : 0;
      const int64_t asked_at_ns = line.attributes.contains("asked_at")
                                      ? kStartNs + line.number("asked_at", 0) * kSecondNs
                                      : timeNs("wall", i, kStartNs) + process;
      insert("autopsy", i + 1, process, fd, line.attribute("inode", "NULL"), asked_at_ns,
             cell == "alive"  ? 1
             : cell == "half" ? 8
                              : 7,
             sqlText(local), portOf(local), has_peer ? sqlText(remote) : "NULL",
             has_peer ? portOf(remote) : "NULL", has_peer ? "NULL" : "107", netns_inode, 0, 0, 0,
             1000, 2000, 0, 70, 80, 5, 5, delivered, delivered, delivered, 0);
    }
  }

  void failure(const Line& line) {
    for (size_t i = 0; i < line.cells.size(); ++i) {
      if (line.cells[i] == ".") continue;
      insert("failure", i + 1, sqlText(line.attribute("operation", "read")), sqlText(line.name),
             line.attribute("pid", "NULL"), line.attribute("errno", "NULL"), "NULL", line.cells[i]);
    }
  }

  void log(const Line& line) {
    for (size_t i = 0; i < line.cells.size(); ++i) {
      if (line.cells[i] == ".") continue;
      const int64_t at_ns = timeNs("wall", i, kStartNs);
      const std::string at = sqlText(formatTime(at_ns));
      insert("mark", "NULL", at, at_ns, at, sqlText(line.name), sqlText("app.log"), line.cells[i],
             sqlText("a line"), i + 1);
    }
  }

  SQLite::Database& database_;
  std::vector<Line> lines_;
  std::vector<bool> starts_;
  std::vector<bool> keyframes_;
  int recordings_ = 0;
  int boot_ = 0;
  std::map<std::string, int64_t> processes_;
  std::set<int64_t> namespaces_;
  std::set<std::pair<int64_t, int>> drawn_;
};

}  // namespace

Timeline::Timeline(std::string_view drawing, int64_t grace_ms)
    : database_(":memory:", SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE) {
  for (const auto& file : sql::analysis())
    database_.exec(std::string(file.text));
  Drawing(database_, drawing).fill();
  // It ends with its last snapshot.
  database_.exec(
      "UPDATE recording SET ended_at = (SELECT taken_at FROM snapshot WHERE recording = "
      "recording.id ORDER BY id DESC LIMIT 1) WHERE ended_at IS NOT NULL");
  database_.exec(fmt::format("INSERT INTO setting VALUES ('grace_ms', {})", grace_ms));
  for (const auto& file : sql::views())
    database_.exec(std::string(file.text));
  fillGrowth(database_);
}

std::string Timeline::rows(const std::string& query) {
  SQLite::Statement statement(database_, query);
  std::string text;
  while (statement.executeStep()) {
    for (int i = 0; i < statement.getColumnCount(); ++i) {
      const SQLite::Column column = statement.getColumn(i);
      text += (i == 0 ? "" : " ") + (column.isNull() ? std::string("-") : column.getString());
    }
    text += '\n';
  }
  return text;
}

std::string Timeline::verdicts(const std::string& name, int fd) {
  SQLite::Statement statement(
      database_,
      "SELECT v.first_snapshot, v.last_snapshot, v.verdict || coalesce(' ' || v.proof, '')"
      " FROM verdict_span v JOIN fd_span f USING (id) JOIN processes p USING (process)"
      " WHERE p.comm = ? AND f.fd = ? ORDER BY v.first_snapshot, v.last_snapshot, f.id");
  statement.bind(1, name);
  statement.bind(2, fd);
  std::string text;
  while (statement.executeStep()) {
    text += fmt::format("{}{}-{} {}", text.empty() ? "" : ", ", statement.getColumn(0).getInt(),
                        statement.getColumn(1).getInt(), statement.getColumn(2).getString());
  }
  return text;
}

}  // namespace fdmortem::test
