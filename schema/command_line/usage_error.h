// What is said of a command line that is wrong, the same by both programs.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace fdmortem {

/// The one of `words` that somebody who typed `typed` most likely meant: what it begins alone, or
/// what is at most one slip in three letters away (a letter too many, too few or another, two that
/// changed places). Empty if none is that near.
std::string closestWord(const std::string& typed, const std::vector<std::string>& words);

/// For CLI::App::failure_message: one line that says what is wrong, with the command or option that
/// was meant if one was mistyped, and one that names the help of `app` or of its command.
std::string usageError(const CLI::App* app, const CLI::Error& error);

}  // namespace fdmortem
