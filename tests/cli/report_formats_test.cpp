// What a hostile process is called, in each format of the report of it.
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
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

/// What the report of a process looks like on a terminal with so many columns.
std::string onTerminal(const std::string& database, int columns, const std::string& no_color) {
  const std::string command =
      "stty cols " + std::to_string(columns) + " && " FDANALYZE_PATH " report " + database;
  return runProgram({"script", "-qec", command, "/dev/null"}, {}, kDeadline,
                    {.environment = {{"TERM", "xterm"}, {"NO_COLOR", no_color}}, .directory = {}})
      .out;
}

TEST(Terminal, HasColourAndTextOfItsWidth) {
  const TemporaryDirectory directory;
  Actor actor([](Cue& cue) { cue.await(); });
  const std::string database = directory.file("f.db");
  ASSERT_EQ(
      runFdcapture({"record", "-o", database, "-p", std::to_string(actor.pid()), "-n", "1"}).status,
      0);
  const std::string wide = onTerminal(database, 120, "");
  EXPECT_NE(wide.find("\x1b[1mVerdict\x1b[0m"), std::string::npos) << wide;
  const std::string plain = onTerminal(database, 120, "1");
  EXPECT_NE(plain.find("Verdict"), std::string::npos);
  EXPECT_EQ(plain.find('\x1b'), std::string::npos);
  const auto lines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  EXPECT_GT(lines(onTerminal(database, 60, "1")), lines(plain));
  const std::string piped = runFdanalyze({"report", database}).out;
  EXPECT_EQ(piped.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace fdmortem::test
