// fdmortem-demo as a server and as its clients.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/process.h"

namespace fdmortem::test {

/// A server that listens.
class DemoServer {
 public:
  explicit DemoServer(std::vector<std::string> options)
      : process_(commandLine(std::move(options))) {
    constexpr std::string_view kPrefix = "listening on ";
    const auto line = process_.readLine();
    if (!line || !line->starts_with(kPrefix)) {
      throw std::runtime_error("no server: " + process_.takeErrors());
    }
    address_ = line->substr(kPrefix.size());
  }

  ChildProcess& process() { return process_; }
  pid_t pid() const { return process_.pid(); }
  const std::string& address() const { return address_; }
  uint16_t port() const {
    return static_cast<uint16_t>(std::stoul(address_.substr(address_.rfind(':') + 1)));
  }

 private:
  static std::vector<std::string> commandLine(std::vector<std::string> options) {
    options.insert(options.begin(), {FDMORTEM_DEMO_PATH, "serve"});
    return options;
  }

  ChildProcess process_;
  std::string address_;
};

/// Clients that open, close and reset connections when they are told to.
class DemoClients {
 public:
  explicit DemoClients(const std::string& address)
      : process_({FDMORTEM_DEMO_PATH, "load", "--connect", address, "--step", "--timeout", "10m"}) {
  }

  /// Throws std::runtime_error if that is not done.
  void tell(const std::string& command) {
    const std::string answer = ask(command);
    if (answer != "done") throw std::runtime_error(command + ": " + answer);
  }
  std::string ask(const std::string& command) {
    process_.write(command + '\n');
    return process_.readLine().value_or("no answer");
  }
  /// Says it without waiting until it is done.
  void begin(const std::string& command) { process_.write(command + '\n'); }

 private:
  ChildProcess process_;
};

}  // namespace fdmortem::test
