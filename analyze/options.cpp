#include "analyze/options.h"

#include <map>
#include <memory>

#include <CLI/CLI.hpp>

#include "schema/duration.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

using What = ListingOptions::What;

constexpr int kWrongUsage = 2;

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

CLI::Validator time() {
  return CLI::Validator(
      [](std::string& text) {
        return parseTime(text) ? std::string() : "not a time such as 2026-11-22T08:12:39Z: " + text;
      },
      "TIME");
}

void addDatabases(CLI::App& command, std::vector<std::string>& databases) {
  command.add_option("DB", databases, "Archives of fdcapture")->required()->type_name("");
}

/// Not a list: a list would take the arguments after it as well.
void addDatabase(CLI::App& command, std::string& database) {
  command.add_option("DB", database, "An archive of fdcapture")->required()->type_name("");
}

void addFormat(CLI::App& command, ListingOptions& options) {
  static const std::map<std::string, ListingFormat> kFormats = {{"table", ListingFormat::Table},
                                                                {"json", ListingFormat::Json},
                                                                {"csv", ListingFormat::Csv},
                                                                {"ndjson", ListingFormat::Ndjson}};
  command.add_option("-f,--format", options.format, "table, json, csv or ndjson (default table)")
      ->transform(CLI::CheckedTransformer(kFormats))
      ->type_name("FORMAT");
}

void addGrace(CLI::App& command, Parsed& parsed) {
  command
      .add_option("--grace", parsed.grace_ms,
                  "How long an fd may outlive its connection before it is a leak (default 30s)")
      ->transform(durationInMs())
      ->type_name("DURATION");
}

void addTimes(CLI::App& command, Parsed& parsed) {
  command.add_option("--from", parsed.from, "Only what was seen at or after this time (UTC)")
      ->check(time());
  command.add_option("--to", parsed.to, "Only what was seen at or before this time (UTC)")
      ->check(time());
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
  static const std::map<std::string, ReportFormat> kFormats = {{"text", ReportFormat::Text},
                                                               {"json", ReportFormat::Json}};
  report->add_option("-f,--format", parsed.report.format, "text or json (default text)")
      ->transform(CLI::CheckedTransformer(kFormats))
      ->type_name("FORMAT");
  report->add_option("-o,--output", parsed.report.output, "Into this file instead of stdout")
      ->type_name("FILE");
  addGrace(*report, parsed);
  report->footer(
      "Examples:\n"
      "  fdanalyze report leak.db\n"
      "  fdanalyze report leak.db -f json -o leak.json\n");
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
      command->add_option("--verdict", parsed.listing.filter.verdicts, "Only these verdicts")
          ->type_name("V,...")
          ->delimiter(',')
          ->check(CLI::IsMember(kVerdicts));
    }
    command->footer(is_outlived ? "Example:\n  fdanalyze outlived leak.db -f csv > outlived.csv\n"
                                : "Example:\n  fdanalyze sockets leak.db --verdict peer-closed\n");
  }
}

void addOthers(CLI::App& app, Parsed& parsed) {
  CLI::App* snapshots = app.add_subcommand("snapshots", "List the recordings' snapshots");
  snapshots->callback([&parsed] { parsed.listing.what = What::Snapshots; });
  addDatabases(*snapshots, parsed.listing.databases);
  addFormat(*snapshots, parsed.listing);
  addTimes(*snapshots, parsed);
  snapshots->footer("Example:\n  fdanalyze snapshots leak.db --from 2026-11-22T08:00\n");

  CLI::App* diff =
      app.add_subcommand("diff", "List what opened, closed and changed between two snapshots");
  diff->callback([&parsed] { parsed.listing.what = What::Diff; });
  addDatabase(*diff, parsed.database);
  diff->add_option("A", parsed.listing.snapshot_a, "The earlier snapshot: its number, or 'first'")
      ->required()
      ->type_name("");
  diff->add_option("B", parsed.listing.snapshot_b, "The later one: its number, or 'last'")
      ->required()
      ->type_name("");
  addFormat(*diff, parsed.listing);
  addProcesses(*diff, parsed.listing.filter);
  diff->footer("Example:\n  fdanalyze diff leak.db first last\n");

  CLI::App* sql = app.add_subcommand("sql", "Run a query on the derived tables and views");
  sql->callback([&parsed] { parsed.listing.what = What::Sql; });
  addDatabase(*sql, parsed.database);
  sql->add_option("QUERY", parsed.listing.sql, "One SELECT")->required()->type_name("");
  addFormat(*sql, parsed.listing);
  addGrace(*sql, parsed);
  sql->footer(
      "Examples:\n"
      "  fdanalyze sql leak.db 'SELECT remote, count(*) FROM outlived GROUP BY 1 ORDER BY 2 DESC'\n"
      "  fdanalyze sql leak.db \"SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_%'"
      " ESCAPE '\\'\"\n");
}

}  // namespace

Command parseOptions(int argc, const char* const* argv) {
  CLI::App app(
      "Shows which file descriptors outlived their connections, from archives of fdcapture.",
      "fdanalyze");
  app.set_version_flag("--version", "fdanalyze " FDMORTEM_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer("'fdanalyze COMMAND --help' tells a command's options; fdanalyze(1) is the manual.");
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
