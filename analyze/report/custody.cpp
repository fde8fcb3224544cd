#include "analyze/report/custody.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include <fmt/core.h>
#include <nlohmann/json.hpp>

#include "analyze/report/words.h"

namespace fdmortem {
namespace {

/// A row of `recording`, by the names of its columns.
class RecordingRow {
 public:
  RecordingRow(const std::vector<std::string>& columns, const std::vector<Value>& row)
      : columns_(columns), row_(row) {}

  /// A text or a number as text; empty: NULL.
  std::optional<std::string> operator[](std::string_view column) const {
    const auto found = std::find(columns_.begin(), columns_.end(), column);
    if (found == columns_.end()) return {};
    const Value& value = row_.at(static_cast<size_t>(found - columns_.begin()));
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
    return {};
  }

 private:
  const std::vector<std::string>& columns_;
  const std::vector<Value>& row_;
};

/// A printable word as a shell takes it. What printable() had to escape needs quotes of their own,
/// which bash, zsh and ksh read.
std::string wordOfCommand(const std::string& printable) {
  if (printable.find('\\') == std::string::npos) return shellWord(printable);
  std::string quoted = "$'";
  for (size_t i = 0; i < printable.size(); ++i) {
    const size_t close = printable.find('}', i);
    if (printable[i] == '\'') {
      quoted += "\\'";
    } else if (printable[i] != '\\' || i + 1 == printable.size()) {
      quoted += printable[i];
    } else if (printable.compare(i, 3, "\\u{") == 0 && close != std::string::npos) {
      quoted += fmt::format("\\U{:0>8}", printable.substr(i + 3, close - i - 3));
      i = close;
    } else {
      quoted += printable.substr(i++, 2);
    }
  }
  return quoted + "'";
}

std::string commandLine(const std::string& options) {
  std::string text = "fdcapture";
  const auto words = nlohmann::json::parse(options, nullptr, false);
  if (!words.is_array()) return text + " " + options;
  for (const auto& word : words)
    if (word.is_string()) text += " " + wordOfCommand(word.get_ref<const std::string&>());
  return text;
}

std::string whoAndWhen(const RecordingRow& row) {
  const auto ended = row["ended_at"];
  const auto interval_ms = row["interval_ms"];
  const std::string interval = interval_ms ? spanInWords(std::stoll(*interval_ms)) : "-";
  std::string text = fmt::format(
      "Recording {}: from {} {}, every {}, by fdcapture {} with uid {}", row["id"].value_or("-"),
      row["started_at"].value_or("-"),
      ended ? fmt::format("to {} ({})", *ended, row["end_reason"].value_or("-"))
            : std::string("on; no end is recorded"),
      interval, row["program_version"].value_or("-"), row["recorder_uid"].value_or("-"));
  const auto login = row["recorder_login_uid"];
  text += login ? fmt::format(", logged in as uid {}", *login) : ", login not known";
  return text + ".";
}

std::string whereItWas(const RecordingRow& row) {
  return fmt::format("Host {}, kernel {}, boot {}.", row["host_name"].value_or("-"),
                     row["kernel_release"].value_or("-"), row["boot_id"].value_or("unknown"));
}

/// Of all recordings, if it is the same; else each says it.
std::optional<std::string> commonPlace(const Report& report, const DatabaseReport& database) {
  std::optional<std::string> common;
  for (const auto& values : database.recordings) {
    const std::string place = whereItWas(RecordingRow(report.recording_columns, values));
    if (common && *common != place) return {};
    common = place;
  }
  return common;
}

std::string howItWasMade(const RecordingRow& row) {
  std::string text = row["keeps_texts"] == "0" ? "The texts as they were read were not kept"
                                               : "The texts as they were read are in it";
  const auto redacted = row["redacted"];
  text += redacted ? fmt::format("; {} are pseudonyms.", *redacted) : "; nothing is redacted.";
  return text;
}

}  // namespace

std::vector<std::string> custodyOf(const Report& report, const DatabaseReport& database) {
  std::vector<std::string> lines;
  if (database.recordings.empty())
    lines.emplace_back("No recording is in it, so the host is not known.");
  const auto place = commonPlace(report, database);
  if (place) lines.push_back(*place);
  for (const auto& values : database.recordings) {
    const RecordingRow row(report.recording_columns, values);
    lines.push_back(whoAndWhen(row));
    if (!place) lines.push_back(whereItWas(row));
    if (const auto options = row["options"]) lines.push_back("Command: " + commandLine(*options));
    lines.push_back(howItWasMade(row));
    if (const auto note = row["note"]) lines.push_back("Note: " + *note);
  }
  if (database.head) {
    lines.push_back(
        fmt::format("Head of the hash chain: {} (as it stands in the file; "
                    "'fdanalyze check' tells whether the chain holds).",
                    *database.head));
  }
  return lines;
}

}  // namespace fdmortem
