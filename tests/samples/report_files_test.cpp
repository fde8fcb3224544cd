// The reports of the samples as other programs take them: JSON by its schema, HTML in a browser.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/recording.h"

namespace fdmortem::test {
namespace {

const std::vector<std::string> kSamples = {"pushgateway",     "leak-reset", "after-leak",
                                           "leak-close-wait", "healthy",    "restarted"};

std::string sample(const std::string& name) {
  return FDMORTEM_SAMPLES_DIR "/" + name + ".db";
}

void writeReport(const std::string& name, const std::string& format, const std::string& file) {
  const ProgramResult result = runFdanalyze({"report", sample(name), "-f", format, "-o", file});
  ASSERT_EQ(result.status, 0) << result.err;
}

// --- what lies beside it meanwhile ---

TEST(ReportFiles, WhoInterruptsAReportLeavesNoCopyOfTheArchiveBehind) {
  for (const int number : {SIGINT, SIGTERM}) {
    const TemporaryDirectory directory;
    std::optional<int> status;
    // It can be faster than the signal.
    for (int attempt = 0; attempt < 20 && status != -number; ++attempt) {
      ChildProcess report({FDANALYZE_PATH, "report", sample("pushgateway")},
                          {.environment = {{"TMPDIR", directory.path()}}, .directory = {}});
      ASSERT_TRUE(waitFor([&] { return !namesIn(directory.path()).empty(); }));
      report.signal(number);
      status = report.wait();
      EXPECT_EQ(namesIn(directory.path()), std::vector<std::string>());
    }
    EXPECT_EQ(status, -number);
  }
}

// --- JSON ---

/// Debian's own interpreter, which its packages are for, whatever else is in PATH.
std::vector<std::string> python() {
  return {"/usr/bin/env", "-i", "/usr/bin/python3"};
}

bool canValidate() {
  std::vector<std::string> command = python();
  command.insert(command.end(), {"-c", "import jsonschema"});
  return runProgram(command).status == 0;
}

ProgramResult validate(const std::vector<std::string>& files) {
  const std::string source = FDMORTEM_SOURCE_DIR;
  std::vector<std::string> command = python();
  command.push_back(source + "/tests/support/validate_json.py");
  command.push_back(source + "/schema/report.schema.json");
  command.insert(command.end(), files.begin(), files.end());
  return runProgram(command);
}

TEST(ReportSchema, HoldsForEachSample) {
  if (!canValidate()) GTEST_SKIP() << "python3-jsonschema is not installed";
  const TemporaryDirectory directory;
  std::vector<std::string> files;
  for (const std::string& name : kSamples) {
    files.push_back(directory.file(name + ".json"));
    writeReport(name, "json", files.back());
  }
  files.push_back(directory.file("several.json"));
  std::ofstream(files.back()) << analyze(
      {"report", sample("healthy"), sample("pushgateway"), "--mark", "2026-11-23T00:06:10Z x"});
  const ProgramResult result = validate(files);
  EXPECT_EQ(result.status, 0) << result.out << result.err;
}

TEST(ReportSchema, RefusesWhatItDoesNotDescribe) {
  if (!canValidate()) GTEST_SKIP() << "python3-jsonschema is not installed";
  const TemporaryDirectory directory;
  const Json report = analyze({"report", sample("healthy")});
  Json without = report;
  without.at("processes").at(0).erase("fds");
  Json another = report;
  another["processes"][0]["fds"]["unheard_of"] = 1;
  Json wrong = report;
  wrong["processes"][0]["verdicts"]["dead"] = 1;
  for (const Json& document : {without, another, wrong}) {
    const std::string file = directory.file("report.json");
    std::ofstream(file) << document;
    EXPECT_EQ(validate({file}).status, 1);
  }
}

// --- HTML ---

constexpr const char* kBrowser = "/usr/bin/chromium";

/// What a browser made of a page.
struct Opened {
  std::string document;               ///< as it stands after loading
  std::vector<std::string> messages;  ///< of the console; what the page's policy refused is one
  std::vector<std::string> requests;  ///< that the page made
};

std::vector<std::string> linesWith(const std::string& text, const std::string& part) {
  std::vector<std::string> lines;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find('\n', start), text.size());
    const std::string line = text.substr(start, end - start);
    if (line.find(part) != std::string::npos) lines.push_back(line);
    start = end + 1;
  }
  return lines;
}

