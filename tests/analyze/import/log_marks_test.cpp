// analyze/import/log_marks.h, with lines as programs write them.
#include "analyze/import/log_marks.h"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "schema/time_text.h"

namespace fdmortem::test {

namespace {

const LogContext kRecorded = {
    .recorded_ns = std::pair(*parseTime("2026-11-22T09:00Z"), *parseTime("2026-11-22T10:00Z"))};

LogMarks scan(const std::string& log, const LogContext& context = kRecorded) {
  std::istringstream stream(log);
  LogScanner scanner(context);
  EXPECT_TRUE(scanLog(stream, scanner));
  return scanner.take();
}

/// The marks of a log, a line each: `time kind count`.
std::string marksOf(const std::string& log, const LogContext& context = kRecorded) {
  std::string text;
  for (const Mark& mark : scan(log, context).marks) {
    text += formatTime(mark.time_ns) + " " + std::string(markKindName(mark.kind)) + " " +
            std::to_string(mark.count) + "\n";
  }
  return text;
}

/// A line that tells of EMFILE at 2026-11-22T09:47:05Z, in some program's format.
struct Line {
  const char* name;
  const char* text;
  const char* time = "2026-11-22T09:47:05.000Z";
  bool has_zone = true;
};

// gtest prints it with this.
std::ostream& operator<<(std::ostream& out, const Line& line) {
  return out << line.name;
}

class LogLine : public ::testing::TestWithParam<Line> {};

TEST_P(LogLine, IsAMarkAtItsTime) {
  const LogMarks marks = scan(GetParam().text);
  ASSERT_EQ(marks.marks.size(), 1U);
  EXPECT_EQ(formatTime(marks.marks[0].time_ns), GetParam().time);
  EXPECT_EQ(markKindName(marks.marks[0].kind), "EMFILE");
  EXPECT_EQ(marks.marks[0].count, 1);
  EXPECT_EQ(marks.without_time, 0);
  EXPECT_EQ(marks.without_zone, GetParam().has_zone ? 0 : 1);
}

constexpr const char* kMilliseconds = "2026-11-22T09:47:05.123Z";
constexpr const char* kSeconds = "2026-11-22T09:47:05.000Z";

INSTANTIATE_TEST_SUITE_P(
    Formats, LogLine,
    ::testing::Values(
        Line{"go",
             "2026/11/22 09:47:05 http: Accept error: accept tcp [::]:9091: accept4: too "
             "many open files; retrying in 5ms",
             kSeconds, false},
        Line{"go_microseconds",
             "2026/11/22 09:47:05.123456 server.go:3095: http: Accept error: "
             "accept tcp [::]:9091: accept4: too many open files; retrying",
             kMilliseconds, false},
        Line{"go_kit_logfmt",
             R"(ts=2026-11-22T09:47:05.123Z caller=main.go:1 level=error err="accept tcp )"
             R"([::]:9091: accept4: too many open files; retrying in 1s")",
             kMilliseconds},
        Line{"slog_text",
             R"(time=2026-11-22T10:47:05.123+01:00 level=ERROR msg="accept4: too many open files")",
             kMilliseconds},
        Line{"logrus", R"(time="2026-11-22T09:47:05Z" level=error msg="too many open files")"},
        Line{"logfmt_epoch", R"(level=error ts=1795340825.123 msg="too many open files")",
             kMilliseconds},
        Line{"slog_json",
             R"({"time":"2026-11-22T09:47:05.123Z","level":"ERROR","msg":"accept",)"
             R"("err":"accept4: too many open files"})",
             kMilliseconds},
        Line{"zap_json", R"({"level":"error","ts":1795340825.123,"msg":"too many open files"})",
             kMilliseconds},
        Line{"pino_json", R"({"level":50,"time":1795340825123,"msg":"accept EMFILE"})",
             kMilliseconds},
        Line{"docker_json",
             R"({"log":"accept: Too many open files\n","stream":"stderr",)"
             R"("time":"2026-11-22T09:47:05.123456789Z"})",
             kMilliseconds},
        Line{"kubernetes_cri",
             "2026-11-22T09:47:05.123456789Z stderr F accept: Too many open files", kMilliseconds},
        Line{"logstash_json",
             R"({"@timestamp":"2026-11-22T09:47:05.123Z","message":)"
             R"("java.io.IOException: Too many open files"})",
             kMilliseconds},
        Line{"nginx_error",
             "2026/11/22 09:47:05 [crit] 17#17: accept4() failed (24: Too many open "
             "files)",
             kSeconds, false},
        Line{"java_log4j",
             "2026-11-22 09:47:05,123 ERROR [Acceptor] java.io.IOException: Too many "
             "open files",
             kMilliseconds, false},
        Line{"java_day_first",
             "22 Nov 2026 09:47:05,123 ERROR java.net.SocketException: Too many "
             "open files",
             kMilliseconds, false},
        Line{"tomcat",
             "22-Nov-2026 09:47:05.123 SEVERE [http-nio-8080-Acceptor] "
             "java.io.IOException: Too many open files",
             kMilliseconds, false},
        Line{"tomcat_stack_trace",
             "22-Nov-2026 09:47:05.123 SEVERE [http-nio-8080] Endpoint.run it did not work\n"
             "\tjava.io.IOException: Too many open files",
             kMilliseconds, false},
        Line{"java_stack_trace",
             "2026-11-22 09:47:05,123 ERROR Server - run\n"
             "java.io.IOException: Too many open files\n"
             "\tat java.base/sun.nio.ch.Net.accept(Native Method)",
             kMilliseconds, false},
        Line{"java_util_logging",
             "Nov 22, 2026 9:47:05 AM org.apache.tomcat.util.net.Acceptor run\n"
             "SEVERE: It did not work\n"
             "java.net.SocketException: Too many open files (Accept failed)\n"
             "\tat java.base/java.net.PlainSocketImpl.accept(PlainSocketImpl.java)",
             kSeconds, false},
        Line{"java_util_logging_message",
             "Nov 22, 2026 9:47:05 AM org.example.Server accept\n"
             "WARNING: Too many open files",
             kSeconds, false},
        Line{"python_logging",
             "2026-11-22 09:47:05,123 ERROR OSError: [Errno 24] Too many open "
             "files: '/x'",
             kMilliseconds, false},
        Line{"envoy", "[2026-11-22 09:47:05.123][12][error] accept: Too many open files",
             kMilliseconds, false},
        Line{"postgres",
             "2026-11-22 09:47:05.123 UTC [77] LOG:  out of file descriptors: Too many "
             "open files; release and retry",
             kMilliseconds},
        Line{"postgres_elsewhere", "2026-11-22 09:47:05.123 CET [77] LOG:  Too many open files",
             kMilliseconds, false},
        Line{"redis",
             "12345:M 22 Nov 2026 09:47:05.123 # Accepting client connection: accept: Too "
             "many open files",
             kMilliseconds, false},
        Line{"apache_error",
             "[Sun Nov 22 09:47:05.123456 2026] [core:error] [pid 1] (24)Too many "
             "open files: AH00529",
             kMilliseconds, false},
        Line{"common_log_format", "192.0.2.7 - - [22/Nov/2026:10:47:05 +0100] too many open files"},
        Line{"glog", "E1122 09:47:05.123456    17 server.go:10] accept4: too many open files",
             kMilliseconds, false},
        Line{"glog_year", "E20261122 09:47:05.123456    17 server.cc:10] Too many open files",
             kMilliseconds, false},
        Line{"syslog",
             "Nov 22 09:47:05 host haproxy[7]: Proxy x reached process FD limit: too "
             "many open files",
             kSeconds, false},
        Line{"syslog_rfc5424", "<11>1 2026-11-22T09:47:05.123Z host app 7 - - too many open files",
             kMilliseconds},
        Line{"journal_short_iso", "2026-11-22T10:47:05+0100 host app[7]: too many open files"},
        Line{"journal_short_full", "Sun 2026-11-22 09:47:05 UTC host app[7]: too many open files"},
        Line{"journal_short_unix", "1795340825.123456 host app[7]: too many open files",
             kMilliseconds},
        Line{"journal_export",
             "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1795340825123456\n_PID=7\n"
             "_CMDLINE=app --note too many open files\nMESSAGE=accept4: too many open files\n\n",
             kMilliseconds},
        Line{"journal_json",
             R"({"__REALTIME_TIMESTAMP":"1795340825123456","_PID":"7",)"
             R"("MESSAGE":"accept4: too many open files"})",
             kMilliseconds}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(LogMarks, WhatALineTellsOf) {
  const std::string time = "2026-11-22T09:47:05Z ";
  const auto kind_of = [&](const std::string& text) {
    const LogMarks marks = scan(time + text);
    return marks.marks.empty() ? std::string("nothing")
                               : std::string(markKindName(marks.marks[0].kind));
  };
  for (const char* text : {"Too many open files", "TOO MANY OPEN FILES", "accept EMFILE",
                           "No file descriptors available (os error 24)",
                           "socket() (24: Too many open files) while connecting to upstream"}) {
    EXPECT_EQ(kind_of(text), "EMFILE") << text;
  }
  for (const char* text : {"accept4: too many open files in system", "open: ENFILE",
                           "VFS: file-max limit 9223372036854775807 reached"}) {
    EXPECT_EQ(kind_of(text), "ENFILE") << text;
  }
  for (const char* text :
       {"http: Accept error: accept tcp [::]:80: connection aborted",
        "accept4() failed (103: Software caused connection abort)",
        "SEVERE Acceptor.run Socket accept failed", "failed to accept connection"}) {
    EXPECT_EQ(kind_of(text), "accept-error") << text;
  }
  for (const char* text : {"GET / HTTP/1.1 Accept: text/html 500 error", "order accepted, 0 errors",
                           "cannot accept the terms", "systemfile", "all is well", ""}) {
    EXPECT_EQ(kind_of(text), "nothing") << text;
  }
}

TEST(LogMarks, TheFieldsOfAJsonLineAreNoMessage) {
  EXPECT_EQ(marksOf(R"({"time":"2026-11-22T09:47:05Z","cmd":"too many open files","msg":"hello"})"),
            "");
}

TEST(LogMarks, LinesWithoutATimeAreCounted) {
  const LogMarks marks = scan(
      "too many open files\n"
      "10:47:05 too many open files\n"
      "2026-02-30 10:00:00 too many open files\n"
      "hello\n");
  EXPECT_TRUE(marks.marks.empty());
  EXPECT_EQ(marks.lines, 4);
  EXPECT_EQ(marks.matched, 3);
  EXPECT_EQ(marks.without_time, 3);
}

TEST(LogMarks, ALineOfItsOwnHasNotTheTimeOfAnother) {
  const LogMarks marks = scan(
      "2026-11-22T09:47:05Z started\n"
      "accept: too many open files\n");
  EXPECT_TRUE(marks.marks.empty());
  EXPECT_EQ(marks.without_time, 1);
}

TEST(LogMarks, TheTwelveHoursOfJavaUtilLogging) {
  const auto time_of = [](const std::string& time) {
    return marksOf("Nov 22, 2026 " + time + " a.B run\nSEVERE: too many open files\n");
  };
  EXPECT_EQ(time_of("12:00:01 AM"), "2026-11-22T00:00:01.000Z EMFILE 1\n");
  EXPECT_EQ(time_of("12:00:01 PM"), "2026-11-22T12:00:01.000Z EMFILE 1\n");
  EXPECT_EQ(time_of("11:59:59 PM"), "2026-11-22T23:59:59.000Z EMFILE 1\n");
  for (const char* wrong : {"13:00:01 PM", "0:00:01 AM", "1:00:01", "1:00:01 XM", "1:60:01 AM"})
    EXPECT_EQ(time_of(wrong), "") << wrong;
}

// Only the line below such a time is its message.
TEST(LogMarks, ALevelAloneHasNotTheTimeOfAnotherLine) {
  EXPECT_EQ(marksOf("2026-11-22T09:47:05Z started\nWARNING: too many open files\n"), "");
  EXPECT_EQ(marksOf("Nov 22, 2026 9:47:05 AM a.B run\nINFO: started\ntoo many open files\n"), "");
}

TEST(LogMarks, AnotherZone) {
  EXPECT_EQ(marksOf("2026/11/22 09:47:05 too many open files\n"
                    "2026-11-22T09:47:05Z too many open files\n",
                    {.offset_s = 3600}),
            "2026-11-22T08:47:05.000Z EMFILE 1\n"
            "2026-11-22T09:47:05.000Z EMFILE 1\n");
}

TEST(LogMarks, AYearThatIsNotWrittenIsThatOfTheRecording) {
  const LogContext new_year = {
      .recorded_ns = std::pair(*parseTime("2026-12-31T23:00Z"), *parseTime("2027-01-01T01:00Z"))};
  EXPECT_EQ(marksOf("Dec 31 23:59:59 host a: too many open files\n"
                    "Jan  1 00:00:01 host a: too many open files\n",
                    new_year),
            "2026-12-31T23:59:59.000Z EMFILE 1\n"
            "2027-01-01T00:00:01.000Z EMFILE 1\n");
  EXPECT_EQ(scan("Jan  1 00:00:01 host a: too many open files", new_year).without_year, 1);
  const LogMarks unknown = scan("Jan  1 00:00:01 host a: too many open files", {});
  EXPECT_EQ(unknown.without_time, 1);
}

TEST(LogMarks, TheSamplesLog) {
  std::ifstream file(FDMORTEM_SAMPLES_DIR "/pushgateway.log");
  LogScanner scanner(kRecorded);
  ASSERT_TRUE(scanLog(file, scanner));
  const LogMarks marks = scanner.take();
  ASSERT_FALSE(marks.marks.empty());
  // It is recorded again now and then.
  const std::string& text = marks.marks[0].text;
  EXPECT_TRUE(
      text.ends_with(" http: Accept error: accept tcp [::]:9091: accept4: too many open "
                     "files; retrying in 5ms"))
      << text;
  EXPECT_EQ(formatTime(marks.marks[0].time_ns).substr(11, 8), text.substr(11, 8));
  EXPECT_TRUE(std::any_of(marks.marks.begin(), marks.marks.end(),
                          [](const Mark& mark) { return mark.count > 1; }));
  EXPECT_EQ(marks.without_time, 0);
  EXPECT_EQ(marks.without_zone, marks.matched);
}

TEST(LogMarks, LinesOfASecondAreOneMark) {
  const LogMarks marks = scan(
      "2026-11-22T09:47:05.900Z too many open files, late\n"
      "2026-11-22T09:47:05.100Z too many open files, early\n"
      "2026-11-22T09:47:05.500Z accept error\n");
  ASSERT_EQ(marks.marks.size(), 2U);
  EXPECT_EQ(formatTime(marks.marks[0].time_ns), "2026-11-22T09:47:05.100Z");
  EXPECT_EQ(formatTime(marks.marks[0].last_ns), "2026-11-22T09:47:05.900Z");
  EXPECT_EQ(marks.marks[0].count, 2);
  EXPECT_TRUE(marks.marks[0].text.ends_with("early"));
  EXPECT_EQ(marks.marks[1].kind, MarkKind::AcceptError);
}

TEST(LogMarks, OfVeryManyThereAreFew) {
  LogScanner scanner({});
  const int64_t start_ns = *parseTime("2026-11-22T00:00Z");
  constexpr int64_t kLines = 50'000;
  for (int64_t i = 0; i < kLines; ++i)
    scanner.line(formatTime(start_ns + i * 2'000'000'000) + " too many open files");
  const LogMarks marks = scanner.take();
  EXPECT_LE(marks.marks.size(), 500U);
  EXPECT_GE(marks.marks.size(), 20U);
  int64_t count = 0;
  for (const Mark& mark : marks.marks)
    count += mark.count;
  EXPECT_EQ(count, kLines);
  EXPECT_EQ(marks.marks.front().time_ns, start_ns);
  EXPECT_EQ(marks.marks.back().last_ns, start_ns + (kLines - 1) * 2'000'000'000);
}

TEST(LogMarks, TextIsCutAndNotWithinACharacter) {
  const LogMarks marks =
      scan("2026-11-22T09:47:05Z too many open files" + std::string(258, ' ') + "xä" +
           std::string(1'000'000, 'x') + "\n2026-11-22T09:47:06Z too many open files");
  ASSERT_EQ(marks.marks.size(), 2U);
  EXPECT_TRUE(marks.marks[0].text.ends_with(" x...")) << marks.marks[0].text;
  EXPECT_LE(marks.marks[0].text.size(), 303U);
  EXPECT_EQ(marks.lines, 2);
}

TEST(LogMarks, AnyBytes) {
  std::string log = "2026-11-22T09:47:05Z too many open files \xff\xfe";
  log += std::string(1, '\0') + "\r\n{\"time\n{\"msg\":\"too many open files\",\"time\":[]}\n" +
         "__REALTIME_TIMESTAMP=99999999999999999999\nMESSAGE=too many open files\n";
  const LogMarks marks = scan(log);
  EXPECT_EQ(marks.marks.size(), 1U);
  EXPECT_EQ(marks.lines, 5);
  EXPECT_EQ(scan("").lines, 0);
  EXPECT_EQ(scan("\n\n").lines, 2);
}

// Found by fuzzing: their product with the unit is no number any more.
TEST(LogMarks, TimesBeyondAllNanoseconds) {
  for (const char* number :
       {"9999999999", "9351535000000", "9999999999999999", "9223372036854775807", "9223372036.9"}) {
    const LogMarks log =
        scan("{\"ts\":" + std::string(number) + ",\"msg\":\"too many open files\"}\n");
    EXPECT_EQ(log.matched, 1) << number;
    EXPECT_EQ(log.without_time, 1) << number;
  }
}

TEST(LogMarks, ByHand) {
  const auto mark = parseMark("2026-11-22T10:00:00+01:00 deployed 1.5.2 ");
  ASSERT_TRUE(mark);
  EXPECT_EQ(formatTime(mark->time_ns), "2026-11-22T09:00:00.000Z");
  EXPECT_EQ(mark->text, "deployed 1.5.2");
  EXPECT_EQ(mark->kind, MarkKind::Other);
  EXPECT_TRUE(parseMark("2026-11-22 10:00 restarted"));
  for (const char* text :
       {"", "deployed", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z ", "2026-11-22 deployed",
        "2026-11-22T10:00:00Zdeployed", "2026-13-22T10:00:00Z x"}) {
    EXPECT_FALSE(parseMark(text)) << text;
  }
}

TEST(LogMarks, Zones) {
  EXPECT_EQ(parseZone("UTC"), 0);
  EXPECT_EQ(parseZone("Z"), 0);
  EXPECT_EQ(parseZone("+01:00"), 3600);
  EXPECT_EQ(parseZone("-0530"), -19800);
  EXPECT_EQ(parseZone("+01"), 3600);
  for (const char* text : {"", "CET", "Europe/Berlin", "1", "+1", "+25:00", " UTC", "UTC+1"}) {
    EXPECT_FALSE(parseZone(text)) << text;
  }
}

}  // namespace

}  // namespace fdmortem::test
