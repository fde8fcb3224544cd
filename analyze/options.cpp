#include "analyze/options.h"

#include <utility>

#include <CLI/CLI.hpp>

#include "schema/duration.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

using What = ListingOptions::What;

constexpr int kWrongUsage = 2;
constexpr size_t kHelpColumn = 24;

const std::vector<std::string> kVerdicts = {"connected",      "listening",       "closing",
                                            "peer-closed",    "outlived",        "unlisted",
                                            "connect-failed", "never-connected", "other"};

/// Everything that the options are parsed into, before it is known which command it is.
struct Parsed {
  ListingOptions listing;
  ReportOptions report;
  std::string database;  ///< of the commands that take one
  uint64_t grace_ms = 30'000;
  std::string from;
  std::string to;
};

// The validators have no description of their own: the help says an option's type in one word.

CLI::Validator time() {
  return CLI::Validator(
      [](std::string& text) {
        return parseTime(text) ? std::string() : "not a time such as 2026-11-22T08:12:39Z: " + text;
      },
      "");
}

/// A word that stands for a value of `Enum`.
template <class Enum>
CLI::Validator oneOf(const std::vector<std::pair<std::string, Enum>>& choices) {
  return CLI::Validator(
      [choices](std::string& text) {
        std::string names;
        for (const auto& [name, value] : choices) {
          if (name == text) {
            text = std::to_string(static_cast<int>(value));
            return std::string();
          }
          names += (names.empty() ? "" : ", ") + name;
        }
        return text + " is none of " + names;
      },
      "");
}

void addDatabases(CLI::App& command, std::vector<std::string>& databases) {
  command.add_option("DB", databases, "Archives made by fdcapture")->required()->type_name("");
}

/// Not a list: a list would take the arguments after it as well.
void addDatabase(CLI::App& command, std::string& database) {
  command.add_option("DB", database, "An archive made by fdcapture")->required()->type_name("");
}

void addFormat(CLI::App& command, ListingOptions& options) {
  command.add_option("-f,--format", options.format, "table, json, csv, ndjson (default table)")
      ->transform(oneOf<ListingFormat>({{"table", ListingFormat::Table},
                                        {"json", ListingFormat::Json},
                                        {"csv", ListingFormat::Csv},
                                        {"ndjson", ListingFormat::Ndjson}}))
      ->type_name("FORMAT");
}

void addGrace(CLI::App& command, Parsed& parsed) {
  command
      .add_option("--grace", parsed.grace_ms, "An fd outlived for longer is a leak (default 30s)")
      ->transform(durationInMs())
      ->type_name("DURATION");
}

void addTimes(CLI::App& command, Parsed& parsed) {
  command.add_option("--from", parsed.from, "Seen at or after it: 2026-11-22T08:12Z (UTC)")
      ->check(time())
      ->type_name("TIME");
  command.add_option("--to", parsed.to, "Seen at or before it (UTC)")
      ->check(time())
      ->type_name("TIME");
}

