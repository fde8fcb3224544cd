// What a program says of a command line that it does not understand.
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "schema/printable.h"

namespace fdmortem {

/// For CLI::App::failure_message: CLI11's own words, with what was given made printable. An
/// argument can be a name that a shell put there: `fdanalyze report *`.
inline std::string usageFailure(const CLI::App* app, const CLI::Error& error) {
  const std::string what = error.what();
  const std::string all = CLI::FailureMessage::simple(app, error);
  if (!all.starts_with(what)) return printableOnce(what) + "\n";
  return printableOnce(what) + all.substr(what.size());
}

}  // namespace fdmortem
