// What a hostile process is called, in each format of the report of it.
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/actor.h"
#include "tests/support/recording.h"
#include "tests/support/sockets.h"

namespace fdmortem::test {
namespace {

TEST(HostileProcess, IsInertInEachFormat) {
  const TemporaryDirectory directory;
  Actor actor([&](Cue& cue) {
    ::prctl(PR_SET_NAME, "<b>\n\x1b[2J|`\xff\"");
    const std::string path = directory.file("<script>\n\xe2\x80\xae\x1b]0;x\x07");
    const int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    cue.tell(fd >= 0 ? "open" : "failed");
    cue.await();
  });
  ASSERT_EQ(actor.hear(), "open");
  const std::string database = directory.file("hostile.db");
  const ProgramResult recorded =
      runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "1"});
  ASSERT_EQ(recorded.status, 0) << recorded.err;

  for (const std::string format : {"text", "markdown", "html", "json"}) {
    const ProgramResult result = runFdanalyze({"report", database, "-f", format});
    ASSERT_EQ(result.status, 0) << result.err;
    for (const char c : result.out) {
      const auto byte = static_cast<unsigned char>(c);
      ASSERT_TRUE(byte >= 0x20 || c == '\n') << format << ": " << static_cast<int>(byte);
    }
    EXPECT_NE(result.out.find("pid " + std::to_string(actor.pid())), std::string::npos) << format;
    EXPECT_EQ(result.out.find("\xe2\x80\xae"), std::string::npos) << format;
    EXPECT_EQ(result.out.find('\xff'), std::string::npos) << format;
    if (format == "html") {
      EXPECT_EQ(result.out.find("<b>"), std::string::npos);
    }
    if (format == "json") {
      EXPECT_TRUE(Json::accept(result.out));
    }
    if (format == "markdown") {
      EXPECT_NE(result.out.find("\\<b\\>"), std::string::npos) << result.out.substr(0, 400);
    }
  }
}

}  // namespace
}  // namespace fdmortem::test
