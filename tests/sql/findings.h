// What the rules of schema/findings/ say of a drawing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fdmortem::test {

/// `id severity pid`, a line a finding; `-` for no pid. Expects each finding to have a title, an
/// explanation, advice and evidence, and each evidence query to give rows.
std::string findingsOf(std::string_view drawing);

/// The title of the only finding of a rule; "" if it does not fire.
std::string titleOf(std::string_view drawing, std::string_view id);
std::string explanationOf(std::string_view drawing, std::string_view id);
std::string adviceOf(std::string_view drawing, std::string_view id);

/// The lines of a drawing in which process `a` has so many fds at each snapshot, of a kind: `p` for
/// pipes, or a link's text with its attributes. What is opened last is closed first. Numbers begin
/// at `first_fd`.
std::string curve(const std::vector<int>& counts, const std::string& target = "p",
                  const std::string& attributes = "", int first_fd = 0);

/// The lines "snapshots: R . . ." and "process a: ok . . ." for so many snapshots.
std::string timeOf(size_t snapshots);

/// "limit a: SOFT/HARD . . ."
std::string limitOf(const std::string& limit, size_t snapshots);

}  // namespace fdmortem::test
