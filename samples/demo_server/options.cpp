#include "samples/demo_server/options.h"

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>

#include <CLI/CLI.hpp>

#include "samples/demo_server/socket.h"

namespace fdmortem::demo {

namespace {

constexpr uint32_t kFewestFds = 16;  // what it opens itself, and something to serve with
constexpr int64_t kLongestMilliseconds = 24LL * 3'600'000;

const std::map<std::string, Behaviour> kBehaviours = {
    {"healthy", Behaviour::Healthy},
    {"leak-reset", Behaviour::LeakReset},
    {"leak-close-wait", Behaviour::LeakCloseWait},
};

const std::map<std::string, Mode> kModes = {
    {"churn", Mode::Churn},
    {"keep", Mode::Keep},
    {"reset", Mode::Reset},
    {"half-close", Mode::HalfClose},
};

/// Turns "500ms", "10s", "5m" into milliseconds.
CLI::AsNumberWithUnit durationUnits() {
  return CLI::AsNumberWithUnit(
      std::map<std::string, int64_t>{{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}},
      CLI::AsNumberWithUnit::UNIT_REQUIRED, "DURATION");
}

CLI::Option* addDuration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                         const std::string& text) {
  return app
      .add_option_function<int64_t>(
          name, [&value](int64_t count) { value = std::chrono::milliseconds(count); }, text)
      ->transform(durationUnits())
      ->check(CLI::Range(int64_t{1}, kLongestMilliseconds))
      ->option_text("DURATION");
}

/// CLI11 wants the reason as a text.
template <class Parse>
std::string reasonAgainst(Parse&& parse) {
  try {
    parse();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

CLI::App* addServe(CLI::App& app, ServeOptions& options) {
  CLI::App* serve = app.add_subcommand("serve", "answer each line with 'ok'");
  serve->add_option("--behaviour", options.behaviour, "healthy, leak-reset or leak-close-wait")
      ->required()
      ->transform(CLI::CheckedTransformer(kBehaviours))
      ->option_text("BEHAVIOUR REQUIRED");
  serve->add_option("--bind", options.bind, "address to listen on (127.0.0.1)")
      ->check(
          [](const std::string& text) { return reasonAgainst([&] { SocketAddress(text, 0); }); });
  // The supervisor appends the port that the first server was given.
  serve->add_option("--port", options.port, "port to listen on; 0: any (0)")->take_last();
  serve->add_option("--ready-file", options.ready_file, "write ADDRESS:PORT there when ready");
  serve->add_option("--max-fds", options.max_fds, "set the own soft limit of open files")
      ->check(CLI::Range(kFewestFds, uint32_t{1} << 30))
      ->option_text("N");
  serve
      ->add_option("--fail-after", options.fail_after,
                   "exit with status 70 when that many connections were accepted")
      ->check(CLI::Range(uint64_t{1}, std::numeric_limits<uint64_t>::max()))
      ->option_text("N");
  return serve;
}

CLI::App* addSupervise(CLI::App& app, SuperviseOptions& options) {
  CLI::App* supervise =
      app.add_subcommand("supervise", "run a server, start it again when it fails");
  supervise->add_option("--pid-file", options.pid_file, "keep the pid of the server there")
      ->required();
  supervise->add_option("--program", options.program, "of the server (this one)")
      ->check(CLI::ExistingFile)
      ->option_text("FILE");
  supervise->add_option("arguments", options.serve_arguments, "-- serve ARGUMENTS...")->required();
  return supervise;
}

CLI::App* addLoad(CLI::App& app, LoadOptions& options) {
  CLI::App* load = app.add_subcommand("load", "be the clients of a server");
  load->add_option("--connect", options.connect, "ADDRESS:PORT or [ADDRESS]:PORT")
      ->required()
      ->check([](const std::string& text) {
        return reasonAgainst([&] { SocketAddress::parse(text); });
      });
  load->add_option("--source", options.source, "address to connect from")
      ->check(
          [](const std::string& text) { return reasonAgainst([&] { SocketAddress(text, 0); }); })
      ->option_text("ADDRESS");
  load->add_option("--http-push", options.http_push,
                   "instead of lines, PUT a metric to this path of a Pushgateway")
      ->check([](const std::string& text) {
        return text.starts_with('/') ? std::string() : "a path starts with /";
      })
      ->option_text("PATH");
  auto* step = load->add_flag("--step", options.step,
                              "do what stdin says: 'open N', 'reset N', 'close N', 'quit'");
  auto* mode = load->add_option("--mode", options.mode, "churn, keep, reset or half-close")
                   ->transform(CLI::CheckedTransformer(kModes))
                   ->option_text("MODE");
  load->add_option("--connections", options.connections,
                   "keep: open at once; else: end after so many")
      ->check(CLI::Range(uint32_t{1}, kMostConnections))
      ->option_text("N");
  load->add_option("--rate", options.rate, "new connections a second; 0: as fast as it can (0)")
      ->check(CLI::Range(0.0, 1e6))
      ->option_text("N");
  addDuration(*load, "--duration", options.duration, "end after this time (10s)");
  addDuration(*load, "--timeout", options.timeout, "longest wait for an answer (5s)");
  addDuration(*load, "--hold", options.hold,
              "not of keep: time from the last answer to the end (at once)")
      ->excludes(step);
  load->add_option("--requests", options.requests, "requests a connection (1)")
      ->check(CLI::Range(1U, 1'000'000U))
      ->option_text("N");
  load->final_callback([step, mode] {
    if (step->count() == 0 && mode->count() == 0) throw CLI::RequiredError("--mode or --step");
  });
  return load;
}

/// Finds mistakes in the server's arguments before there is anything to supervise.
Command checkSupervised(SuperviseOptions options) {
  Command inner = parseCommandLine(options.serve_arguments);
  if (const auto* serve = std::get_if<ServeOptions>(&inner)) {
    options.serve = *serve;
    return options;
  }
  if (std::holds_alternative<int>(inner)) return inner;
  throw CLI::ValidationError("supervise", "only 'serve' can be supervised");
}

}  // namespace

Command parseCommandLine(const std::vector<std::string>& arguments) {
  ServeOptions serve_options;
  SuperviseOptions supervise_options;
  LoadOptions load_options;
  CLI::App app("A line server with descriptor leaks, and its clients.", "fdmortem-demo");
  app.require_subcommand(1);
  const CLI::App* serve = addServe(app, serve_options);
  const CLI::App* supervise = addSupervise(app, supervise_options);
  addLoad(app, load_options);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // it wants them so
    if (serve->parsed()) return serve_options;
    if (supervise->parsed()) return checkSupervised(std::move(supervise_options));
    return load_options;
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
}

}  // namespace fdmortem::demo
