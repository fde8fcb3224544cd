#include "capture/options.h"

#include <CLI/CLI.hpp>

#include "schema/duration.h"

namespace fdmortem {
namespace {

constexpr int kWrongUsage = 2;

void addSelection(CLI::App& record, Selection& selection) {
  record.add_option("-p,--pid", selection.pids, "This process (repeatable)")
      ->type_name("PID")
      ->check(CLI::Range(1, 4'194'304))
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Selection");
  record
      .add_option("-c,--comm", selection.comms,
                  "Processes of this name (comm or the program's file name), later ones included")
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Selection");
  record
      .add_option("--cgroup", selection.cgroup_globs,
                  "Processes whose cgroup path matches, later ones included")
      ->type_name("GLOB")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->group("Selection");
  record.add_flag("--all", selection.all, "Every process but kernel threads and fdcapture itself")
      ->group("Selection");
}

struct Durations {
  uint64_t interval_ms = 10'000;
  uint64_t duration_ms = 0;
};

CLI::App* addRecord(CLI::App& app, RecordOptions& options, Durations& durations) {
  CLI::App* record =
      app.add_subcommand("record", "Archive snapshots of processes' file descriptors at intervals");
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
                   "Time from one snapshot to the next: 500ms, 10s, 5m, 2h, 1d (default 10s)")
      ->transform(durationInMs())
      ->check(CLI::Range(uint64_t{1}, uint64_t{31} * 86'400'000));
  record->add_option("-n,--count", options.count, "End after N snapshots")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40));
  record->add_option("-d,--duration", durations.duration_ms, "End after this time")
      ->transform(durationInMs())
      ->check(CLI::Range(uint64_t{1}, uint64_t{3660} * 86'400'000));
  record->add_option("--note", options.note, "Why this is recorded; kept in the archive")
      ->type_name("TEXT");
  record->add_option("--proc-root", options.proc_root, "Where the proc file system is")
      ->type_name("DIR")
      ->capture_default_str();
  record->add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  record->add_flag("-v,--verbose", options.verbose, "Say a line for each snapshot");
  return record;
}

CLI::App* addCopy(CLI::App& app, CopyOptions& options) {
  CLI::App* copy = app.add_subcommand(
      "copy", "Make a consistent single-file copy of an archive, also while it is recorded");
  copy->footer("Example:\n  fdcapture copy leak.db /tmp/leak-copy.db\n");
  copy->add_option("FROM", options.from, "The archive")->required();
  copy->add_option("TO", options.to, "The copy; must not exist yet")->required();
  copy->add_flag("-q,--quiet", options.quiet, "Say nothing but errors");
  return copy;
}

}  // namespace

Command parseOptions(int argc, const char* const* argv) {
  CLI::App app("Archives what the kernel says about the file descriptors of processes.",
               "fdcapture");
  app.set_version_flag("--version", "fdcapture " FDMORTEM_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  app.footer("'fdcapture COMMAND --help' tells a command's options; fdcapture(1) is the manual.");
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