/// From the browser's own log of its network: those that some page began. The browser has some too.
std::vector<std::string> requestsOf(const std::string& log) {
  std::vector<std::string> urls;
  const Json document = Json::parse(log);
  for (const Json& event : document.at("events")) {
    const Json parameters = event.value("params", Json::object());
    if (!parameters.contains("initiator") || !parameters.contains("url")) continue;
    if (parameters.at("initiator") != "not an origin") urls.push_back(parameters.at("url"));
  }
  return urls;
}

Opened openInBrowser(const TemporaryDirectory& directory, const std::string& page) {
  const std::string log = directory.file("net.json");
  // No name is found, not even a number: nothing leaves this machine.
  const ProgramResult result =
      runProgram({kBrowser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync",
                  "--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND",
                  "--user-data-dir=" + directory.file("profile"), "--enable-logging=stderr",
                  "--log-net-log=" + log, "--dump-dom", "file://" + page},
                 {}, 4 * kDeadline);
  EXPECT_EQ(result.status, 0) << result.err;
  return {result.out, linesWith(result.err, ":CONSOLE:"), requestsOf(contentOf(log))};
}

size_t countOf(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t place = 0; (place = text.find(part, place)) != std::string::npos; ++place)
    ++count;
  return count;
}

class InBrowser : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kBrowser)) GTEST_SKIP() << "chromium is not installed";
  }
  const TemporaryDirectory directory;
  const std::string page = directory.file("report.html");
};

TEST_P(InBrowser, SaysNothingAsksForNothingAndHasItsCharts) {
  writeReport(GetParam(), "html", page);
  const Opened opened = openInBrowser(directory, page);
  EXPECT_EQ(opened.messages, std::vector<std::string>{});
  EXPECT_EQ(opened.requests, std::vector<std::string>{});
  EXPECT_EQ(countOf(opened.document, "<script"), 0U);
  EXPECT_GE(countOf(opened.document, "<svg viewBox=\"0 0 640"), 2U);
  EXPECT_GE(countOf(opened.document, "<table"), 3U);
  EXPECT_EQ(countOf(opened.document, "<h1>"), 1U);
}

INSTANTIATE_TEST_SUITE_P(Samples, InBrowser,
                         ::testing::Values("pushgateway", "leak-reset", "after-leak", "restarted"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

class BrowserItself : public InBrowser {};

// That the test above would see it.
TEST_P(BrowserItself, RefusesWhatThePolicyForbids) {
  writeReport("healthy", "html", page);
  std::string html = contentOf(page);
  const std::string intruder =
      "<script>1</script><img src=\"http://127.0.0.1:9/x.png\"><p style=\"color:red\">x</p></main>";
  html.replace(html.find("</main>"), 7, intruder);
  std::ofstream(page) << html;
  const Opened refused = openInBrowser(directory, page);
  EXPECT_EQ(refused.messages.size(), 3U);
  EXPECT_EQ(refused.requests, std::vector<std::string>{});

  const size_t policy = html.find("<meta http-equiv=");
  html.erase(policy, html.find('>', policy) + 1 - policy);
  std::ofstream(page) << html;
  EXPECT_EQ(openInBrowser(directory, page).requests,
            std::vector<std::string>{"http://127.0.0.1:9/x.png"});
}

TEST_P(BrowserItself, TakesSeveralArchivesAndALogAsWell) {
  const ProgramResult result =
      runFdanalyze({"report", sample("pushgateway"), sample("restarted"), sample("healthy"), "-f",
                    "html", "-o", page, "--mark", "2026-11-23T00:06:10Z <b>deployed</b>", "--log",
                    sample("pushgateway") + "=" FDMORTEM_SAMPLES_DIR "/pushgateway.log"});
  ASSERT_EQ(result.status, 0) << result.err;
  const Opened opened = openInBrowser(directory, page);
  EXPECT_EQ(opened.messages, std::vector<std::string>{});
  EXPECT_EQ(opened.requests, std::vector<std::string>{});
  EXPECT_EQ(countOf(opened.document, "<h2 id=\"archives\">3 archives</h2>"), 1U);
  EXPECT_EQ(countOf(opened.document, "<b>"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Browser, BrowserItself, ::testing::Values("control"));

}  // namespace
}  // namespace fdmortem::test
