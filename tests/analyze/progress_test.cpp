#include "analyze/progress.h"

#include <string>

#include <gtest/gtest.h>

namespace fdmortem::test {

namespace {

using namespace std::chrono_literals;

TEST(ProgressLine, ComesAfterASecondAndGoes) {
  std::string written;
  std::chrono::steady_clock::time_point now{};
  {
    ProgressLine line(
        "a\x1b.db", [&](const std::string& text) { written += text; }, [&] { return now; });
    now += 999ms;
    line.show("reading", 10);
    EXPECT_EQ(written, "");
    now += 1ms;
    line.show("reading", 11);
    line.show("reading", 11);
    now += 1ms;
    line.show("reading", 12);
    EXPECT_EQ(written,
              "\r\033[Kfdanalyze: a\\x1b.db: reading 11 %"
              "\r\033[Kfdanalyze: a\\x1b.db: reading 12 %");
    written.clear();
  }
  EXPECT_EQ(written, "\r\033[K");
}

TEST(ProgressLine, WhatIsSoonDoneSaysNothing) {
  std::string written;
  {
    ProgressLine("a.db", [&](const std::string& text) { written += text; }).show("reading", 99);
  }
  EXPECT_EQ(written, "");
}

}  // namespace

}  // namespace fdmortem::test
