#include "capture/options.h"

#include <charconv>
#include <map>
#include <string_view>

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

constexpr size_t kHelpColumn = 27;
constexpr uint64_t kDayMs = 86'400'000;
constexpr uint64_t kMostMs = 3660 * kDayMs;  // ten years
constexpr const char* kSelectionGroup =
    "Selection (repeatable, adds up; all but --pid find later processes too)";

/// A range that the help does not spell out: the option's type is said in one word.
template <class Number>
CLI::Validator between(Number minimum, Number maximum) {
  return CLI::Range(minimum, maximum).description("");
}

/// An archive is no stream: `-` does not stand for stdout, and nobody wants a file of that name.
CLI::Validator fileName() {
  return CLI::Validator(
      [](const std::string& text) {
        if (text.empty()) return std::string("is empty; is a variable not set?");
        return text == "-" ? std::string(
                                 "an archive is a file and can't go to stdout; a file of "
                                 "this name is ./-")
                           : std::string();
      },
      "");
}

/// `--comm "$NAME"` with a variable that is not set would match every process without a name.
CLI::Validator notEmpty() {
  return CLI::Validator(
      [](const std::string& text) {
        return text.empty() ? std::string("is empty; is a variable not set?") : std::string();
      },
      "");
}

void addSelection(CLI::App& record, Selection& selection) {
  record.add_option("-p,--pid", selection.pids, "This process, or these: 4711,4712")
      ->type_name("PID")
      ->delimiter(',')
      ->check(pidNumber())
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kSelectionGroup);
  record.add_option("-c,--comm", selection.comms, "Name of the process or of its program's file")
      ->type_name("NAME")
      ->check(notEmpty())
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kSelectionGroup);
  record.add_option("--cgroup", selection.cgroup_globs, "Pattern of the cgroup path")
      ->type_name("GLOB")
      ->check(notEmpty())
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kSelectionGroup);
  record.add_flag("--all", selection.all, "All but kernel threads and fdcapture itself")
      ->group(kSelectionGroup);
}

/// What options give in another unit or form than RecordOptions has it.
struct RawOptions {
  uint64_t interval_ms = 10'000;
  uint64_t duration_ms = 0;
  uint64_t keep_ms = 0;
  uint64_t max_size_bytes = 0;
  std::string burst_above;
  uint64_t burst_interval_ms = 1000;
};

/// Takes `80%` and `80`, from 1 % to 100 %.
CLI::Validator percentage() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        int number = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, number);
        const std::string_view unit(rest, end);
        if (error != std::errc() || (unit != "%" && !unit.empty()) || number < 1 || number > 100) {
          return text + " is not from 1% to 100%";
        }
        text = std::to_string(number);
        return {};
      },
      "");
}

/// Of `cmdline,paths,addresses`.
CLI::Option* addRedaction(CLI::App& command, Redaction& redaction) {
  return command
      .add_option_function<std::vector<std::string>>(
          "--redact",
          [&redaction](const std::vector<std::string>& names) {
            for (const std::string& name : names) {
              if (name == "cmdline") redaction.cmdline = true;
              if (name == "paths") redaction.paths = true;
              if (name == "addresses") redaction.addresses = true;
            }
          },
          "Pseudonyms for: cmdline,paths,addresses")
      ->type_name("LIST")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check(CLI::IsMember({"cmdline", "paths", "addresses"}).description(""));
}

void addBudgets(CLI::App& record, RecordOptions& options, RawOptions& raw) {
  constexpr const char* kGroup = "Budgets";
  record.add_option("--keep", raw.keep_ms, "Drop snapshots that are older")
      ->type_name("DURATION")
      ->transform(durationInMs(1000, kMostMs))
      ->group(kGroup);
  record.add_option("--max-size", raw.max_size_bytes, "Keep the file below it, oldest out first")
      ->type_name("SIZE")
      ->transform(sizeInBytes(uint64_t{1} << 20, uint64_t{1} << 50))
      ->group(kGroup);
  record.add_option("--max-cpu", options.max_cpu_percent, "Rather wait than use more of one CPU")
      ->type_name("PERCENT")
      ->transform(percentage())
      ->group(kGroup);
  record
      .add_option("--max-memory", options.max_memory_bytes,
                  "Rather miss a snapshot than use more (default 1G)")
      ->type_name("SIZE")
      ->transform(sizeInBytes(uint64_t{16} << 20, uint64_t{1} << 50))
      ->group(kGroup);
}

void addBurst(CLI::App& record, RawOptions& raw) {
  constexpr const char* kGroup = "Flight recorder";
  auto* above = record
                    .add_option("--burst-above", raw.burst_above,
                                "More snapshots above 80%, ... of the soft limit")
                    ->type_name("PERCENT")
                    ->transform(percentage())
                    ->group(kGroup);
  record.add_option("--burst-interval", raw.burst_interval_ms, "... so often (default 1s)")
      ->type_name("DURATION")
      ->transform(durationInMs(10, kDayMs))
      ->needs(above)
      ->group(kGroup);
}

