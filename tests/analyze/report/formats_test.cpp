// What is true of all formats of a report, and of those that are markup.
#include <algorithm>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "analyze/report/html_escape.h"
#include "analyze/report/html_style.h"
#include "analyze/report/markdown_escape.h"
#include "analyze/report/render.h"
#include "analyze/report/svg.h"
#include "analyze/report/svg_plot.h"
#include "schema/sha256.h"
#include "tests/analyze/report/example.h"
#include "tests/support/contains.h"

namespace fdmortem::test {

namespace {

using Json = nlohmann::json;

constexpr const char* kHostile =
    "\"'><script>alert(1)</script>\n<b>|`*[x](http://evil.example)@all\x1b[31m\xff\xe2\x80\xae&amp;"
    "$(reboot)<!--";

size_t countOf(const std::string& text, std::string_view part) {
  size_t count = 0;
  for (size_t place = 0; (place = text.find(part, place)) != std::string::npos; ++place)
    ++count;
  return count;
}

std::vector<std::string> allFormats(const Report& report) {
  return {renderReportText(report), renderReportMarkdown(report), renderReportHtml(report),
          renderReportJson(report)};
}

/// No byte that a terminal obeys, nothing that turns text around, only UTF-8.
void expectInert(const std::string& text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    ASSERT_TRUE(byte >= 0x20 || c == '\n') << static_cast<int>(byte);
    ASSERT_NE(byte, 0x7F);
  }
  EXPECT_FALSE(contains(text, "\xe2\x80\xae"));
  EXPECT_NO_THROW(static_cast<void>(Json(text).dump()));
}

// --- all formats ---

TEST(ReportFormats, AnArchiveWithoutSnapshotsBeginsWithTheReason) {
  Report report;
  report.databases = {{.path = "leak.db", .doubts = {"the file was copied without its -wal"}}};
  report.coverage = {{.database = "leak.db"}};
  for (const std::string& text : allFormats(report)) {
    EXPECT_TRUE(contains(text, "there is no snapshot, so nothing can be judged")) << text;
    EXPECT_TRUE(contains(text, "The file was copied without its")) << text;
    EXPECT_FALSE(contains(text, "Host ,")) << text;
    EXPECT_FALSE(contains(text, "Everything that was asked for could be read")) << text;
  }
}

TEST(ReportFormats, HostileNamesAreInert) {
  for (const std::string& text : allFormats(reportWith(kHostile))) {
    expectInert(text);
    EXPECT_TRUE(contains(text, "reboot")) << "it is shown all the same";
  }
}

TEST(ReportFormats, SayTheSame) {
  for (const std::string& text : allFormats(leakReport())) {
    for (const std::string_view part :
         {"gateway (pid 4711)", "50 fds outlived their connections", "198.51.100.7",
          "Find the path in the program", "SELECT fd FROM outlived", "too many open files",
          "/var/spool/in-"}) {
      EXPECT_TRUE(contains(text, part)) << part << '\n' << text.substr(0, 2000);
    }
  }
}

TEST(ReportFormats, TheSameReportGivesTheSameBytes) {
  EXPECT_EQ(allFormats(leakReport()), allFormats(leakReport()));
}

TEST(ReportFormats, ALongCommandIsCutAndSaysSo) {
  Report report = leakReport();
  const std::string start(299, 'a');
  report.processes[0].cmdline = start + "\xc3\xa9" + "rest";
  TextStyle wide;
  wide.width = 1000;
  EXPECT_TRUE(contains(renderReportText(report, wide), start + "...\n"));
  EXPECT_TRUE(contains(renderReportMarkdown(report), start + "..."));
  for (const std::string& text : allFormats(report))
    expectInert(text);
}

TEST(ReportFormats, OfNothing) {
  for (const std::string& text : allFormats({}))
    EXPECT_TRUE(contains(text, "no process was recorded")) << text;
}

TEST(ReportFormats, ThousandsOfRowsStayUsable) {
  Report report = leakReport();
  const ProcessReport process = report.processes[0];
  for (int i = 0; i < 2000; ++i) {
    report.processes.push_back(process);
    report.processes.back().pid = 10'000 + i;
    Finding finding = report.findings[0];
    finding.pid = 10'000 + i;
    finding.rows.rows.assign(200, {int64_t{7}});
    finding.all_rows = 100'000;
    if (i < 50) report.findings.push_back(finding);
    report.processes[0].peers.push_back(process.peers[0]);
    report.marks.push_back(report.marks[0]);
  }
  for (const std::string& text : {renderReportText(report), renderReportMarkdown(report)})
    EXPECT_LT(text.size(), 1'000'000U);
  const std::string html = renderReportHtml(report);
  EXPECT_LT(html.size(), 2'000'000U);
  EXPECT_TRUE(contains(html, "99950 more: the command above gives all."));
}

// --- Markdown ---

TEST(Markdown, TextIsShownAsItIs) {
  EXPECT_EQ(markdownText("CLOSE_WAIT of /tmp/a_b.db, +1.3 fds"),
            "CLOSE_WAIT of /tmp/a_b.db, +1.3 fds");
  EXPECT_EQ(markdownText("<b> *x* [y](z) a|b #1 _it_ `c` ~~d~~ &amp; $e$"),
            "\\<b\\> \\*x\\* \\[y\\](z) a\\|b \\#1 \\_it\\_ \\`c\\` \\~\\~d\\~\\~ \\&amp; \\$e\\$");
  EXPECT_EQ(markdownText("- + = --"), "\\- \\+ \\= \\--");
  EXPECT_EQ(markdownText(""), "");
}

TEST(Markdown, WhatSitesMakeLinksAndMentionsOfIsCode) {
  EXPECT_EQ(markdownText("see http://x.example now"), "see `http://x.example` now");
  EXPECT_EQ(markdownText("@team"), "`@team`");
  EXPECT_EQ(markdownText("@a`b|c"), "``@a`b\\|c``");
  EXPECT_EQ(markdownText("`@a"), "`` `@a ``");
}

TEST(Markdown, CodeEndsWhereItShould) {
  EXPECT_EQ(markdownCode("a"), "```sh\na\n```\n");
  EXPECT_EQ(markdownCode("a ```` b\nc"), "`````sh\na ```` b\\nc\n`````\n");
}

TEST(Markdown, Tables) {
  EXPECT_EQ(markdownTable(
                {.columns = {"fd", "peer"}, .rows = {{int64_t{7}, "a|b"}, {int64_t{8}, Value()}}}),
            "| fd | peer |\n|---:|---|\n| 7 | a\\|b |\n| 8 | - |\n");
}

TEST(Markdown, HasNoHtml) {
  for (const Report& report : {leakReport(), reportWith(kHostile)}) {
    const std::string text = renderReportMarkdown(report);
    // Neither in code, where it would be shown, nor escaped.
    bool is_code = false;
    std::string line;
    for (size_t start = 0; start < text.size(); start += line.size() + 1) {
      line = text.substr(start, text.find('\n', start) - start);
      if (line.starts_with("```")) is_code = !is_code;
      const std::regex markup("(^|[^\\\\])<[a-zA-Z!/]");
      const std::string without_code = std::regex_replace(line, std::regex("(`+)[^`].*?\\1"), "");
      if (!is_code) {
        EXPECT_FALSE(std::regex_search(without_code, markup)) << line;
      }
    }
    EXPECT_FALSE(is_code);
  }
}

// --- HTML ---

TEST(Html, EscapesText) {
  EXPECT_EQ(htmlText("<a href=\"x\" id='y'>&\n"),
            "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;\\n");
  EXPECT_EQ(htmlTextWithTimes("at 2026-01-01T00:00:00Z <"),
            "at <time>2026-01-01T00:00:00Z</time> &lt;");
  EXPECT_EQ(htmlTextWithTimes("2026-01-01T00:00:00"), "2026-01-01T00:00:00");
}

/// The names of all elements.
std::set<std::string> elementsOf(const std::string& html) {
  std::set<std::string> names;
  const std::regex start("<([a-zA-Z0-9]+)");
  for (std::sregex_iterator match(html.begin(), html.end(), start), end; match != end; ++match)
    names.insert((*match)[1]);
  return names;
}

TEST(Html, HasOnlyTheElementsThatItNeeds) {
  const std::set<std::string> known = {
      "html", "head",  "meta",  "title",   "style", "body",   "a",       "header",  "h1",
      "h2",   "h3",    "p",     "nav",     "ul",    "li",     "main",    "section", "dl",
      "div",  "dt",    "dd",    "article", "span",  "strong", "details", "summary", "pre",
      "code", "table", "thead", "tbody",   "tr",    "th",     "td",      "figure",  "figcaption",
      "svg",  "desc",  "path",  "rect",    "text",  "circle", "footer",  "time"};
  for (const Report& report : {leakReport(), reportWith(kHostile)}) {
    for (const std::string& name : elementsOf(renderReportHtml(report)))
      EXPECT_TRUE(known.contains(name)) << name;
  }
}

TEST(Html, LoadsNothingAndForbidsIt) {
  const std::string html = renderReportHtml(reportWith(kHostile));
  EXPECT_TRUE(contains(html,
                       "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
                       "'none'; style-src 'sha256-" +
                           sha256Base64(reportStyle()) +
                           "'; base-uri 'none'; form-action "
                           "'none'\">"));
  EXPECT_TRUE(contains(html, "<style>" + std::string(reportStyle()) + "</style>"));
  // The policy would refuse style attributes and scripts; there are none to refuse.
  EXPECT_FALSE(std::regex_search(html, std::regex("<[^>]* (style|on[a-z]+|src|srcset)=")));
  const std::regex link("href=\"([^#][^\"]*)\"");
  EXPECT_FALSE(std::regex_search(html, link));
}

TEST(Html, EachChartHasItsNameItsDescriptionAndItsData) {
  const std::string html = renderReportHtml(leakReport());
  const size_t charts = countOf(html, "<svg viewBox=\"0 0 640");
  EXPECT_EQ(charts, 5U);
  EXPECT_EQ(countOf(html, "<figure>"), charts);
  EXPECT_EQ(countOf(html, ">Data</summary>"), charts);
  EXPECT_EQ(countOf(html, "role=\"img\""), charts);
  const std::regex labelled("aria-labelledby=\"([^\" ]+) ([^\" ]+)\"");
  std::set<std::string> ids;
  for (std::sregex_iterator match(html.begin(), html.end(), labelled), end; match != end; ++match) {
    EXPECT_TRUE(contains(html, "<title id=\"" + (*match)[1].str() + "\">"));
    EXPECT_TRUE(contains(html, "<desc id=\"" + (*match)[2].str() + "\">"));
    EXPECT_TRUE(ids.insert((*match)[1]).second) << "twice";
  }
  EXPECT_EQ(ids.size(), charts);
}

TEST(Html, NamesEachHostOnce) {
  Report report = leakReport();
  report.databases.assign(3, report.databases[0]);
  report.databases[0].host = "web10";
  report.databases[1].host = "web1";
  report.databases[2].host = "web10";
  EXPECT_TRUE(contains(renderReportHtml(report), "fd incident report · web10, web1 · "));
}

TEST(Html, HasLandmarksAndOneHeadingOfTheFirstRank) {
  const std::string html = renderReportHtml(leakReport());
  for (const std::string_view element : {"<header>", "<nav ", "<main>", "<footer>", "<h1>"})
    EXPECT_EQ(countOf(html, element), 1U) << element;
  for (const std::string_view element :
       {"html lang=\"en\"", "href=\"#findings\"", "id=\"findings\""})
    EXPECT_TRUE(contains(html, element)) << element;
}

// Who hears the page goes from heading to heading: no rank is left out.
TEST(Html, HeadingsGoDownOneRankAtATime) {
  const std::string html = renderReportHtml(leakReport());
  const std::regex heading("<h([1-6])[ >]");
  int before = 0;
  for (std::sregex_iterator match(html.begin(), html.end(), heading), end; match != end; ++match) {
    const int rank = std::stoi((*match)[1]);
    EXPECT_LE(rank, before + 1) << match->position();
    before = rank;
  }
}

TEST(Html, WhatIsFoldedAndFoundHasANameOfItsOwn) {
  const std::string html = renderReportHtml(leakReport());
  EXPECT_TRUE(
      contains(html, "<h3 id=\"finding-0\"><span class=\"badge\">critical</span> pid 4711: 50"));
  EXPECT_TRUE(contains(html, "aria-labelledby=\"finding-0\""));
  const std::regex summary("<summary( aria-label=\"([^\"]*)\")?>");
  std::set<std::string> names;
  for (std::sregex_iterator match(html.begin(), html.end(), summary), end; match != end; ++match)
    EXPECT_TRUE(names.insert((*match)[2]).second) << (*match)[2];
  EXPECT_TRUE(names.contains("Data: Open fds against the limit"));
}

TEST(Html, ASingleSnapshotHasNoCurve) {
  Report report = leakReport();
  report.processes[0].counts.resize(1);
  for (auto* parts :
       {&report.processes[0].kinds_over_time, &report.processes[0].verdicts_over_time}) {
    for (PartOverTime& part : *parts)
      part.counts.resize(1);
  }
  const std::string html = renderReportHtml(report);
  EXPECT_EQ(countOf(html, "<figure>"), 2U);
  EXPECT_TRUE(contains(html, "sockets by verdict at the end"));
}

// --- charts ---

TEST(Charts, AGapIsNoLine) {
  Report report = leakReport();
  ProcessReport& process = report.processes[0];
  const std::string whole = fdsChart("x", report, process);
  EXPECT_EQ(countOf(whole, "class=\"line\""), 1U);
  EXPECT_EQ(countOf(whole, "class=\"unseen\""), 0U);
  process.counts[2].stretch = 9;
  const std::string broken = fdsChart("x", report, process);
  EXPECT_EQ(countOf(broken, "class=\"line\""), 2U);
  EXPECT_EQ(countOf(broken, "class=\"unseen\""), 1U);
  EXPECT_TRUE(contains(broken, "not seen"));
}

TEST(Charts, ALimitFarAwayIsNotDrawn) {
  Report report = leakReport();
  EXPECT_TRUE(contains(fdsChart("x", report, report.processes[0]), "limit 128"));
  for (CountAt& count : report.processes[0].counts)
    count.soft_limit = 100'000;
  report.processes[0].soft_limit = 100'000;
  EXPECT_FALSE(contains(fdsChart("x", report, report.processes[0]), "class=\"limit\""));
}

TEST(Charts, ALimitThatChangesIsDrawnAsItWas) {
  Report report = leakReport();
  report.processes[0].counts[0].soft_limit = 64;
  EXPECT_GE(countOf(fdsChart("x", report, report.processes[0]), "class=\"limit\""), 2U);
}

TEST(Charts, MarksAndRestartsAreOnTheTimeAxis) {
  Report report = leakReport();
  MarkReport restart = report.marks[0];
  restart.kind = "restart";
  report.marks.push_back(restart);
  report.marks.push_back(report.marks[0]);
  const std::string chart = fdsChart("x", report, report.processes[0]);
  EXPECT_EQ(countOf(chart, "class=\"mark\""), 1U) << "two at one time are one line";
  EXPECT_EQ(countOf(chart, "class=\"restart\""), 1U);
}

TEST(Charts, ManyMarksDoNotHideTheCurve) {
  Report report = leakReport();
  for (int64_t minute = 21; minute < 51; ++minute) {
    MarkReport mark = report.marks[0];
    mark.at_ns += (minute - 20) * 60'000'000'000;
    report.marks.push_back(mark);
  }
  const std::string chart = fdsChart("x", report, report.processes[0]);
  const std::regex line("class=\"mark\" d=\"M[0-9.]+ [0-9.]+V");
  const std::regex tick("class=\"mark\" d=\"M[0-9.]+ [0-9.]+v");
  const auto count = [&](const std::regex& what) {
    return std::distance(std::sregex_iterator(chart.begin(), chart.end(), what), {});
  };
  EXPECT_EQ(count(line), 1) << chart;
  EXPECT_GT(count(tick), 20);
}

// Whoever put it there looks for it.
TEST(Charts, EachNoteIsALineWithItsTextAmongAllTheLogsTicks) {
  Report report = leakReport();
  for (int64_t minute = 21; minute < 51; ++minute) {
    MarkReport mark = report.marks[0];
    mark.at_ns += (minute - 20) * 60'000'000'000;
    report.marks.push_back(mark);
  }
  for (const auto& [minute, text] :
       {std::pair(25, "deployed <b>"), std::pair(50, "limit raised")}) {
    MarkReport note = report.marks[0];
    note.source.clear();
    note.kind = "other";
    note.count = 1;
    note.at_ns += (minute - 20) * int64_t{60'000'000'000};
    note.text = text;
    report.marks.push_back(note);
  }
  const std::string chart = fdsChart("x", report, report.processes[0]);
  EXPECT_TRUE(contains(chart, ">deployed &lt;b&gt;</text>")) << chart;
  EXPECT_TRUE(contains(chart, ">limit raised</text>")) << chart;
  const std::string text = renderReportText(report);
  EXPECT_TRUE(contains(text, "note: deployed <b>")) << text;
  EXPECT_TRUE(contains(text, "note: limit raised")) << text;
  EXPECT_TRUE(contains(text, "and 26 more, the last at")) << text;
}

TEST(Charts, ThereIsRoomForTheLongestVerdict) {
  const Report report = leakReport();
  ProcessReport process = report.processes[0];
  process.verdicts_over_time = {{"never-connected", {0, 10'000, 10'000}}};
  const std::string chart =
      stackedChart("x", report, process, verdictParts(process), "Sockets by verdict");
  const std::regex label("x=\"([0-9.]+)\" y=\"[0-9.]+\">10000 never-connected</text>");
  std::smatch match;
  ASSERT_TRUE(std::regex_search(chart, match, label)) << chart;
  // 21 characters of at most 8 units.
  const std::regex box("viewBox=\"0 0 ([0-9.]+) ");
  std::smatch width;
  ASSERT_TRUE(std::regex_search(chart, width, box)) << chart;
  EXPECT_LE(std::stod(match[1]) + 21 * 8, std::stod(width[1]));
}

TEST(Charts, MoreKindsThanColoursAreOthers) {
  Report report = leakReport();
  ProcessReport& process = report.processes[0];
  for (int i = 0; i < 9; ++i)
    process.kinds_over_time.push_back({"kind" + std::to_string(i), {1, 1, 1}});
  const std::vector<StackedPart> parts = kindParts(process);
  ASSERT_EQ(parts.size(), 7U);
  EXPECT_EQ(parts.back().name, "others");
  EXPECT_EQ(parts.back().counts, (std::vector<int64_t>{5, 5, 5}));
}

TEST(Charts, TimesOnAnAxis) {
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr int64_t kStart = 1'767'225'600 * kSecond;
  const auto labels = [&](int64_t seconds) {
    std::string text;
    for (const auto& [time, label] : timeTicks({kStart, kStart + seconds * kSecond}, 5))
      text += label + " ";
    return text;
  };
  EXPECT_EQ(labels(3), "00:00:00 00:00:01 00:00:02 00:00:03 ");
  EXPECT_EQ(labels(100), "00:00:00 00:00:30 00:01:00 00:01:30 ");
  EXPECT_EQ(labels(14'400), "00:00 01:00 02:00 03:00 04:00 ");
  EXPECT_EQ(labels(259'200), "01-01 01-02 01-03 01-04 ");
  EXPECT_LE(timeTicks({kStart, kStart + 345'600'000 * kSecond}, 5).size(), 5U);
}

TEST(Charts, CoordinatesAreShort) {
  EXPECT_EQ(coordinate(12), "12");
  EXPECT_EQ(coordinate(12.349), "12.3");
  EXPECT_EQ(coordinate(-0.01), "0");
}

}  // namespace

}  // namespace fdmortem::test
