#include "capture/collect/failure_log.h"

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

namespace fdmortem::test {
namespace {

TEST(FailureLog, FdsOfAProcessAreOneAndItsFilesEachTheirOwn) {
  FailureLog log;
  log.add("readlink", "7/fd/3", 7, EACCES);
  log.add("readlink", "7/fd/12", 7, EACCES);
  log.add("readlink", "7/exe", 7, EACCES);
  log.add("read", "7/fdinfo/3", 7, EACCES);
  const auto failures = log.take();
  ASSERT_EQ(failures.size(), 3U);
  EXPECT_EQ(failures[0].subject, "7/fd/3");
  EXPECT_EQ(failures[0].count, 2);
  EXPECT_EQ(failures[1].subject, "7/exe");
  EXPECT_EQ(failures[2].subject, "7/fdinfo/3");
}

TEST(FailureLog, WhatIsOfNoProcessHasItsWholeName) {
  FailureLog log;
  log.add("open", "cgroup/jobs/1", {}, ENOENT);
  log.add("open", "cgroup/jobs/2", {}, ENOENT);
  EXPECT_EQ(log.take().size(), 2U);
}

}  // namespace
}  // namespace fdmortem::test