void addOutput(CLI::App& record, RecordOptions& options) {
  static const std::map<std::string, ProgressMode> kModes = {{"auto", ProgressMode::Auto},
                                                             {"always", ProgressMode::Always},
                                                             {"never", ProgressMode::Never}};
  record
      .add_option_function<std::string>(
          "--progress", [&options](const std::string& mode) { options.progress = kModes.at(mode); },
          "Status line: auto (on a terminal), always, never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""));
  record.add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  record.add_flag("-v,--verbose", options.verbose, "Say a line for each snapshot");
}

/// What was given in the form that it has in the options.
void finish(const CLI::App& record, const RawOptions& raw, RecordOptions& options) {
  const auto given = [&](const char* name) { return record.count(name) > 0; };
  options.interval = std::chrono::milliseconds(raw.interval_ms);
  options.burst_interval = std::chrono::milliseconds(raw.burst_interval_ms);
  if (given("--duration")) options.duration = std::chrono::milliseconds(raw.duration_ms);
  if (given("--keep")) options.keep = std::chrono::milliseconds(raw.keep_ms);
  if (given("--max-size")) options.max_size_bytes = raw.max_size_bytes;
  if (given("--burst-above")) options.burst_above_percent = std::stoi(raw.burst_above);
}

CLI::App* addRecord(CLI::App& app, RecordOptions& options, RawOptions& raw) {
  CLI::App* record =
      app.add_subcommand("record", "Archive snapshots of processes' file descriptors");
  record->footer(
      "Examples:\n"
      "  fdcapture record -o leak.db --pid 4711\n"
      "  fdcapture record -o leak.db --comm pushgateway --interval 30s --duration 2h\n");
  record->add_option("-o,--output", options.output, "The archive; one that exists is continued")
      ->type_name("FILE")
      ->check(fileName())
      ->required();
  addSelection(*record, options.selection);
  record->add_option("-i,--interval", raw.interval_ms, "500ms, 10s, 5m, 2h, 1d, ... (default 10s)")
      ->type_name("DURATION")
      ->transform(durationInMs(1, 31 * kDayMs));
  record->add_option("-n,--count", options.count, "End after N snapshots, with those of bursts")
      ->type_name("N")
      ->check(between(uint64_t{1}, uint64_t{1} << 40));
  record->add_option("-d,--duration", raw.duration_ms, "End after this time (default: at a signal)")
      ->type_name("DURATION")
      ->transform(durationInMs(1, kMostMs));
  record->add_flag_callback(
      "--no-autopsy", [&options] { options.with_autopsies = false; },
      "Do not ask the kernel about dead sockets");
  record->add_flag_callback(
      "--no-verbatim", [&options] { options.keeps_texts = false; },
      "Keep the rows only, not the texts that were read");
  record->add_flag("--environ", options.keeps_environ, "Keep the environment of processes, too");
  record->add_option("--note", options.note, "Why this is recorded; kept in the archive")
      ->type_name("TEXT");
  record->add_option("--proc-root", options.proc_root, "Where procfs is (default /proc)")
      ->type_name("DIR");
  addRedaction(*record, options.redaction);
  addOutput(*record, options);
  addBudgets(*record, options, raw);
  addBurst(*record, raw);
  return record;
}

CLI::App* addCopy(CLI::App& app, CopyOptions& options) {
  CLI::App* copy = app.add_subcommand("copy", "Copy an archive into one file, also while it grows");
  copy->footer(
      "Prints the copy's SHA-256, as sha256sum does.\n\n"
      "Examples:\n"
      "  fdcapture copy leak.db leak-copy.db\n"
      "  fdcapture copy --quiet leak.db leak-copy.db > leak-copy.db.sha256\n");
  copy->add_option("FROM", options.from, "The archive")->required()->type_name("");
  copy->add_option("TO", options.to, "The copy; must not exist yet")->required()->type_name("");
  const auto time = [](std::optional<int64_t>& ns, auto parse) {
    return [&ns, parse](const std::string& text) {
      ns = parse(text);
      if (!ns) throw CLI::ValidationError(text + " is no time such as 2026-11-22T08:12:39Z");
    };
  };
  copy->add_option_function<std::string>("--from", time(options.from_ns, parseTime),
                                         "From the keyframe at or before this time (UTC)")
      ->type_name("TIME");
  copy->add_option_function<std::string>("--to", time(options.to_ns, parseTimeEnd),
                                         "To the last snapshot that is not after it")
      ->type_name("TIME");
  addRedaction(*copy, options.redaction);
  copy->add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  return copy;
}

}  // namespace

CaptureCommand parseCaptureOptions(int argc, const char* const* argv) {
  CLI::App app("Archives what the kernel says about the file descriptors of processes.",
               "fdcapture");
  app.set_version_flag("--version", versionsOf("fdcapture"));
  app.require_subcommand(1);
  app.failure_message(usageError);
  app.footer(
      "'fdcapture COMMAND --help' tells the options; fdcapture(1) is the manual.\n\n"
      "Examples:\n"
      "  fdcapture record -o leak.db --comm pushgateway\n"
      "  fdcapture copy leak.db leak-copy.db\n");
  app.get_formatter()->column_width(kHelpColumn);
  RecordOptions record;
  CopyOptions copy;
  RawOptions raw;
  const CLI::App* record_command = addRecord(app, record, raw);
  const CLI::App* copy_command = addCopy(app, copy);
  try {
    app.parse(argc, argv);
    if (copy_command->parsed()) {
      if (copy.from_ns && copy.to_ns && *copy.from_ns > *copy.to_ns) {
        throw CLI::ValidationError("--to is earlier than --from: --from is the beginning");
      }
      return copy;
    }
    const Selection& selection = record.selection;
    if (selection.pids.empty() && !selection.scansProcesses()) {
      throw CLI::RequiredError("one of --pid, --comm, --cgroup and --all");
    }
    if (!raw.burst_above.empty() && raw.burst_interval_ms >= raw.interval_ms) {
      throw CLI::ValidationError(
          "--burst-interval: must be less than --interval, or there is nothing between two "
          "snapshots");
    }
    // CLI11's own excludes() would write that into the help, and push its columns aside.
    if (record.keeps_environ && !record.keeps_texts) {
      throw CLI::ExcludesError("--environ", "--no-verbatim");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  finish(*record_command, raw, record);
  record.arguments.assign(argv + 1, argv + argc);
  return record;
}

}  // namespace fdmortem
