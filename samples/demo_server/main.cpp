// fdmortem-demo: a server with descriptor leaks, its supervisor and its clients.
#include <cstdio>
#include <exception>
#include <string>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "samples/demo_server/load.h"
#include "samples/demo_server/options.h"
#include "samples/demo_server/server.h"
#include "samples/demo_server/supervisor.h"

namespace fdmortem::demo {

namespace {

struct Runner {
  int operator()(int status) const { return status; }
  int operator()(const ServeOptions& options) const { return serve(options); }
  int operator()(const SuperviseOptions& options) const { return supervise(options); }
  int operator()(const LoadOptions& options) const { return load(options); }
};

}  // namespace

}  // namespace fdmortem::demo

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    return std::visit(fdmortem::demo::Runner{}, fdmortem::demo::parseCommandLine(arguments));
  } catch (const std::exception& error) {
    fmt::print(stderr, "fdmortem-demo: {}\n", error.what());
    return 1;
  }
}