void addProcesses(CLI::App& command, Filter& filter) {
  command.add_option("--pid", filter.pids, "Only this process (repeatable)")
      ->type_name("PID")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--comm", filter.comms, "Only processes of this name (repeatable)")
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void addReport(CLI::App& app, Parsed& parsed) {
  CLI::App* report = app.add_subcommand("report", "Write the incident report");
  addDatabases(*report, parsed.report.databases);
  report
      ->add_option("-f,--format", parsed.report.format, "text, markdown, html, json (default text)")
      ->transform(oneOf<ReportFormat>({{"text", ReportFormat::Text},
                                       {"markdown", ReportFormat::Markdown},
                                       {"html", ReportFormat::Html},
                                       {"json", ReportFormat::Json}}))
      ->type_name("FORMAT");
  report->add_option("-o,--output", parsed.report.output, "Into this file instead of stdout")
      ->type_name("FILE");
  addGrace(*report, parsed);
  report->footer(
      "Examples:\n"
      "  fdanalyze report leak.db\n"
      "  fdanalyze report leak.db -f html -o leak.html\n");
}

void addSockets(CLI::App& app, Parsed& parsed) {
  for (const bool is_outlived : {true, false}) {
    CLI::App* command =
        is_outlived ? app.add_subcommand("outlived", "List the fds that outlived their connections")
                    : app.add_subcommand("sockets", "List every socket fd with its verdict");
    command->callback([&parsed, is_outlived] {
      parsed.listing.what = is_outlived ? What::Outlived : What::Sockets;
    });
    addDatabases(*command, parsed.listing.databases);
    addFormat(*command, parsed.listing);
    addProcesses(*command, parsed.listing.filter);
    addTimes(*command, parsed);
    addGrace(*command, parsed);
    if (!is_outlived) {
      command
          ->add_option("--verdict", parsed.listing.filter.verdicts,
                       "Only these, such as outlived,unlisted")
          ->type_name("V,...")
          ->delimiter(',')
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
          ->check(CLI::IsMember(kVerdicts).description(""));
    }
    command->footer(is_outlived ? "Examples:\n"
                                  "  fdanalyze outlived leak.db\n"
                                  "  fdanalyze outlived leak.db --pid 4711 -f csv > outlived.csv\n"
                                : "Examples:\n"
                                  "  fdanalyze sockets leak.db --verdict peer-closed\n"
                                  "  fdanalyze sockets leak.db --comm pushgateway -f json\n");
  }
}

void addOthers(CLI::App& app, Parsed& parsed) {
  CLI::App* snapshots = app.add_subcommand("snapshots", "List the recordings' snapshots");
  snapshots->callback([&parsed] { parsed.listing.what = What::Snapshots; });
  addDatabases(*snapshots, parsed.listing.databases);
  addFormat(*snapshots, parsed.listing);
  addTimes(*snapshots, parsed);
  snapshots->footer(
      "Examples:\n"
      "  fdanalyze snapshots leak.db\n"
      "  fdanalyze snapshots leak.db --from 2026-11-22T08:00\n");

  CLI::App* diff = app.add_subcommand("diff", "List what opened, closed and changed in between");
  diff->callback([&parsed] { parsed.listing.what = What::Diff; });
  addDatabase(*diff, parsed.database);
  diff->add_option("A", parsed.listing.snapshot_a, "The earlier snapshot: a number, or 'first'")
      ->required()
      ->type_name("");
  diff->add_option("B", parsed.listing.snapshot_b, "The later one: a number, or 'last'")
      ->required()
      ->type_name("");
  addFormat(*diff, parsed.listing);
  addProcesses(*diff, parsed.listing.filter);
  diff->footer(
      "Examples:\n"
      "  fdanalyze diff leak.db first last\n"
      "  fdanalyze diff leak.db 12 13 --pid 4711\n");

  CLI::App* sql = app.add_subcommand("sql", "Run a query on the derived tables and views");
  sql->callback([&parsed] { parsed.listing.what = What::Sql; });
  addDatabase(*sql, parsed.database);
  sql->add_option("QUERY", parsed.listing.sql, "One SELECT")->required()->type_name("");
  addFormat(*sql, parsed.listing);
  addGrace(*sql, parsed);
  sql->footer(
      "Examples:\n"
      "  fdanalyze sql leak.db 'SELECT remote, count(*) FROM outlived GROUP BY remote'\n"
      "  fdanalyze sql leak.db 'SELECT name, sql FROM sqlite_schema ORDER BY name'\n");
}

}  // namespace

AnalyzeCommand parseAnalyzeOptions(int argc, const char* const* argv) {
  CLI::App app("Tells which file descriptors outlived their connections.", "fdanalyze");
  app.set_version_flag("--version", "fdanalyze " FDMORTEM_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(
      "'fdanalyze COMMAND --help' tells the options; fdanalyze(1) is the manual.\n\n"
      "Examples:\n"
      "  fdanalyze report leak.db\n"
      "  fdanalyze outlived leak.db -f json\n");
  app.get_formatter()->column_width(kHelpColumn);
  Parsed parsed;
  addReport(app, parsed);
  addSockets(app, parsed);
  addOthers(app, parsed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  const AnalysisOptions analysis{.grace = std::chrono::milliseconds(parsed.grace_ms)};
  if (app.got_subcommand("report")) {
    parsed.report.analysis = analysis;
    return parsed.report;
  }
  parsed.listing.analysis = analysis;
  if (!parsed.database.empty()) parsed.listing.databases = {parsed.database};
  if (!parsed.from.empty()) parsed.listing.filter.from_ns = parseTime(parsed.from);
  if (!parsed.to.empty()) parsed.listing.filter.to_ns = parseTime(parsed.to);
  return parsed.listing;
}

}  // namespace fdmortem
