#include "analyze/options.h"

#include <iostream>
#include <utility>

#include <CLI/CLI.hpp>

#include "schema/command_line/duration.h"
#include "schema/command_line/exit_status.h"
#include "schema/command_line/pid.h"
#include "schema/command_line/size.h"
#include "schema/command_line/usage_error.h"
#include "schema/command_line/versions.h"
#include "schema/time_text.h"

namespace fdmortem {
namespace {

using What = ListingOptions::What;

constexpr size_t kHelpColumn = 24;

const std::vector<std::string> kVerdicts = {"connected",      "listening",       "closing",
                                            "peer-closed",    "outlived",        "unlisted",
                                            "connect-failed", "never-connected", "other"};

/// Everything that the options are parsed into, before it is known which command it is.
struct Parsed {
  ListingOptions listing;
  ReportOptions report;
  CheckOptions check;
  ExportOptions exported;
  ShowOptions show;
  std::string head;      ///< of check
  std::string database;  ///< of the commands that take one
  uint64_t grace_ms = 30'000;
  std::string from;
  std::string to;
  MarkOptions marks;
  std::string log_zone;  ///< empty: UTC
  std::vector<std::string> mark_texts;
  std::optional<uint64_t> max_memory_bytes;
  std::optional<uint64_t> max_time_ms;
  bool is_salvage = false;
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

void addTimes(CLI::App& command, Parsed& parsed,
              const std::string& from = "Seen at or after it: 2026-11-22T08:12Z (UTC)",
              const std::string& to = "Seen at or before it (UTC)") {
  command.add_option("--from", parsed.from, from)->check(time())->type_name("TIME");
  command.add_option("--to", parsed.to, to)->check(time())->type_name("TIME");
}

void addProcesses(CLI::App& command, ProcessFilter& filter) {
  command.add_option("--pid", filter.pids, "Only this process, or these: 4711,4712")
      ->type_name("PID")
      ->delimiter(',')
      ->check(pidNumber())
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--comm", filter.comms, "Only processes of this name (repeatable)")
      ->type_name("NAME")
      ->check(CLI::Validator(
          [](const std::string& text) {
            return text.empty() ? std::string("is empty; is a variable not set?") : std::string();
          },
          ""))
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void addLimits(CLI::App& command, Parsed& parsed) {
  command
      .add_option("--max-memory", parsed.max_memory_bytes,
                  "The most it may take (default by size, <= 4G)")
      ->transform(sizeInBytes(uint64_t{1} << 20))
      ->type_name("SIZE");
  command.add_option("--max-time", parsed.max_time_ms, "The most CPU time (default by size)")
      ->transform(durationInMs(1, uint64_t{31} * 86'400'000))
      ->type_name("DURATION");
}

/// What concerns the archive itself and not what is asked of it.
void addReading(CLI::App& command, Parsed& parsed) {
  command.add_flag("--salvage", parsed.is_salvage, "Of a damaged archive take what is whole");
  addLimits(command, parsed);
}

LimitOptions limitsOf(const Parsed& parsed) {
  LimitOptions limits;
  limits.memory_bytes = parsed.max_memory_bytes;
  if (parsed.max_time_ms) limits.time = std::chrono::milliseconds(*parsed.max_time_ms);
  return limits;
}

TimeRange rangeOf(const Parsed& parsed) {
  TimeRange range;
  if (!parsed.from.empty()) range.from_ns = parseTime(parsed.from);
  if (!parsed.to.empty()) range.to_ns = parseTimeEnd(parsed.to);
  return range;
}

void addMarks(CLI::App& command, Parsed& parsed) {
  const auto is_mark = [](std::string& text) {
    return parseMark(text) ? std::string()
                           : "not a time and a text such as '2026-11-22T08:12Z deployed': " + text;
  };
  const auto is_zone = [](std::string& text) {
    return parseZone(text) ? std::string() : "neither UTC nor an offset such as +01:00: " + text;
  };
  command
      .add_option("--log", parsed.marks.logs,
                  "A log; EMFILE and the like become marks (repeatable)")
      ->type_name("[HOST=]FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_option("--log-timezone", parsed.log_zone, "Of its times without one (default UTC)")
      ->check(CLI::Validator(is_zone, ""))
      ->type_name("ZONE");
  command.add_option("--mark", parsed.mark_texts, "A mark by hand: 'TIME TEXT' (repeatable)")
      ->check(CLI::Validator(is_mark, ""))
      ->type_name("MARK")
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
  addProcesses(*report, parsed.report.processes);
  addTimes(*report, parsed, "From the first snapshot since then: 2026-11-22T08:12Z",
           "To the last snapshot until then");
  addGrace(*report, parsed);
  addMarks(*report, parsed);
  addReading(*report, parsed);
  report->footer(
      "Examples:\n"
      "  fdanalyze report leak.db -f html -o leak.html\n"
      "  fdanalyze report leak.db --log app.log --mark '2026-11-22T08:12Z deployed'\n");
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
    addProcesses(*command, parsed.listing.filter.processes);
    addTimes(*command, parsed);
    addGrace(*command, parsed);
    if (!is_outlived) {
      command
          ->add_option("--verdict", parsed.listing.filter.verdicts,
                       "Only these: connected, listening, closing,\npeer-closed, outlived, "
                       "connect-failed,\nnever-connected, unlisted, other")
          ->type_name("V,...")
          ->delimiter(',')
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
          ->check(CLI::IsMember(kVerdicts).description(""));
    }
    addReading(*command, parsed);
    command->footer(is_outlived ? "Examples:\n"
                                  "  fdanalyze outlived leak.db\n"
                                  "  fdanalyze outlived leak.db --pid 4711 -f csv > outlived.csv\n"
                                : "Examples:\n"
                                  "  fdanalyze sockets leak.db --verdict peer-closed\n"
                                  "  fdanalyze sockets leak.db --comm pushgateway -f json\n");
  }
}

void addHistory(CLI::App& app, Parsed& parsed) {
  CLI::App* history = app.add_subcommand("history", "Tell the life of an fd or of a socket");
  HistorySubject& subject = parsed.listing.history;
  history->callback([&parsed] {
    parsed.listing.what = What::History;
    const HistorySubject& given = parsed.listing.history;
    const bool is_fd = given.pid && given.fd && !given.inode;
    const bool is_inode = !given.pid && !given.fd && given.inode;
    if (!is_fd && !is_inode) throw CLI::RequiredError("--pid with --fd, or --inode alone,");
  });
  addDatabase(*history, parsed.database);
  history->add_option("--pid", subject.pid, "The process of --fd")->type_name("PID");
  history->add_option("--fd", subject.fd, "The number: all files that it belonged to")
      ->type_name("N");
  history->add_option("--inode", subject.inode, "N of socket:[N], whoever holds it")
      ->type_name("N");
  addFormat(*history, parsed.listing);
  addTimes(*history, parsed);
  addGrace(*history, parsed);
  addReading(*history, parsed);
  history->footer(
      "Examples:\n"
      "  fdanalyze history leak.db --pid 4711 --fd 141\n"
      "  fdanalyze history leak.db --inode 94859722 -f json\n");
}

void addSnapshots(CLI::App& app, Parsed& parsed) {
  CLI::App* snapshots = app.add_subcommand("snapshots", "List the recordings' snapshots");
  snapshots->callback([&parsed] { parsed.listing.what = What::Snapshots; });
  addDatabases(*snapshots, parsed.listing.databases);
  addFormat(*snapshots, parsed.listing);
  addProcesses(*snapshots, parsed.listing.filter.processes);
  addTimes(*snapshots, parsed);
  addReading(*snapshots, parsed);
  snapshots->footer(
      "Examples:\n"
      "  fdanalyze snapshots leak.db\n"
      "  fdanalyze snapshots leak.db --from 2026-11-22T08:00\n");
}

void addDiff(CLI::App& app, Parsed& parsed) {
  CLI::App* diff = app.add_subcommand("diff", "List what opened, closed and changed in between");
  diff->callback([&parsed] { parsed.listing.what = What::Diff; });
  addDatabase(*diff, parsed.database);
  diff->add_option("A", parsed.listing.snapshot_a,
                   "The earlier snapshot: number, 'first', or a time")
      ->required()
      ->type_name("");
  diff->add_option("B", parsed.listing.snapshot_b, "The later one: number, 'last', or a time")
      ->required()
      ->type_name("");
  addFormat(*diff, parsed.listing);
  diff->add_option("--by", parsed.listing.by, "Count them by kind, peer or port")
      ->check(CLI::IsMember({"kind", "peer", "port"}).description(""))
      ->type_name("WHAT");
  addProcesses(*diff, parsed.listing.filter.processes);
  addReading(*diff, parsed);
  diff->footer(
      "Examples:\n"
      "  fdanalyze diff leak.db first last\n"
      "  fdanalyze diff leak.db 2026-11-22T08:00Z 2026-11-22T09:00Z --by peer\n");
}

void addSql(CLI::App& app, Parsed& parsed) {
  CLI::App* sql = app.add_subcommand("sql", "Run a query on the derived tables and views");
  sql->callback([&parsed] { parsed.listing.what = What::Sql; });
  addDatabase(*sql, parsed.database);
  sql->add_option("QUERY", parsed.listing.sql, "One SELECT")->required()->type_name("");
  addFormat(*sql, parsed.listing);
  addTimes(*sql, parsed, "As 'report --from': nothing before it is there", "Nor after it");
  addGrace(*sql, parsed);
  addReading(*sql, parsed);
  sql->footer(
      "Examples:\n"
      "  fdanalyze sql leak.db 'SELECT remote, count(*) FROM outlived GROUP BY remote'\n"
      "  fdanalyze sql leak.db 'SELECT name, sql FROM sqlite_schema ORDER BY name'\n");
}

/// --to says the format here; so the times have other names than elsewhere.
void addExport(CLI::App& app, Parsed& parsed) {
  CLI::App* command =
      app.add_subcommand("export", "Write all that 'sql' offers for other programs");
  ExportOptions& options = parsed.exported;
  addDatabases(*command, options.databases);
  command->add_option("-o,--output", options.output, "A file or, for csv and ndjson, a folder")
      ->required()
      ->type_name("PATH");
  command->add_option("--to", options.format, "sqlite, csv, ndjson (default sqlite)")
      ->transform(oneOf<ExportFormat>({{"sqlite", ExportFormat::Sqlite},
                                       {"csv", ExportFormat::Csv},
                                       {"ndjson", ExportFormat::Ndjson}}))
      ->type_name("FORMAT");
  addProcesses(*command, options.processes);
  command->add_option("--since", parsed.from, "From the first snapshot since then")
      ->check(time())
      ->type_name("TIME");
  command->add_option("--until", parsed.to, "To the last snapshot until then")
      ->check(time())
      ->type_name("TIME");
  addGrace(*command, parsed);
  addReading(*command, parsed);
  command->footer(
      "Examples:\n"
      "  fdanalyze export leak.db -o leak-export.db\n"
      "  fdanalyze export host1.db host2.db -o hosts --to csv\n");
}

void addCheck(CLI::App& app, Parsed& parsed) {
  CLI::App* check = app.add_subcommand("check", "Check that an archive is whole and fits together");
  addDatabase(*check, parsed.check.database);
  check->add_option("-f,--format", parsed.check.format, "text or json (default text)")
      ->transform(oneOf<CheckFormat>({{"text", CheckFormat::Text}, {"json", CheckFormat::Json}}))
      ->type_name("FORMAT");
  const auto is_digest = [](const std::string& text) {
    return parseDigest(text) ? std::string() : "not 64 hexadecimal digits: " + text;
  };
  check
      ->add_option("--head", parsed.head,
                   "A head written down earlier: nothing up to it is cut off")
      ->check(CLI::Validator(is_digest, ""))
      ->type_name("HEX");
  addLimits(*check, parsed);
  check->footer(
      "Examples:\n"
      "  fdanalyze check leak.db\n"
      "  fdanalyze check leak.db -f json\n");
}

void addShow(CLI::App& app, Parsed& parsed) {
  CLI::App* show = app.add_subcommand("show", "Print an archived file as it was");
  ShowOptions& options = parsed.show;
  addDatabase(*show, options.database);
  show->add_option("PATH", options.path, "Below /proc: 4711/limits, 4711/fd; without it a list")
      ->type_name("");
  show->add_option("-s,--snapshot", options.snapshot, "Its number, 'first', 'last', or a time")
      ->required()
      ->type_name("SNAPSHOT");
  show->add_flag("--again", options.is_second, "Of tcp and tcp6 what the second look read");
  show->add_option("-o,--output", options.output, "Into this file instead of stdout")
      ->type_name("FILE");
  show->add_flag("--salvage", options.is_salvage,
                 "Of a damaged archive the texts that can be read");
  addLimits(*show, parsed);
  show->footer(
      "Examples:\n"
      "  fdanalyze show leak.db -s last 4711/limits\n"
      "  fdanalyze show leak.db -s 12 4711/fdinfo/8\n");
}

/// What was parsed, for the command that was given; a status if it does not fit together.
AnalyzeCommand commandOf(const CLI::App& app, Parsed& parsed) {
  for (const std::string& text : parsed.mark_texts)
    parsed.marks.marks.push_back(*parseMark(text));
  parsed.marks.has_log_zone = !parsed.log_zone.empty();
  parsed.marks.log_offset_s = *parseZone(parsed.marks.has_log_zone ? parsed.log_zone : "UTC");
  const TimeRange range = rangeOf(parsed);
  if (range.from_ns && range.to_ns && *range.from_ns > *range.to_ns) {
    std::cerr << "fdanalyze: "
              << (app.got_subcommand("export") ? "--until is earlier than --since"
                                               : "--to is earlier than --from")
              << "\n";
    return kWrongUsage;
  }
  AnalysisOptions analysis{.grace = std::chrono::milliseconds(parsed.grace_ms),
                           .marks = parsed.marks,
                           .limits = limitsOf(parsed),
                           .is_salvage = parsed.is_salvage};
  if (app.got_subcommand("report")) {
    analysis.range = range;
    analysis.shows_changes = false;
    analysis.shows_closed = false;
    parsed.report.analysis = analysis;
    parsed.report.from = parsed.from;
    parsed.report.to = parsed.to;
    return parsed.report;
  }
  if (app.got_subcommand("export")) {
    analysis.range = range;
    parsed.exported.analysis = analysis;
    return parsed.exported;
  }
  if (app.got_subcommand("check")) {
    parsed.check.head = parseDigest(parsed.head);
    parsed.check.limits = limitsOf(parsed);
    return parsed.check;
  }
  if (app.got_subcommand("show")) {
    parsed.show.limits = limitsOf(parsed);
    return parsed.show;
  }
  if (parsed.listing.what == What::Sql) analysis.range = range;
  analysis.shows_changes = parsed.listing.what == What::Sql;
  parsed.listing.analysis = analysis;
  if (!parsed.database.empty()) parsed.listing.databases = {parsed.database};
  parsed.listing.filter.from_ns = range.from_ns;
  parsed.listing.filter.to_ns = range.to_ns;
  return parsed.listing;
}

}  // namespace

AnalyzeCommand parseAnalyzeOptions(int argc, const char* const* argv) {
  CLI::App app("Tells which file descriptors outlived their connections.", "fdanalyze");
  app.set_version_flag("--version", versionsOf("fdanalyze"));
  app.require_subcommand(1);
  app.failure_message(usageError);
  app.footer(
      "'fdanalyze COMMAND --help' tells the options; fdanalyze(1) is the manual.\n\n"
      "Examples:\n"
      "  fdanalyze report leak.db\n"
      "  fdanalyze outlived leak.db -f json\n");
  app.get_formatter()->column_width(kHelpColumn);
  Parsed parsed;
  addReport(app, parsed);
  addSockets(app, parsed);
  addSnapshots(app, parsed);
  addDiff(app, parsed);
  addHistory(app, parsed);
  addSql(app, parsed);
  addExport(app, parsed);
  addShow(app, parsed);
  addCheck(app, parsed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  return commandOf(app, parsed);
}

}  // namespace fdmortem
