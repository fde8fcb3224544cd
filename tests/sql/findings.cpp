#include "tests/sql/findings.h"

#include <algorithm>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "schema/sql.h"
#include "tests/sql/timeline.h"

namespace fdmortem::test {

namespace {

std::string dots(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i)
    text += " .";
  return text;
}

std::string columnOf(std::string_view drawing, std::string_view id, const std::string& column) {
  Timeline timeline(drawing);
  for (const sql::SqlFile& rule : sql::findings()) {
    if (rule.name == id) {
      std::string text =
          timeline.rows("SELECT " + column + " FROM (" + std::string(rule.text) + ")");
      if (text.ends_with('\n')) text.pop_back();
      return text;
    }
  }
  ADD_FAILURE() << "no rule " << id;
  return {};
}

}  // namespace

std::string findingsOf(std::string_view drawing) {
  Timeline timeline(drawing);
  std::string found;
  for (const sql::SqlFile& rule : sql::findings()) {
    const auto ask = [&](const std::string& columns, const std::string& rest) {
      return timeline.rows(fmt::format("SELECT {} FROM ({}){}", columns, rule.text, rest));
    };
    found += ask(fmt::format("'{}', severity, pid", rule.name), "");
    EXPECT_EQ(ask("1",
                  " WHERE title IS NULL OR explanation IS NULL OR advice IS NULL OR "
                  "evidence IS NULL"),
              "")
        << rule.name;
    const std::string evidence = ask("evidence", " LIMIT 1");
    if (!evidence.empty()) {
      EXPECT_NE(timeline.rows(evidence), "") << evidence;
    }
  }
  return found;
}

std::string titleOf(std::string_view drawing, std::string_view id) {
  return columnOf(drawing, id, "title");
}

std::string explanationOf(std::string_view drawing, std::string_view id) {
  return columnOf(drawing, id, "explanation");
}

std::string adviceOf(std::string_view drawing, std::string_view id) {
  return columnOf(drawing, id, "advice");
}

std::string curve(const std::vector<int>& counts, const std::string& target,
                  const std::string& attributes, int first_fd) {
  const int most = *std::max_element(counts.begin(), counts.end());
  std::string drawing;
  for (int i = 0; i < most; ++i) {
    std::string cells;
    bool is_open = false;
    for (const int count : counts) {
      const bool is_there = i < count;
      const std::string value = target == "p" ? fmt::format("p{}", 5000 + i) : target;
      if (cells.empty()) {
        cells += is_there ? " " + value : " _";
      } else {
        cells += is_there == is_open ? " ." : is_there ? " +" + value : " -";
      }
      is_open = is_there;
    }
    drawing += fmt::format("fd a/{} {}:{}\n", first_fd + i, attributes, cells);
  }
  return drawing;
}

std::string timeOf(size_t snapshots) {
  return "snapshots: R" + dots(snapshots - 1) + "\nprocess a: ok" + dots(snapshots - 1) + "\n";
}

std::string limitOf(const std::string& limit, size_t snapshots) {
  return "limit a: " + limit + dots(snapshots - 1) + "\n";
}

}  // namespace fdmortem::test
