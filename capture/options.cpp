#include "capture/options.h"

#include <CLI/CLI.hpp>

#include "schema/duration.h"

namespace fdmortem {
namespace {

constexpr int kWrongUsage = 2;
constexpr size_t kHelpColumn = 27;
constexpr const char* kSelectionGroup =
    "Selection (repeatable, adds up; all but --pid find later processes too)";

/// A range that the help does not spell out: the option's type is said in one word.
template <class Number>
CLI::Validator between(Number minimum, Number maximum) {
  return CLI::Range(minimum, maximum).description("");
}

void addSelection(CLI::App& record, Selection& selection) {
  record.add_option("-p,--pid", selection.pids, "This process")
      ->type_name("PID")
      ->check(between(1, 4'194'304))
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kSelectionGroup);
  record.add_option("-c,--comm", selection.comms, "Name of the process or of its program's file")
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kSelectionGroup);
  record.add_option("--cgroup", selection.cgroup_globs, "Pattern of the cgroup path")
      ->type_name("GLOB")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group(kSelectionGroup);
  record.add_flag("--all", selection.all, "All but kernel threads and fdcapture itself")
      ->group(kSelectionGroup);
}

struct Durations {
  uint64_t interval_ms = 10'000;
  uint64_t duration_ms = 0;
};

CLI::App* addRecord(CLI::App& app, RecordOptions& options, Durations& durations) {
  CLI::App* record =
      app.add_subcommand("record", "Archive snapshots of processes' file descriptors");
  record->footer(
      "Examples:\n"
      "  fdcapture record -o leak.db --pid 4711\n"
      "  fdcapture record -o leak.db --comm pushgateway --interval 30s --duration 2h\n");
  record->add_option("-o,--output", options.output, "The archive; one that exists is continued")
      ->type_name("FILE")
      ->required();
  addSelection(*record, options.selection);
  record
      ->add_option("-i,--interval", durations.interval_ms,
                   "500ms, 10s, 5m, 2h, 1d, ... (default 10s)")
      ->type_name("DURATION")
      ->transform(durationInMs())
      ->check(between(uint64_t{1}, uint64_t{31} * 86'400'000));
  record->add_option("-n,--count", options.count, "End after N snapshots")
      ->type_name("N")
      ->check(between(uint64_t{1}, uint64_t{1} << 40));
  record
      ->add_option("-d,--duration", durations.duration_ms,
                   "End after this time (default: at a signal)")
      ->type_name("DURATION")
      ->transform(durationInMs())
      ->check(between(uint64_t{1}, uint64_t{3660} * 86'400'000));
  record->add_flag("!--no-autopsy", options.with_autopsies,
                   "Do not ask the kernel about dead sockets");
  record->add_option("--note", options.note, "Why this is recorded; kept in the archive")
      ->type_name("TEXT");
  record->add_option("--proc-root", options.proc_root, "Where procfs is (default /proc)")
      ->type_name("DIR");
  record->add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  record->add_flag("-v,--verbose", options.verbose, "Say a line for each snapshot");
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
  copy->add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  return copy;
}

}  // namespace

CaptureCommand parseCaptureOptions(int argc, const char* const* argv) {
  CLI::App app("Archives what the kernel says about the file descriptors of processes.",
               "fdcapture");
  app.set_version_flag("--version", "fdcapture " FDMORTEM_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer(
      "'fdcapture COMMAND --help' tells the options; fdcapture(1) is the manual.\n\n"
      "Examples:\n"
      "  fdcapture record -o leak.db --comm pushgateway\n"
      "  fdcapture copy leak.db leak-copy.db\n");
  app.get_formatter()->column_width(kHelpColumn);
  RecordOptions record;
  CopyOptions copy;
  Durations durations;
  const CLI::App* record_command = addRecord(app, record, durations);
  const CLI::App* copy_command = addCopy(app, copy);
  try {
    app.parse(argc, argv);
    if (copy_command->parsed()) return copy;
    const Selection& selection = record.selection;
    if (selection.pids.empty() && !selection.scansProcesses()) {
      throw CLI::RequiredError("one of --pid, --comm, --cgroup and --all");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUsage;
  }
  record.interval = std::chrono::milliseconds(durations.interval_ms);
  if (record_command->count("--duration") > 0) {
    record.duration = std::chrono::milliseconds(durations.duration_ms);
  }
  record.arguments.assign(argv + 1, argv + argc);
  return record;
}

}  // namespace fdmortem
