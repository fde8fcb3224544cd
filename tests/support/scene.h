// One snapshot of a process that plays a part.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/actor.h"
#include "tests/support/recording.h"

namespace fdmortem::test {

/// A recording of one snapshot of an actor that tells something first.
class Scene {
 public:
  explicit Scene(const Actor::Part& part) : actor_(part), told_(actor_.hear()) {
    const ProgramResult result =
        runFdcapture({"record", "-o", database(), "-p", std::to_string(actor_.pid()), "-n", "1"});
    if (result.status != 0) throw std::runtime_error(result.err);
  }

  std::string database() const { return directory_.file("f.db"); }
  pid_t pid() const { return actor_.pid(); }
  const Json& told() const { return told_; }
  Json report() const { return analyze({"report", database()}); }

 private:
  TemporaryDirectory directory_;
  Actor actor_;
  Json told_;
};

}  // namespace fdmortem::test
