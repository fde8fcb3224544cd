// Problems of an archive, those alike counted together.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fdmortem {

/// Of the problems that say the same of one table it keeps the first few and the number of others.
class ProblemList {
 public:
  /// `where` is what the line tells between the table and `what`: ", row 3, snapshot 2 (pid 7)".
  void add(const std::string& table, const std::string& what, std::string_view where);

  bool empty() const { return problems_.empty(); }
  /// One line each.
  std::vector<std::string> lines() const;

 private:
  struct Alike {
    int64_t count = 0;
    std::vector<std::string> lines;
  };
  std::map<std::pair<std::string, std::string>, Alike> problems_;  ///< by table and what
};

}  // namespace fdmortem
